"""The doors to a booking's money: API, pages, admin."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.urls import reverse

from bookings.domain import aftercare, lifecycle
from bookings.models import Complaint
from payments.domain import charges
from payments.gateways import GatewayUnavailable, sandbox
from payments.models import Invoice, Payment
from petplace.api import idempotency
from tests.bookings.doors import api_of, client_of
from tests.bookings.money import HOUR, balance, fresh, funds, held, paid_booking, paused, pay, prepaid, work
from tests.factories import NOW, PetFactory, StaffFactory, UserFactory, make_booking, make_service, manager_of

pytestmark = pytest.mark.django_db
URL = "/api/v1/bookings/"


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def url_of(booking, *rest):
    return f"{URL}{booking.uid}/" + "".join(f"{part}/" for part in rest)


def eur(amount):
    return {"amount": amount, "currency": "EUR"}


def page_of(booking, name="detail"):
    return reverse(f"bookings:{name}", args=[booking.reference])


def team_page_of(booking, name="booking", *more):
    return reverse(f"provider:{name}", args=[booking.provider.slug, booking.reference, *more])


# --- API: paying ----------------------------------------------------------------------------------


def test_booking_what_is_paid_before_answers_held_and_what_is_due():
    service, pet = prepaid(), PetFactory()
    body = {"service": str(service.uid), "start": "2026-11-18T14:00:00Z", "pets": [str(pet.uid)]}
    answer = api_of(pet.owner).post(URL, body)
    data = answer.json()
    assert (answer.status_code, data["state"], data["allowed_actions"]) == (201, "held", ["cancel", "payment"])
    assert data["payment"]["due_now"] == eur(2500)
    assert data["payment"]["due_until"] == "2026-11-17T08:15:00Z"
    assert [(one["kind"], one["state"]) for one in data["payment"]["invoices"]] == [("sale", "draft")]


def test_place_says_that_it_must_be_paid():
    booking = held()
    answer = api_of(booking.owner).post(url_of(booking, "place"))
    assert (answer.status_code, answer.json()["code"]) == (409, "payment_due")


def test_paying_leads_to_the_gateway_and_back():
    booking = held()
    api = api_of(booking.owner)
    answer = api.post(url_of(booking, "payment"), {"gateway": "sandbox"})
    started = answer.json()["payment"]
    ref = Payment.objects.get().ref
    assert answer.status_code == 200
    assert started == {
        "gateway": "sandbox", "state": "requires_action", "amount": eur(2500), "client_secret": "",
        "redirect_url": f"http://testserver/sandbox/pay/{ref}/", "publishable_key": "",
    }  # fmt: skip
    assert Payment.objects.get().return_url == f"http://testserver/pay/{booking.invoice.uid}/return/"
    sandbox.pay(ref, token="tok_visa")
    charges.sync(Payment.objects.get(), now=NOW)
    data = api.get(url_of(booking, "payment")).json()
    assert (data["paid"], data["due_now"], data["payment"]) == (eur(2500), eur(0), None)
    assert api.get(url_of(booking)).json()["state"] == "confirmed"


def test_ten_clicks_are_one_payment():
    booking = held()
    api = api_of(booking.owner)
    answers = [api.post(url_of(booking, "payment"), {}, headers={"Idempotency-Key": f"k{n % 2}"}) for n in range(10)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("Idempotency-Replayed") for answer in answers] == [None] * 2 + ["true"] * 8
    assert Payment.objects.count() == 1


def test_key_of_another_body_and_of_a_running_request():
    booking = held()
    api = api_of(booking.owner)
    key = {"Idempotency-Key": "one"}
    assert api.post(url_of(booking, "payment"), {}, headers=key).status_code == 200
    other = api.post(url_of(booking, "payment"), {"gateway": "sandbox"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    idempotency.claim(booking.owner.pk, f"POST {url_of(booking, 'payment')}", "two", "")
    row = idempotency.IdempotencyKey.objects.get(key="two")
    with connection.copy().cursor() as elsewhere:
        elsewhere.execute("SELECT pg_advisory_lock(%s, %s)", [idempotency.ADVISORY, row.pk])
        running = api.post(url_of(booking, "payment"), {}, headers={"Idempotency-Key": "two"})
        elsewhere.connection.close()
    assert (running.status_code, running.json()["code"]) == (409, "idempotency_in_progress")


def test_refusal_is_kept_and_an_outage_is_not(monkeypatch):
    booking = held()
    api = api_of(booking.owner)

    def away(*args, **kwargs):
        raise GatewayUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(sandbox.SandboxGateway, "create", away)
        lost = api.post(url_of(booking, "payment"), {}, headers={"Idempotency-Key": "k"})
    assert (lost.status_code, lost.json()["code"]) == (503, "gateway_unavailable")
    assert api.post(url_of(booking, "payment"), {}, headers={"Idempotency-Key": "k"}).status_code == 200
    wrong = {"gateway": "bank"}
    for expected in (None, "true"):
        answer = api.post(url_of(booking, "payment"), wrong, headers={"Idempotency-Key": "w"})
        assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (400, expected)


def test_nothing_is_lost_while_the_gateway_is_away(monkeypatch):
    booking = held()
    api = api_of(booking.owner)
    with paused():
        answer = api.post(url_of(booking, "payment"), {})
        assert (answer.status_code, answer.json()["code"]) == (503, "gateway_paused")
        lifecycle.keep_waiting(booking, now=booking.due_at)
    assert (fresh(booking).state, Payment.objects.get().state) == ("held", "new")
    pay(booking.invoice, now=NOW + 16 * HOUR / 60)
    assert (fresh(booking).state, Payment.objects.count()) == ("confirmed", 1)


def test_hold_that_is_over_cannot_be_paid(clock):
    booking = held()
    clock.move_to(booking.due_at)
    answer = api_of(booking.owner).post(url_of(booking, "payment"), {})
    assert (answer.status_code, answer.json()["code"]) == (409, "hold_expired")


@pytest.mark.parametrize("booking_of", [make_booking, paid_booking])
def test_nothing_is_due_twice(booking_of):
    booking = booking_of()
    answer = api_of(booking.owner).post(url_of(booking, "payment"), {})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_due")


def test_money_is_seen_by_both_sides_and_paid_by_the_owner():
    booking = paid_booking("pending")
    manager, stranger = api_of(manager_of(booking)), api_of(UserFactory())
    assert manager.get(url_of(booking, "payment")).json()["authorized"] == eur(2500)
    assert manager.post(url_of(booking, "payment"), {}).status_code == 403
    assert stranger.get(url_of(booking, "payment")).status_code == 404
    assert stranger.post(url_of(booking, "payment"), {}).status_code == 404


def test_invoice_of_somebody_else_is_not_there():
    booking, other = held(), held()
    answer = api_of(booking.owner).post(url_of(booking, "payment"), {"invoice": str(other.invoice.uid)})
    assert answer.status_code == 400
    mine = held(make_service(payment_policy="prepay"), owner=booking.owner)
    answer = api_of(booking.owner).post(url_of(booking, "payment"), {"invoice": str(mine.invoice.uid)})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_due")


# --- API: after the visit -------------------------------------------------------------------------


def test_tip_is_written_and_paid(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    api = api_of(booking.owner)
    assert api.get(url_of(booking)).json()["allowed_actions"] == ["tip", "complaint"]
    answer = api.post(url_of(booking, "tip"), {"amount": eur(500)}, headers={"Idempotency-Key": "t"})
    tip = answer.json()
    assert (answer.status_code, tip["kind"], tip["state"], tip["total"]) == (201, "tip", "draft", eur(500))
    again = api.post(url_of(booking, "tip"), {"amount": eur(500)}, headers={"Idempotency-Key": "t"})
    assert again.headers["Idempotency-Replayed"] == "true"
    api.post(url_of(booking, "payment"), {"invoice": tip["id"]})
    sandbox.pay(Payment.objects.get(invoice__kind="tip").ref, token="tok_visa")
    charges.sync(Payment.objects.get(invoice__kind="tip"), now=booking.ends_at)
    assert api.get(url_of(booking, "payment")).json()["tips"] == eur(500)


@pytest.mark.parametrize(
    "amount", [0, -5, 500, {"amount": 5, "currency": "USD"}, {"amount": 0, "currency": "EUR"}, {"amount": 1.5}]
)
def test_tip_of_nonsense_is_refused(clock, amount):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    answer = api_of(booking.owner).post(url_of(booking, "tip"), {"amount": amount}, format="json")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["amount"])


def test_extra_charge_of_the_provider(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    manager = api_of(manager_of(booking))
    assert manager.get(url_of(booking)).json()["allowed_actions"] == ["extra"]
    answer = manager.post(url_of(booking, "extra"), {"amount": eur(900), "description": "A vase"}, format="json")
    assert (answer.status_code, answer.json()["outstanding"]) == (201, eur(900))
    owner = api_of(booking.owner)
    assert "payment" in owner.get(url_of(booking)).json()["allowed_actions"]
    assert owner.post(url_of(booking, "payment"), {}).json()["payment"]["amount"] == eur(900)
    refused = owner.post(url_of(booking, "extra"), {"amount": eur(900), "description": "A vase"}, format="json")
    assert refused.status_code == 403


def test_complaint_of_the_owner(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    answer = api_of(booking.owner).post(url_of(booking, "complaint"), {"text": "Wet."})
    assert (answer.status_code, answer.json()["allowed_actions"]) == (201, ["tip"])
    again = api_of(booking.owner).post(url_of(booking, "complaint"), {"text": "Wet."})
    assert (again.status_code, again.json()["code"]) == (409, "complaint_made")
    assert api_of(manager_of(booking)).post(url_of(booking, "complaint"), {"text": "Wet."}).status_code == 403


@pytest.mark.parametrize(("said", "state"), [({}, "paid"), ({"is_paid": True}, "paid"), ({"is_paid": False}, "open")])
def test_provider_says_whether_it_was_paid(clock, said, state):
    booking = make_booking(state="in_progress")
    clock.move_to(booking.ends_at)
    answer = api_of(manager_of(booking)).post(url_of(booking, "complete"), said, format="json")
    assert (answer.status_code, fresh(booking).invoice.state) == (200, state)


# --- Pages ----------------------------------------------------------------------------------------


def test_last_step_leads_to_the_pay_page():
    booking = held(prepaid(is_instant=False))
    body = client_of(booking.owner).get(page_of(booking, "checkout")).content.decode()
    assert body.count(reverse("payments:pay", args=[booking.invoice.uid])) == 2
    assert "€25.00 is paid now" in body
    assert "place-form" not in body


def test_owner_pays_on_the_pages(clock):
    booking = held()
    client = client_of(booking.owner)
    there = client.post(reverse("payments:pay", args=[booking.invoice.uid]), {"gateway": "sandbox"})
    assert there.status_code == 302
    sandbox.pay(Payment.objects.get().ref, token="tok_visa")
    back = client.get(reverse("payments:return", args=[booking.invoice.uid]))
    assert back.url == booking.get_absolute_url()
    body = client.get(back.url).content.decode()
    assert "Confirmed" in body
    assert "Paid." in body


def test_detail_says_what_moved():
    booking = paid_booking()
    client = client_of(booking.owner)
    cancel = client.get(page_of(booking, "cancel")).content.decode()
    assert "You get €25.00 back" in cancel
    client.post(page_of(booking, "cancel"), {"reason": ""})
    work()
    body = client.get(page_of(booking)).content.decode()
    assert "Given back" in body
    assert "Nothing is to be paid." in body


def test_late_cancel_says_what_is_kept(clock):
    booking = paid_booking()
    clock.move_to(NOW + 4 * HOUR)
    body = client_of(booking.owner).get(page_of(booking, "cancel")).content.decode()
    assert "You get €12.50 back" in body
    assert "Happy Paws keeps €12.50 by the terms of this booking." in body


def test_tip_form_leads_to_the_pay_page(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    client = client_of(booking.owner)
    assert "Give a tip" in client.get(page_of(booking)).content.decode()
    answer = client.post(page_of(booking, "tip"), {"amount": "5.00"})
    tip = Invoice.objects.get(kind="tip")
    assert (answer.url, tip.total) == (reverse("payments:pay", args=[tip.uid]), 500)
    for wrong in ("", "0", "-3", "nan", "1.234", "x"):
        assert client.post(page_of(booking, "tip"), {"amount": wrong}).url == booking.get_absolute_url()
    assert Invoice.objects.get(kind="tip").total == 500
    clock.move_to(booking.ends_at + timedelta(days=15))
    late = client_of(booking.owner).post(page_of(booking, "tip"), {"amount": "5.00"})
    assert late.url == booking.get_absolute_url()


def test_complaint_form(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    client = client_of(booking.owner)
    client.post(page_of(booking, "complaint"), {"text": " "})
    assert Complaint.objects.count() == 0
    client.post(page_of(booking, "complaint"), {"text": "The dog came home wet."})
    client.post(page_of(booking, "complaint"), {"text": "Again."})
    body = client.get(page_of(booking)).content.decode()
    assert "The dog came home wet." in body
    assert "We are looking at it." in body
    assert "Tell Pet Place" not in body
    team = client_of(manager_of(booking)).get(team_page_of(booking)).content.decode()
    assert "The owner has complained." in team


def test_provider_sees_the_payout_and_adds_a_charge(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    client = client_of(manager_of(booking))
    body = client.get(team_page_of(booking)).content.decode()
    assert "Paid out from Fri, Nov 20" in body
    client.post(team_page_of(booking, "extra"), {"amount": "", "description": "A vase"})
    client.post(team_page_of(booking, "extra"), {"amount": "9", "description": "A vase"})
    assert Invoice.objects.get(kind="extra").total == 900
    owner = client_of(booking.owner).get(page_of(booking)).content.decode()
    assert "Extra charge: A vase" in owner
    clock.move_to(booking.ends_at + timedelta(days=15))
    late = client_of(manager_of(booking)).post(team_page_of(booking, "extra"), {"amount": "9", "description": "A vase"})
    assert late.url == team_page_of(booking)
    assert Invoice.objects.filter(kind="extra").count() == 1


def test_provider_finishes_a_visit_that_was_not_paid(clock):
    booking = make_booking(state="in_progress")
    clock.move_to(booking.ends_at)
    client = client_of(manager_of(booking))
    assert "Finish, not paid yet" in client.get(team_page_of(booking)).content.decode()
    client.post(team_page_of(booking, "step", "complete"), {"is_paid": "false"})
    assert (fresh(booking).state, fresh(booking).invoice.state, balance("cash")) == ("completed", "open", 0)
    assert "Pay €25.00" in client_of(booking.owner).get(page_of(booking)).content.decode()


def test_strangers_find_nothing(clock):
    booking = paid_booking("completed")
    client = client_of(UserFactory())
    for address in (page_of(booking, "tip"), page_of(booking, "complaint"), team_page_of(booking, "extra")):
        assert client.post(address, {"amount": "5", "text": "x", "description": "x"}).status_code == 404


# --- Admin ----------------------------------------------------------------------------------------


def test_staff_closes_a_complaint(clock):
    booking = paid_booking("completed")
    clock.move_to(booking.ends_at)
    complaint = aftercare.complain(booking, text="Wet.", by=booking.owner, now=booking.ends_at)
    client = client_of(StaffFactory())
    page = reverse("admin:bookings_complaint_change", args=[complaint.pk])
    assert "At most €25.00." in client.get(page).content.decode()
    too_much = client.post(page, {"answer": "All.", "refund": "26"})
    assert "More cannot be given back" in too_much.content.decode()
    client.post(page, {"answer": "Half of it.", "refund": "12.50"})
    work(booking.ends_at)
    complaint.refresh_from_db()
    assert (complaint.is_open, complaint.refund_amount, complaint.answer, funds()) == (False, 1250, "Half of it.", 0)
    assert "€12.50" in client.get(page).content.decode()
    assert client.post(page, {"answer": "Once more.", "refund": "1"}).status_code == 403
    assert client.get(reverse("admin:bookings_complaint_changelist")).status_code == 200
