"""What is Stripe's own: how it counts, what it stores under a key, what it is sent."""

import datetime as dt
import json
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from payments.gateways import GatewayDeclined, GatewayRefused, GatewayUnavailable, registry
from payments.gateways.stripe import from_stripe, to_stripe
from tests.payments.gateways import fake_stripe
from tests.payments.gateways.fake_server import Answer
from tests.payments.gateways.worlds import StripeWorld

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("amount", "currency", "theirs"),
    [(1_999, "EUR", 1_999), (500, "JPY", 500), (5, "ISK", 500), (7, "UGX", 700), (1_230, "KWD", 1_230)],
)
def test_amounts_in_their_units(amount: int, currency: str, theirs: int) -> None:
    assert to_stripe(amount, currency) == theirs
    assert from_stripe(theirs, currency) == amount


def test_thousandths_are_refused_before_anything_is_sent(stripe_world: StripeWorld) -> None:
    with pytest.raises(GatewayRefused) as caught:
        stripe_world.create(amount=1_235, currency="KWD")

    assert caught.value.code == "amount_not_possible"
    assert stripe_world.fake.seen == []


def test_what_is_sent(stripe_world: StripeWorld) -> None:
    request = stripe_world.request(
        amount=5_000,
        payer_email="ann@demo.petplace.test",
        statement="PET<PLACE>*12",
        description="x" * 2_000,
        metadata={"payment": "u-1"},
    )

    stripe_world.gateway.create(request, key="pay:1")

    (sent,) = stripe_world.fake.seen
    params = {name: values[0] for name, values in parse_qs(sent.body.decode()).items()}
    assert params == {
        "amount": "5000",
        "currency": "eur",
        "capture_method": "manual",
        "automatic_payment_methods[enabled]": "true",
        "description": "x" * 1_000,
        "metadata[payment]": "u-1",
        "metadata[key]": "pay:1",
        "receipt_email": "ann@demo.petplace.test",
        "statement_descriptor_suffix": "PETPLACE12",
    }
    assert sent.headers["idempotency-key"] == "pay:1"


def test_statement_without_letters_is_left_out(stripe_world: StripeWorld) -> None:
    stripe_world.create(statement="12*")

    assert b"statement" not in stripe_world.fake.seen[0].body


def test_key_with_other_arguments_is_refused(stripe_world: StripeWorld) -> None:
    stripe_world.gateway.create(stripe_world.request(amount=100), key="same")

    with pytest.raises(GatewayRefused):
        stripe_world.gateway.create(stripe_world.request(amount=101), key="same")


def test_key_in_use_is_no_answer(stripe_world: StripeWorld) -> None:
    stripe_world.fake.busy.add("same")

    with pytest.raises(GatewayUnavailable):
        stripe_world.gateway.create(stripe_world.request(), key="same")


def test_wrong_secret_key_is_for_staff(stripe_world: StripeWorld, gateways) -> None:
    gateways.STRIPE_SECRET_KEY = "sk_test_other"

    with pytest.raises(GatewayRefused) as caught:
        stripe_world.gateway.retrieve("pi_1")

    assert caught.value.code == "gateway_key"
    assert "sk_test" not in str(caught.value)


def test_stored_failures_without_end_stay_unknown(stripe_world: StripeWorld) -> None:
    stripe_world.fake.be(stored_500=1)

    with pytest.raises(GatewayUnavailable):
        stripe_world.gateway.create(stripe_world.request(), key="same")


def test_card_error_of_a_call_is_a_decline(stripe_world: StripeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    error = {"type": "card_error", "code": "card_declined", "decline_code": "lost_card", "message": "Declined."}
    monkeypatch.setattr(stripe_world.fake, "execute", lambda request: Answer(402, {"error": error}))

    with pytest.raises(GatewayDeclined) as caught:
        stripe_world.gateway.capture("pi_1", amount=1, currency="EUR", key="k")

    assert (caught.value.code, caught.value.message, caught.value.status) == ("lost_card", "Declined.", 402)


@pytest.mark.parametrize("body", ["<html>busy</html>", ["not", "an", "error"]])
def test_answer_that_is_none_is_unknown(stripe_world: StripeWorld, monkeypatch: pytest.MonkeyPatch, body) -> None:
    monkeypatch.setattr(stripe_world.fake, "execute", lambda request: Answer(502, body))

    with pytest.raises(GatewayUnavailable):
        stripe_world.gateway.retrieve("pi_1")


def test_more_refunds_than_one_page(stripe_world: StripeWorld) -> None:
    charge = stripe_world.captured()
    for number in range(12):
        stripe_world.gateway.refund(charge.ref, amount=100, currency="EUR", key=f"r:{number}")

    refunds = stripe_world.gateway.retrieve(charge.ref).refunds

    assert (len(refunds), sum(refund.amount for refund in refunds)) == (12, 1_200)


def test_more_movements_than_one_page(stripe_world: StripeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("payments.gateways.stripe.PAGE", 2)
    since = timezone.now() - dt.timedelta(minutes=1)
    charges = [stripe_world.captured(amount=1_000 + number) for number in range(5)]

    found = stripe_world.gateway.movements(since=since, until=timezone.now() + dt.timedelta(minutes=1))

    assert {one.source_ref for one in found} == {charge.ref for charge in charges}


def test_reversed_transfer_has_failed(stripe_world: StripeWorld) -> None:
    account = stripe_world.ready_account()
    same = {"amount": 1_000, "currency": "EUR", "key": "t:1", "description": "Payout"}
    sent = stripe_world.gateway.transfer(account, **same)

    stripe_world.fake.transfers[sent.ref]["reversed"] = True

    assert stripe_world.gateway.transfer(account, **same).state == "failed"


def test_transfer_to_nobody_is_refused(stripe_world: StripeWorld) -> None:
    with pytest.raises(GatewayRefused):
        stripe_world.gateway.transfer("acct_0", amount=1, currency="EUR", key="t", description="Payout")


def test_evidence_goes_to_its_fields(stripe_world: StripeWorld) -> None:
    charge = stripe_world.captured()
    dispute = stripe_world.open_dispute(charge.ref)

    stripe_world.gateway.submit_evidence(
        dispute, {"service_date": "2026-11-24", "messages": "12", "timeline": "10:00 started"}, key="e:1"
    )

    assert stripe_world.fake.disputes[dispute]["evidence"] == {
        "service_date": "2026-11-24",
        "uncategorized_text": "messages: 12\n\ntimeline: 10:00 started",
    }


@pytest.mark.parametrize(
    ("kind", "about", "ref", "uid"),
    [
        ("refund.failed", {"id": "re_1", "payment_intent": "pi_1", "metadata": {"key": "k"}}, "pi_1", ""),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_1"}, "pi_1", ""),
        ("account.updated", {"id": "acct_1"}, "acct_1", ""),
        ("payment_intent.succeeded", {"id": "pi_1", "metadata": {"payment": "u-1"}}, "pi_1", "u-1"),
    ],
)
def test_events_name_the_payment(stripe_world: StripeWorld, kind: str, about: dict, ref: str, uid: str) -> None:
    now = timezone.now()
    event = {"id": "evt_1", "object": "event", "type": kind, "livemode": True, "data": {"object": about}}
    body = json.dumps(event).encode()

    found = stripe_world.gateway.parse_event(body, fake_stripe.sign(body, at=now.timestamp()), now=now)

    assert (found.id, found.kind, found.object_ref, found.payment_uid, found.is_test) == (
        "evt_1",
        kind,
        ref,
        uid,
        False,
    )
    assert found.payload == event


def test_every_currency_but_a_few(gateways) -> None:
    assert registry.get("stripe").supports("KZT")
    assert not registry.get("stripe").supports("IRR")
