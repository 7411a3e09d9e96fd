"""A promo code on its way: quoted, taken with the hold, kept when the booking moves, given back when it dies."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings.domain import lifecycle, quotes, reschedule, reservation, sweeps
from bookings.models import Booking, Quote
from payments.domain import promo_codes, promos
from payments.models import CommissionRule, Invoice, PromoCode, PromoRedemption
from petplace import invariants
from petplace.errors import DomainError
from providers.domain import applications
from tests.bookings.doors import api_of, client_of
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    make_branch,
    make_promo,
    make_provider,
    make_quote,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
START = NOW + timedelta(days=1, hours=6)
QUOTES = "/api/v1/quotes/"


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def service():
    return make_service(is_instant=True, price=10_000)


def held(service, code="SPRING", **fields):
    quote = make_quote(service, promo_code=code, **fields)
    return reservation.hold(quote, by=quote.owner, now=NOW)


def uses(promo):
    promo.refresh_from_db()
    live = PromoRedemption.objects.filter(promo=promo, released_at=None)
    assert promo.used_count == live.count()
    return promo.used_count


def broken():
    """The names of what is not true of money (times apart: the clock here stands still)."""
    words = ("invoice", "quote", "code", "figures")
    return [
        found.invariant.name
        for found in invariants.check()
        if not found.is_ok and any(word in found.invariant.name for word in words)
    ]


# --- the quote ----------------------------------------------------------------------------------


def test_a_quote_keeps_the_code_and_every_figure(service):
    CommissionRule.objects.create(owner_bp=500, provider_bp=1_500)
    applications.update(service.provider, by=None, now=NOW, tax_rate_bp=1_900, is_tax_inclusive=False)
    promo = make_promo()
    service.refresh_from_db()

    quote = make_quote(service, promo_code=" spring ")

    quote = Quote.objects.get(pk=quote.pk)
    assert [(line.kind, line.amount) for line in quote.lines.all()] == [
        ("base", 10_000), ("discount", -1_000), ("service_fee", 450), ("tax", 1_710),
    ]  # fmt: skip
    assert (quote.promo, quote.total, quote.tax_amount, quote.owner_fee) == (promo, 11_160, 1_710, 450)
    # The platform pays its own discount: the provider's share is taken of the whole.
    assert (quote.commission, quote.subsidy) == (1_500, 1_000)
    assert uses(promo) == 0


def test_a_providers_own_discount_is_not_paid_by_the_platform(service):
    CommissionRule.objects.create(provider_bp=1_500)
    make_promo(provider=service.provider)
    quote = make_quote(service, promo_code="SPRING")
    assert (quote.total, quote.commission, quote.subsidy) == (9_000, 1_350, 0)


def test_the_booked_price_does_not_change_with_its_rules(service):
    rule = CommissionRule.objects.create(owner_bp=500)
    promo = make_promo()
    quote = make_quote(service, promo_code="SPRING")
    rule.owner_bp = 5_000
    rule.save()
    promo_codes.end(promo)
    applications.update(service.provider, by=None, now=NOW, tax_rate_bp=1_900, is_tax_inclusive=False)

    booking = reservation.book(Quote.objects.get(pk=quote.pk), by=quote.owner, now=NOW)

    assert (booking.total, booking.invoice.total, booking.invoice.owner_fee, booking.invoice.tax_amount) == (
        9_450, 9_450, 450, 0,
    )  # fmt: skip


# --- using it up --------------------------------------------------------------------------------


def test_the_hold_uses_it_up_and_placing_keeps_it(service):
    promo = make_promo(max_uses=1)
    booking = held(service)
    redemption = PromoRedemption.objects.get()
    assert (redemption.promo, redemption.user, redemption.amount) == (promo, booking.owner, 1_000)
    assert (booking.invoice.state, booking.invoice.total, uses(promo)) == ("draft", 9_000, 1)
    booking = reservation.place(booking, by=booking.owner, now=NOW)
    booking.invoice.refresh_from_db()
    assert (booking.state, booking.invoice.state, uses(promo)) == ("confirmed", "open", 1)
    assert broken() == []


def test_the_last_use_goes_to_one(service):
    promo = make_promo(max_uses=1)
    first, second = (make_quote(service, promo_code="SPRING", starts_at=START + n * DAY) for n in range(2))
    reservation.hold(first, by=first.owner, now=NOW)
    with pytest.raises(promos.PromoError) as error:
        reservation.book(second, by=second.owner, now=NOW)
    assert (error.value.status, error.value.code) == (409, "promo_used_up")
    assert (Booking.objects.count(), Invoice.objects.count(), uses(promo)) == (1, 1, 1)


def test_a_person_uses_it_as_often_as_allowed(service):
    promo = make_promo(max_uses_per_person=1)
    owner = UserFactory()
    pet = PetFactory(owner=owner)
    second = make_quote(service, owner=owner, pets=[pet], promo_code="SPRING", starts_at=START + DAY)
    held(service, owner=owner, pets=[pet])
    with pytest.raises(promos.PromoError) as error:
        reservation.hold(second, by=owner, now=NOW)
    assert error.value.code == "promo_used_before"
    with pytest.raises(DomainError) as early:
        make_quote(service, owner=owner, pets=[pet], promo_code="SPRING", starts_at=START + DAY)
    assert early.value.code == "promo_used_before"
    held(service, starts_at=START + DAY)
    assert uses(promo) == 2


def test_a_hold_that_runs_out_gives_it_back(service):
    promo = make_promo(max_uses=1)
    booking = held(service)
    lifecycle.expire(booking, now=booking.due_at)
    booking.invoice.refresh_from_db()
    assert (booking.invoice.state, uses(promo)) == ("void", 0)
    held(service)
    assert uses(promo) == 1
    assert broken() == []


def test_an_expired_hold_in_the_way_gives_its_code_to_the_next(service):
    promo = make_promo(max_uses=1)
    old = held(service)
    later = old.due_at + timedelta(seconds=1)
    assert sweeps.process_due(now=later)
    quote = make_quote(service, promo_code="SPRING", now=later)
    reservation.hold(quote, by=quote.owner, now=later)
    assert uses(promo) == 1


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (lambda booking: lifecycle.decline(booking, by=manager_of(booking), now=NOW, reason="No."), 0),
        (lambda booking: lifecycle.cancel(booking, by=manager_of(booking), now=NOW), 0),
        (lambda booking: lifecycle.cancel(booking, by=booking.owner, now=NOW), 0),
        (lambda booking: lifecycle.cancel(booking, by=booking.owner, now=booking.starts_at), 1),
    ],
    ids=["declined", "cancelled by the provider", "cancelled in time", "cancelled late"],
)
def test_a_booking_that_dies_gives_it_back_unless_a_fee_is_kept(act, left):
    promo = make_promo()
    service = make_service(price=10_000)
    quote = make_quote(service, promo_code="SPRING")
    booking = act(reservation.book(quote, by=quote.owner, now=NOW))
    assert uses(promo) == left
    assert booking.invoice.total == (4_500 if left else 9_000)
    assert broken() == []


def test_a_hold_that_is_let_go_late_costs_nothing(service):
    """What was only held was never promised, not even an hour before the start."""
    make_promo()
    soon = make_quote(service, promo_code="SPRING", starts_at=NOW + timedelta(hours=3))
    booking = reservation.hold(soon, by=soon.owner, now=NOW)
    assert booking.terms["rows"][-1]["refund_amount"] < booking.total
    lifecycle.cancel(booking, by=booking.owner, now=NOW)
    booking.invoice.refresh_from_db()
    assert booking.invoice.state == "void"
    assert booking.events.last().detail == {"refund": 9_000, "kept": 0, "currency": "EUR"}


# --- moving -------------------------------------------------------------------------------------


def test_a_moved_booking_keeps_its_code_although_it_has_run_out(service):
    promo = make_promo(max_uses=1)
    quote = make_quote(service, promo_code="SPRING")
    booking = reservation.book(quote, by=quote.owner, now=NOW)
    promo_codes.end(promo)
    service.price = 20_000
    service.save(update_fields=["price"])

    moved = reschedule.move(booking, by=booking.owner, starts_at=START + 2 * DAY, now=NOW)

    invoice = Invoice.objects.get(pk=moved.invoice_id)
    assert (moved.total, invoice.total, moved.quote.promo) == (18_000, 18_000, promo)
    assert [(line.kind, line.amount) for line in invoice.lines.all()] == [("base", 20_000), ("discount", -2_000)]
    assert (PromoRedemption.objects.get().amount, uses(promo)) == (2_000, 1)
    assert broken() == []


def test_a_provider_who_moves_never_makes_it_dearer(service):
    make_promo()
    CommissionRule.objects.create(owner_bp=500, provider_bp=1_000)
    quote = make_quote(service, promo_code="SPRING")
    booking = reservation.book(quote, by=quote.owner, now=NOW)
    before = quotes.price_of(booking.quote)
    service.price = 20_000
    service.save(update_fields=["price"])
    moved = reschedule.move(booking, by=manager_of(booking), starts_at=START + 2 * DAY, now=NOW)
    assert quotes.price_of(moved.quote) == before
    moved.invoice.refresh_from_db()
    assert (moved.invoice.owner_fee, moved.invoice.commission, moved.invoice.subsidy) == (450, 1_000, 1_000)


# --- paying before ------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "first"), [("prepay", 9_450), ("deposit", 2_363)])
def test_what_is_paid_before_is_a_draft_that_waits(policy, first):
    CommissionRule.objects.create(owner_bp=500)
    make_promo()
    service = make_service(is_instant=True, price=10_000, payment_policy=policy, deposit_percent=25)
    quote = make_quote(service, promo_code="SPRING")
    booking = reservation.book(quote, by=quote.owner, now=NOW)
    assert (quote.prepay_amount, booking.state) == (first, "held")
    invoice = booking.invoice
    assert (invoice.state, invoice.total, invoice.prepay_amount, invoice.capture_method) == (
        "draft", 9_450, first, "automatic",
    )  # fmt: skip
    with pytest.raises(DomainError) as error:
        reservation.place(booking, by=booking.owner, now=NOW)
    assert error.value.code == "payment_due"


def test_a_request_is_captured_only_when_it_is_accepted():
    service = make_service(price=10_000, payment_policy="prepay")
    booking = held(service, code="")
    assert (booking.invoice.capture_method, booking.invoice.state) == ("manual", "draft")


# --- the API ------------------------------------------------------------------------------------


def body_of(service, pet, **more):
    return {"service": str(service.uid), "start": START.isoformat(), "pets": [str(pet.uid)], **more}


def test_the_api_quotes_and_books_with_a_code(service):
    make_promo()
    pet = PetFactory()
    client = api_of(pet.owner)
    data = client.post(QUOTES, body_of(service, pet, promo_code="spring")).json()
    assert (data["promo_code"], data["total"]["amount"], data["lines"][-1]["kind"]) == ("SPRING", 9_000, "discount")
    assert data["pay_now"] == {"amount": 0, "currency": "EUR"}
    booked = client.post("/api/v1/bookings/", {"quote": data["id"]}).json()
    assert (booked["state"], booked["price"]["total"]["amount"]) == ("confirmed", 9_000)


def test_the_api_books_at_once_with_a_code(service):
    promo = make_promo()
    pet = PetFactory()
    answer = api_of(pet.owner).post("/api/v1/bookings/", body_of(service, pet, promo_code="SPRING"))
    assert (answer.status_code, answer.json()["price"]["total"]["amount"], uses(promo)) == (201, 9_000, 1)


def test_the_api_says_why_a_code_does_not_count(service):
    make_promo(code="LATER", starts_at=NOW + DAY)
    make_promo(code="THEIRS", provider=make_provider())
    pet = PetFactory()
    client = api_of(pet.owner)
    found = {}
    for code in ("NONE", "LATER", "THEIRS"):
        answer = client.post(QUOTES, body_of(service, pet, promo_code=code))
        found[code] = (answer.status_code, answer.json()["code"])
    assert found == {
        "NONE": (400, "promo_unknown"), "LATER": (409, "promo_not_yet"), "THEIRS": (409, "promo_not_here"),
    }  # fmt: skip


def test_guessing_is_limited_for_an_account_wherever_it_asks(service, settings):
    make_promo()
    pet = PetFactory()
    client = api_of(pet.owner)

    def ask(code, address="10.0.0.1"):
        return client.post(QUOTES, body_of(service, pet, promo_code=code), REMOTE_ADDR=address)

    guessed = [ask(f"GUESS{n}", f"10.0.0.{n}").status_code for n in range(10)]
    refused = ask("SPRING")
    assert guessed == [400] * 10
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")  # the right one would tell it, too
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert ask("").status_code == 201  # a price without a code is nobody's secret
    other = PetFactory()
    answer = api_of(other.owner).post(QUOTES, body_of(service, other, promo_code="SPRING"))
    assert answer.status_code == 201


def test_guessing_is_limited_for_an_address_whoever_asks(service):
    codes = []
    for number in range(61):
        pet = PetFactory()
        answer = api_of(pet.owner).post(QUOTES, body_of(service, pet, promo_code=f"GUESS{number}"))
        codes.append(answer.status_code)
    assert codes == [400] * 60 + [429]


def test_codes_that_exist_are_no_guesses(service):
    make_promo()
    make_promo(code="GONE", ends_at=NOW)
    pet = PetFactory()
    client = api_of(pet.owner)
    answers = [client.post(QUOTES, body_of(service, pet, promo_code="SPRING")).status_code for _ in range(12)]
    answers += [client.post(QUOTES, body_of(service, pet, promo_code="GONE")).status_code for _ in range(12)]
    assert answers == [201] * 12 + [409] * 12


# --- the pages ----------------------------------------------------------------------------------


def extras_url(service, **more):
    pairs = {"step": "extras", "species": "dog", "pets": "1", "start": START.isoformat(), **more}
    pairs["end"] = (START + timedelta(minutes=30)).isoformat()
    return reverse("bookings:book", args=[service.uid]), pairs


def test_a_visitor_sees_the_discount_before_signing_in(service):
    make_promo()
    path, pairs = extras_url(service, promo_code="spring")
    text = Client().get(path, pairs).content.decode()
    assert "Promo code SPRING" in text
    assert "€90.00" in text
    assert "€10.00 off." in text
    assert text.count('name="promo_code" value="spring"') == 2  # the field, and what goes on with the form


def test_a_code_that_does_not_count_leaves_the_price(service):
    path, pairs = extras_url(service, promo_code="NONE")
    text = Client().get(path, pairs).content.decode()
    assert "There is no such code." in text
    assert "€100.00" in text


def test_guessing_on_the_page_is_limited(service):
    path, pairs = extras_url(service)
    texts = [Client().get(path, pairs | {"promo_code": f"GUESS{n}"}).content.decode() for n in range(61)]
    assert all("There is no such code." in text for text in texts[:60])
    assert "Those were many codes." in texts[60]


def test_the_page_holds_with_the_code(service):
    promo = make_promo()
    pet = PetFactory()
    _, pairs = extras_url(service, promo_code="SPRING", pet=str(pet.uid))
    answer = client_of(pet.owner).post(reverse("bookings:hold", args=[service.uid]), pairs)
    booking = Booking.objects.get()
    assert answer.url == reverse("bookings:checkout", args=[booking.reference])
    assert (booking.total, uses(promo)) == (9_000, 1)
    text = client_of(pet.owner).get(answer.url).content.decode()
    assert "Promo code SPRING" in text


def test_the_page_says_when_the_last_use_is_gone(service):
    promo = make_promo(max_uses=1)
    PromoCode.objects.filter(pk=promo.pk).update(used_count=1)
    pet = PetFactory()
    _, pairs = extras_url(service, promo_code="SPRING", pet=str(pet.uid))
    answer = client_of(pet.owner).post(reverse("bookings:hold", args=[service.uid]), pairs)
    assert answer.status_code == 409
    assert "used as often as it could be" in answer.content.decode()
    assert not Booking.objects.exists()


def test_lists_profiles_and_the_first_step_say_the_same_all_in_price():
    service = make_service(make_branch(make_provider(tax_rate_bp=1_900, is_tax_inclusive=False)), price=10_000)
    CommissionRule.objects.create(owner_bp=500)
    profile = Client().get(reverse("provider_detail", args=[service.provider.slug])).content.decode()
    first_step = Client().get(reverse("bookings:book", args=[service.uid])).content.decode()
    listed = Client().get("/api/v1/providers/", {"lat": 52.52, "lng": 13.405}).json()["results"][0]
    cards = Client().get(reverse("search"), {"lat": 52.52, "lng": 13.405}).content.decode()
    assert listed["price"]["amount"] == 12_400
    for text in (profile, cards, first_step):
        assert "€124" in text
        assert "all-in" in text.lower()
    assert "Service fee" in first_step
    assert "Tax, 19 %" in first_step
