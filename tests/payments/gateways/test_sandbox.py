"""The sandbox: what payers see, and the webhooks that it posts."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from payments import tasks
from payments.gateways import GatewayRefused, sandbox, sandbox_webhooks
from payments.models import SandboxCharge, SandboxEvent
from tests.payments.gateways.fake_server import Answer, FakeServer, Request
from tests.payments.gateways.worlds import RETURN_URL, SandboxWorld

pytestmark = pytest.mark.django_db


# --- The pay page -------------------------------------------------------------------------------


def pay_url(charge: Any) -> str:
    return reverse("sandbox:pay", args=[charge.ref])


def test_pay_page_shows_the_amount_and_the_test_cards(sandbox_world: SandboxWorld, client: Client) -> None:
    charge = sandbox_world.create(amount=12_345)

    answer = client.get(pay_url(charge))

    text = answer.content.decode()
    assert answer.status_code == 200
    assert charge.redirect_url == f"http://testserver{pay_url(charge)}"
    assert "€123.45" in text
    assert "TEST MODE" in text
    assert all(f'name="token" value="{token}"' in text for token in sandbox.CARDS)
    assert answer.headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_number_field_has_no_name(sandbox_world: SandboxWorld, client: Client) -> None:
    """So it is in no request, with or without JavaScript; without it the field is not even shown."""
    text = client.get(pay_url(sandbox_world.create())).content.decode()

    (field,) = [part.split(">")[0] for part in text.split("<input")[1:] if "sandbox-number" in part.split(">")[0]]
    assert "name=" not in field
    assert "data-sandbox-number hidden" in text


@pytest.mark.parametrize(
    ("token", "capture", "state"),
    [
        ("tok_visa", "manual", "authorized"),
        ("tok_visa", "automatic", "captured"),
        ("tok_disputed", "automatic", "captured"),
    ],
)
def test_paying_leads_back(sandbox_world: SandboxWorld, client: Client, token: str, capture: str, state: str) -> None:
    charge = sandbox_world.create(capture=capture)

    answer = client.post(pay_url(charge), {"token": token})

    assert (answer.status_code, answer.headers["Location"]) == (302, RETURN_URL)
    assert sandbox_world.gateway.retrieve(charge.ref).state == state


def test_decline_is_said_and_another_card_pays(sandbox_world: SandboxWorld, client: Client) -> None:
    charge = sandbox_world.create()

    declined = client.post(pay_url(charge), {"token": "tok_insufficient_funds"}, follow=True)
    paid = client.post(pay_url(charge), {"token": "tok_visa"})

    assert "There is not enough money on this card." in declined.content.decode()
    assert paid.headers["Location"] == RETURN_URL


@pytest.mark.parametrize(
    ("given", "state"), [("approve", "authorized"), ("refuse", "requires_payment"), ("", "requires_payment")]
)
def test_challenge_page_decides(sandbox_world: SandboxWorld, client: Client, given: str, state: str) -> None:
    charge = sandbox_world.create()
    challenge = reverse("sandbox:challenge", args=[charge.ref])

    sent = client.post(pay_url(charge), {"token": "tok_3ds"})
    page = client.get(pay_url(charge), follow=True)
    answer = client.post(challenge, {"answer": given})

    assert sent.headers["Location"] == challenge
    assert page.redirect_chain == [(challenge, 302)]
    assert b"Is it you?" in page.content
    assert answer.headers["Location"] == (RETURN_URL if state == "authorized" else pay_url(charge))
    assert sandbox_world.gateway.retrieve(charge.ref).state == state
    assert client.get(challenge).status_code == 302  # it asks once


@pytest.mark.parametrize("token", ["", "tok_gold", "4242424242424242"])
def test_unknown_card_is_refused_and_not_kept(sandbox_world: SandboxWorld, client: Client, token: str) -> None:
    charge = sandbox_world.create()

    answer = client.post(pay_url(charge), {"token": token})

    assert answer.status_code == 400
    assert b"Please choose one of the test cards." in answer.content
    assert SandboxCharge.objects.get().card == ""


def test_paid_and_closed_payments_cannot_be_paid_again(sandbox_world: SandboxWorld, client: Client) -> None:
    paid, closed = sandbox_world.captured(), sandbox_world.create()
    sandbox_world.gateway.void(closed.ref, key="void:1")
    events = SandboxEvent.objects.count()

    texts = [client.get(pay_url(charge)).content.decode() for charge in (paid, closed)]
    answers = [client.post(pay_url(charge), {"token": "tok_visa"}).status_code for charge in (paid, closed)]

    assert ["This payment is made." in texts[0], "This payment was closed." in texts[1]] == [True, True]
    assert not any("<form" in text for text in texts)
    assert (answers, SandboxEvent.objects.count()) == ([302, 302], events)


def test_looking_writes_nothing(sandbox_world: SandboxWorld, client: Client) -> None:
    charge = sandbox_world.create()
    account = sandbox_world.gateway.create_account(email="a@demo.petplace.test", country="DE", key="a")
    before = SandboxCharge.objects.values().get()

    client.get(pay_url(charge))
    client.get(reverse("sandbox:challenge", args=[charge.ref]))
    client.get(reverse("sandbox:connect", args=[account]))

    assert SandboxCharge.objects.values().get() == before
    assert not sandbox_world.gateway.account_ready(account)


def test_onboarding_page_makes_ready_and_leads_back(sandbox_world: SandboxWorld, client: Client) -> None:
    gateway = sandbox_world.gateway
    account = gateway.create_account(email="a@demo.petplace.test", country="DE", key="a")
    url = gateway.onboarding_url(account, return_url=RETURN_URL, refresh_url=RETURN_URL)

    page = client.get(url)
    answer = client.post(url)

    assert b"Finish, and go back" in page.content
    assert (answer.headers["Location"], gateway.account_ready(account)) == (RETURN_URL, True)
    assert b"This account is ready." in client.get(url).content


@pytest.mark.parametrize("name", ["pay", "challenge", "connect"])
def test_unknown_reference_is_not_there(gateways: Any, client: Client, name: str) -> None:
    url = reverse(f"sandbox:{name}", args=["sbx_0"])

    assert [client.get(url).status_code, client.post(url).status_code] == [404, 404]


def test_pages_are_not_there_where_the_sandbox_is_not_in_use(
    sandbox_world: SandboxWorld, client: Client, gateways: Any
) -> None:
    charge = sandbox_world.create()
    gateways.PAYMENT_GATEWAYS = ["stripe"]

    assert client.get(pay_url(charge)).status_code == 404
    assert client.post(pay_url(charge), {"token": "tok_visa"}).status_code == 404


# --- Rows ---------------------------------------------------------------------------------------


def test_key_of_another_request_is_refused(sandbox_world: SandboxWorld) -> None:
    sandbox_world.gateway.create(sandbox_world.request(amount=100), key="same")
    charge = sandbox_world.captured()
    sandbox_world.gateway.refund(charge.ref, amount=100, currency="EUR", key="refund")

    with pytest.raises(GatewayRefused) as other_charge:
        sandbox_world.gateway.create(sandbox_world.request(amount=101), key="same")
    with pytest.raises(GatewayRefused) as other_refund:
        sandbox_world.gateway.refund(charge.ref, amount=200, currency="EUR", key="refund")

    assert {other_charge.value.code, other_refund.value.code} == {"idempotency_key_reused"}


def test_database_refuses_impossible_sums(sandbox_world: SandboxWorld) -> None:
    charge = sandbox_world.captured()

    for change in ({"refunded_amount": 10_001}, {"refunded_amount": -1}, {"captured_amount": 10_001}):
        with pytest.raises(IntegrityError, match="sandbox_charge_amounts_in_order"), transaction.atomic():
            SandboxCharge.objects.filter(ref=charge.ref).update(**change)


@pytest.mark.django_db(transaction=True)
def test_two_refunds_at_once_never_exceed_the_payment(sandbox_world: SandboxWorld) -> None:
    charge = sandbox_world.captured()
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def refund(number: int) -> None:
        start.wait()
        try:
            outcomes.append(
                sandbox_world.gateway.refund(charge.ref, amount=6_000, currency="EUR", key=f"r:{number}").state
            )
        except GatewayRefused as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=refund, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refund_too_large"] * 7 + ["succeeded"]


# --- Webhooks -----------------------------------------------------------------------------------


class Door(FakeServer):
    """Takes webhooks as our site does: it checks the signature."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[str] = []

    def execute(self, request: Request) -> Answer:
        with self.lock:
            headers = {"Sandbox-Signature": request.headers["sandbox-signature"]}
            event = sandbox.SandboxGateway().parse_event(request.body, headers, now=timezone.now())
            self.taken.append(event.id)
        return Answer(200, {"status": "stored"})


@pytest.fixture
def door(gateways: Any) -> Iterator[Door]:
    with Door().running() as found:
        gateways.SANDBOX_WEBHOOK_URL = f"{found.url}/api/v1/webhooks/sandbox/"
        yield found  # type: ignore[misc]


def in_the_future(seconds: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=seconds)


def test_every_change_is_told_by_a_signed_webhook(sandbox_world: SandboxWorld, door: Door) -> None:
    charge = sandbox_world.authorized()
    sandbox_world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key="c")
    refund = sandbox_world.gateway.refund(charge.ref, amount=1_000, currency="EUR", key="r")
    sandbox_world.fail_refund(refund.ref)
    dispute = sandbox_world.open_dispute(charge.ref)
    sandbox_world.gateway.submit_evidence(dispute, {"a": "b"}, key="e")
    sandbox_world.close_dispute(dispute, is_won=True)

    tasks.post_sandbox_events()
    tasks.post_sandbox_events()

    kinds = [
        "charge.authorized", "charge.captured", "refund.created", "refund.failed", "dispute.created",
        "dispute.updated", "dispute.closed",
    ]  # fmt: skip
    events = SandboxEvent.objects.order_by("pk")
    assert [event.kind for event in events] == kinds
    assert door.taken == [event.ref for event in events]
    assert {json.loads(request.body)["data"]["object"]["id"] for request in door.seen} == {charge.ref}


def test_webhook_that_is_not_taken_comes_again(sandbox_world: SandboxWorld, door: Door) -> None:
    sandbox_world.authorized()
    door.fail_next("500")
    door.fail_next("drop_after")

    counts = [sandbox_webhooks.post_events(now=in_the_future(seconds)) for seconds in (0, 1, 3, 10)]

    event = SandboxEvent.objects.get()
    assert counts == [0, 0, 0, 1]
    assert door.taken == [event.ref] * 2  # the second was taken, but the line dropped: repeated, as everywhere
    assert (event.attempts, event.repeats_left, event.last_error) == (2, 0, "")


def test_webhook_that_nobody_takes_is_given_up(sandbox_world: SandboxWorld, gateways: Any) -> None:
    gateways.SANDBOX_WEBHOOK_URL = "http://127.0.0.1:9/"
    sandbox_world.authorized()

    for number in range(sandbox_webhooks.MAX_ATTEMPTS + 5):
        sandbox_webhooks.post_events(now=in_the_future(number * 700))

    event = SandboxEvent.objects.get()
    assert (event.attempts, event.repeats_left, event.last_error) == (
        sandbox_webhooks.MAX_ATTEMPTS,
        0,
        "ConnectionError",
    )


def test_webhooks_can_be_late_and_repeated(sandbox_world: SandboxWorld, door: Door, gateways: Any) -> None:
    gateways.SANDBOX_DELAY_SECONDS = 30
    gateways.SANDBOX_REPEAT = 3
    sandbox_world.authorized()

    counts = [sandbox_webhooks.post_events(now=in_the_future(seconds)) for seconds in (0, 31, 32, 62, 93, 200)]

    assert counts == [0, 1, 0, 1, 1, 0]
    assert len(set(door.taken)) == 1


def test_webhooks_can_come_out_of_order(
    sandbox_world: SandboxWorld, door: Door, gateways: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways.SANDBOX_SHUFFLE = True
    monkeypatch.setattr(sandbox_webhooks.random, "shuffle", list.reverse)
    charge = sandbox_world.authorized()
    sandbox_world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key="c")

    sandbox_webhooks.post_events(now=in_the_future(1))

    assert door.taken == list(SandboxEvent.objects.order_by("-pk").values_list("ref", flat=True))


def test_webhook_in_other_hands_is_passed_over(sandbox_world: SandboxWorld, door: Door) -> None:
    sandbox_world.authorized()
    now = timezone.now()
    SandboxEvent.objects.update(leased_until=now + dt.timedelta(seconds=30))

    assert sandbox_webhooks.post_events(now=now) == 0
    assert sandbox_webhooks.post_events(now=now + dt.timedelta(seconds=31)) == 1


def test_webhooks_that_were_posted_are_forgotten_after_a_month(sandbox_world: SandboxWorld, door: Door) -> None:
    """One that nobody has taken yet stays, however old it is."""
    sandbox_world.authorized()
    sandbox_webhooks.post_events(now=timezone.now())
    sandbox_world.authorized()

    assert sandbox_webhooks.delete_posted(now=timezone.now() + dt.timedelta(days=29)) == 0
    assert sandbox_webhooks.delete_posted(now=timezone.now() + dt.timedelta(days=31)) == 1
    assert SandboxEvent.objects.get().repeats_left == 1
