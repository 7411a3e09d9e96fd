"""Quotes, holds and bookings, one after another. Those at the same moment are in ``tests/races``."""

import datetime as dt
from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from bookings.domain import allocations, lifecycle, quotes, reservation
from bookings.models import Booking, Quote
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers.domain import applications, hours, resources, services
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_quote,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db

AFTERNOON = NOW + dt.timedelta(days=1, hours=6)
MINUTE = dt.timedelta(minutes=1)


def hold(service, **fields):
    options = {key: fields.pop(key) for key in ("note", "resource") if key in fields}
    now = fields.get("now", NOW)
    quote = make_quote(service, **fields)
    return reservation.hold(quote, by=quote.owner, now=now, **options)


def code_of(error_type, act, *args, **kwargs):
    with pytest.raises(error_type) as error:
        act(*args, **kwargs)
    return error.value.code


def resources_of(booking):
    return sorted(allocation.resource.name for allocation in booking.allocations.filter(is_live=True))


def kennels(number, **fields):
    branch = make_branch()
    for index in range(number):
        make_resource(branch, kind="kennel", name=f"Kennel {index + 1}", **fields)
    return make_service(branch, kind="daycare", needs=["kennel"])


class TestQuote:
    def test_keeps_lines_total_and_terms_for_half_an_hour(self):
        service = make_service(price=2000, extra_pet_price=300, addons=[("Bath", 500)])
        owner = UserFactory()
        pets = [PetFactory(owner=owner), PetFactory(owner=owner)]
        quote = make_quote(service, owner=owner, pets=pets, addons=list(service.addons.all()))
        assert [(line.kind, line.amount) for line in quote.lines.all()] == [
            ("base", 2000),
            ("extra_pet", 300),
            ("addon", 500),
        ]
        assert (quote.total, quote.currency) == (2800, "EUR")
        assert (quote.starts_at, quote.ends_at) == (AFTERNOON, AFTERNOON + 30 * MINUTE)
        assert quote.expires_at == NOW + 30 * MINUTE
        assert quotes.asked_at(quote) == NOW
        assert set(quote.pets.all()) == set(pets)
        assert quote.cancellation["total"] == 2800

    def test_refuses_what_cannot_be_booked(self):
        assert code_of(InvalidInput, make_quote, make_service(), starts_at=NOW) == "in_the_past"
        assert Quote.objects.count() == 0

    def test_refuses_pets_of_others_and_twins(self):
        owner, pet = UserFactory(), PetFactory()
        service = make_service()
        assert code_of(InvalidInput, make_quote, service, owner=owner, pets=[pet]) == "pet_unknown"
        assert code_of(InvalidInput, make_quote, service, owner=pet.owner, pets=[pet, pet]) == "pet_twice"

    def test_refuses_addons_of_another_service_twice_or_gone(self):
        service, other = make_service(addons=[("Bath", 500)]), make_service(addons=[("Bath", 500)])
        bath = service.addons.get()
        for addons in ([other.addons.get()], [bath, bath]):
            assert code_of(InvalidInput, make_quote, service, addons=addons) == "addon_unknown"
        services.update(service, addons=[], now=NOW)
        bath.refresh_from_db()
        assert code_of(InvalidInput, make_quote, service, addons=[bath]) == "addon_unknown"

    def test_preview_says_the_same_without_saving(self):
        service = make_service(addons=[("Bath", 500)])
        quote = make_quote(service, addons=list(service.addons.all()))
        preview = quotes.preview(service, AFTERNOON, addons=list(service.addons.all()), now=NOW)
        assert preview.price.total == quote.total
        assert preview.terms.as_json() == quote.cancellation
        assert (preview.starts_at, preview.ends_at) == (quote.starts_at, quote.ends_at)
        assert Quote.objects.count() == 1

    def test_price_changed_later_does_not_change_the_quote(self):
        service = make_service(price=2000)
        quote = make_quote(service)
        services.update(service, now=NOW, price=4000)
        booking = reservation.book(quote, by=quote.owner, now=NOW)
        assert (booking.total, booking.invoice.total) == (2000, 2000)


class TestHold:
    def test_keeps_the_time_for_fifteen_minutes(self):
        booking = hold(make_service(), note="  Door code 1234. ")
        booking.refresh_from_db()
        assert (booking.state, booking.due_at) == ("held", NOW + 15 * MINUTE)
        assert (booking.starts_at, booking.ends_at) == (AFTERNOON, AFTERNOON + 30 * MINUTE)
        assert (booking.time_zone, booking.total, booking.currency) == ("Europe/Berlin", 2500, "EUR")
        assert (booking.note, booking.invoice, booking.asked_resource) == ("Door code 1234.", None, None)
        assert booking.terms == booking.quote.cancellation
        event = booking.events.get()
        assert (event.action, event.from_state, event.to_state, event.side, event.by) == (
            "hold",
            "",
            "held",
            "owner",
            booking.owner,
        )
        assert booking.owner.notifications.count() == 0

    def test_buffers_belong_to_the_allocation(self):
        booking = hold(make_service(buffer_before_minutes=10, buffer_after_minutes=20))
        during = booking.allocations.get().during
        assert (during.lower, during.upper) == (AFTERNOON - 10 * MINUTE, AFTERNOON + 50 * MINUTE)

    @pytest.mark.parametrize(("minutes", "is_free"), [(30, False), (45, True)])
    def test_next_booking_waits_for_the_buffer(self, minutes, is_free):
        service = make_service(buffer_after_minutes=15, slot_step_minutes=15)
        hold(service)
        start = AFTERNOON + minutes * MINUTE
        if is_free:
            assert hold(service, starts_at=start).state == "held"
        else:
            assert code_of(DomainError, hold, service, starts_at=start) == "slot_taken"

    def test_spans_that_touch_do_not_overlap(self):
        service = make_service()
        hold(service)
        assert hold(service, starts_at=AFTERNOON + 30 * MINUTE).state == "held"
        assert hold(service, starts_at=AFTERNOON - 30 * MINUTE).state == "held"

    def test_reference_can_be_read_over_the_phone(self):
        reference = hold(make_service()).reference
        assert reference[:3] == "BK-"
        assert len(reference) == 9
        assert set(reference[3:]) <= set(reservation.ALPHABET)
        assert not set("01ILOU") & set(reservation.ALPHABET)

    def test_reference_that_is_in_use_is_drawn_again(self, monkeypatch):
        service = kennels(2)
        first = hold(service)
        letters = iter(first.reference[3:] + "222222")
        monkeypatch.setattr(reservation, "secrets", SimpleNamespace(choice=lambda _: next(letters)))
        quote = make_quote(service)
        assert reservation.hold(quote, by=quote.owner, now=NOW).reference == "BK-222222"

    def test_no_reference_left_is_an_error_of_ours(self, monkeypatch):
        service = kennels(2)
        first = hold(service)
        monkeypatch.setattr(reservation, "ALPHABET", "2")
        Booking.objects.filter(pk=first.pk).update(reference="BK-222222")
        with pytest.raises(RuntimeError):
            hold(service)

    def test_quote_of_somebody_else_is_refused(self):
        quote = make_quote(make_service())
        assert code_of(NotAllowed, reservation.hold, quote, by=UserFactory(), now=NOW) == "not_allowed"

    def test_old_quote_is_refused(self):
        quote = make_quote(make_service())
        assert code_of(DomainError, reservation.hold, quote, by=quote.owner, now=quote.expires_at) == "quote_expired"

    def test_closed_account_is_refused(self):
        quote = make_quote(make_service())
        quote.owner.is_active = False
        assert code_of(NotAllowed, reservation.hold, quote, by=quote.owner, now=NOW) == "not_allowed"

    def test_unproven_address_is_refused_where_it_is_asked(self, settings):
        quote = make_quote(make_service())
        settings.REQUIRE_VERIFIED_EMAIL = True
        assert code_of(NotAllowed, reservation.hold, quote, by=quote.owner, now=NOW) == "email_not_verified"
        quote.owner.emailaddress_set.create(email=quote.owner.email, verified=True, primary=True)
        assert reservation.hold(quote, by=quote.owner, now=NOW).state == "held"

    def test_suspended_provider_is_refused_after_the_quote(self):
        service = make_service()
        quote = make_quote(service)
        applications.suspend(service.provider, by=None, reason="Look again.", now=NOW)
        quote = Quote.objects.get(pk=quote.pk)
        assert code_of(DomainError, reservation.hold, quote, by=quote.owner, now=NOW) == "provider_unavailable"

    def test_payment_in_advance_is_not_possible_yet(self, settings):
        service = make_service()
        settings.PAYMENT_POLICIES = ["prepay"]
        assert code_of(DomainError, hold, service) == "payment_unavailable"

    def test_three_open_holds_are_the_most(self):
        service, owner = kennels(4), UserFactory()
        starts = [AFTERNOON + hour * 60 * MINUTE for hour in range(4)]
        for start in starts[:3]:
            hold(service, owner=owner, starts_at=start)
        assert code_of(DomainError, hold, service, owner=owner, starts_at=starts[3]) == "too_many_holds"
        later = NOW + 16 * MINUTE
        assert hold(service, owner=owner, starts_at=starts[3], now=later).state == "held"

    @pytest.mark.parametrize("note", ["x" * 2001, "a\0b", "\ud800"])
    def test_note_that_cannot_be_kept_is_refused(self, note):
        with pytest.raises(InvalidInput) as error:
            hold(make_service(), note=note)
        assert list(error.value.fields) == ["note"]

    def test_emoji_are_kept(self):
        booking = hold(make_service(), note="Loves 🥕")
        booking.refresh_from_db()
        assert booking.note == "Loves 🥕"


class TestChoosing:
    def test_one_of_each_kind_is_taken(self):
        branch = make_branch()
        make_resource(branch, kind="table", name="Table")
        service = make_service(branch, kind="grooming", needs=["person", "table"])
        booking = hold(service)
        assert sorted(allocation.resource.kind for allocation in booking.allocations.all()) == ["person", "table"]
        assert booking.events.get().detail == {"resources": 2}

    def test_neither_is_taken_when_one_is_missing(self):
        branch = make_branch()
        make_resource(branch, kind="person", name="Second")
        make_resource(branch, kind="table", name="Table")
        service = make_service(branch, kind="grooming", needs=["person", "table"])
        hold(service)
        assert code_of(DomainError, hold, service) == "slot_taken"
        assert Booking.objects.count() == 1

    def test_n_places_hold_n_bookings(self):
        service = kennels(3)
        taken = [resources_of(hold(service)) for _ in range(3)]
        assert taken == [["Kennel 1"], ["Kennel 2"], ["Kennel 3"]]
        assert code_of(DomainError, hold, service) == "slot_taken"

    def test_least_loaded_that_day_is_taken_first(self):
        service = kennels(2)
        hold(service)
        later = AFTERNOON + 2 * 60 * MINUTE
        assert resources_of(hold(service, starts_at=later)) == ["Kennel 2"]
        next_day = AFTERNOON + 24 * 60 * MINUTE
        assert resources_of(hold(service, starts_at=next_day)) == ["Kennel 1"]

    def test_position_decides_between_equals(self):
        branch = make_branch()
        make_resource(branch, kind="kennel", name="Back", position=2)
        make_resource(branch, kind="kennel", name="Front", position=1)
        assert resources_of(hold(make_service(branch, kind="daycare", needs=["kennel"]))) == ["Front"]

    def test_unskilled_and_inactive_are_not_taken(self):
        branch = make_branch()
        branch.resources.all().delete()
        make_resource(branch, name="Trainer", skills=["training"])
        resources.update(make_resource(branch, name="Gone"), is_active=False)
        make_resource(branch, name="Walker", skills=["walking", "sitting"])
        service = make_service(branch)
        assert resources_of(hold(service)) == ["Walker"]
        assert code_of(DomainError, hold, service) == "slot_taken"

    def test_closed_hours_are_not_taken(self):
        service = make_service()
        resource = service.branch.resources.get()
        hours.add_time_off(resource, start=AFTERNOON, end=AFTERNOON + MINUTE, now=NOW)
        assert code_of(DomainError, hold, service) == "slot_taken"
        assert hold(service, starts_at=AFTERNOON + 30 * MINUTE).state == "held"

    def test_person_who_is_asked_for_by_name_comes_or_nobody(self):
        branch = make_branch()
        anna = make_resource(branch, name="Anna")
        service = make_service(branch)
        booking = hold(service, resource=anna)
        assert (resources_of(booking), booking.asked_resource) == (["Anna"], anna)
        with pytest.raises(allocations.SlotTakenError, match="Anna is not free"):
            hold(service, resource=anna)
        assert hold(service).state == "held"

    def test_resource_of_another_branch_kind_or_gone_is_refused(self):
        branch = make_branch()
        service = make_service(branch)
        table = make_resource(branch, kind="table")
        gone = resources.update(make_resource(branch), is_active=False)
        for resource in (make_resource(make_branch()), table, gone):
            assert code_of(InvalidInput, hold, service, resource=resource) == "resource_unknown"

    def test_rounds_are_bounded(self, monkeypatch):
        """If the database never let a row in, the search for another place would still end."""
        monkeypatch.setattr(allocations, "_insert", lambda *_: False)
        assert code_of(DomainError, hold, make_service()) == "slot_taken"


class TestTaken:
    def test_nearest_free_times_are_offered(self):
        service = make_service()
        hold(service)
        with pytest.raises(allocations.SlotTakenError) as error:
            hold(service)
        alternatives = [one["start"] for one in error.value.extra["alternatives"]]
        assert len(alternatives) == 4
        assert (AFTERNOON + 30 * MINUTE).isoformat() in alternatives
        assert (AFTERNOON - 30 * MINUTE).isoformat() in alternatives

    def test_alternatives_of_a_stay_keep_its_nights(self):
        branch = make_branch()
        service = make_service(branch, kind="boarding", is_overnight=True)
        span = {"starts_at": AFTERNOON, "ends_at": AFTERNOON + dt.timedelta(days=2)}
        hold(service, **span)
        with pytest.raises(allocations.SlotTakenError) as error:
            hold(service, **span)
        first = error.value.extra["alternatives"][0]
        start, end = (dt.datetime.fromisoformat(first[key]) for key in ("start", "end"))
        assert (end.date() - start.date()).days == 2

    def test_hold_that_ran_out_makes_room_at_once(self):
        service = make_service()
        first = hold(service)
        later = NOW + 15 * MINUTE
        second = hold(service, now=later)
        first.refresh_from_db()
        assert (first.state, first.cancel_reason) == ("cancelled", "hold_expired")
        assert resources_of(second) == resources_of_all(service)
        assert first.allocations.filter(is_live=True).count() == 0

    def test_it_is_still_taken_when_another_live_booking_is_there_too(self):
        service = kennels(2)
        hold(service)
        make_booking(service)
        later = NOW + 15 * MINUTE
        assert hold(service, now=later).state == "held"
        assert code_of(DomainError, hold, service, now=later) == "slot_taken"

    def test_nothing_is_left_of_a_refused_booking(self):
        service = make_service()
        hold(service)
        before = Booking.objects.count()
        with pytest.raises(allocations.SlotTakenError):
            hold(service)
        assert Booking.objects.count() == before

    def test_one_freed_place_can_still_be_lost(self, monkeypatch):
        """The expired hold was ended, and yet somebody else was faster."""
        service = make_service()
        hold(service)
        monkeypatch.setattr(allocations, "take", _always_taken)
        assert code_of(DomainError, hold, service, now=NOW + 15 * MINUTE) == "slot_taken"


def _always_taken(ask):
    raise allocations.SlotTakenError


def resources_of_all(service):
    return sorted(service.branch.resources.values_list("name", flat=True))


class TestPlace:
    def test_instant_service_is_confirmed(self):
        booking = make_booking(make_service(is_instant=True), state="confirmed")
        assert (booking.state, booking.due_at) == ("confirmed", None)
        assert [(line.description, line.amount) for line in booking.invoice.lines.all()] == [
            ("A walking service, 30 minutes", 2500)
        ]
        assert (booking.invoice.total, booking.invoice.state, booking.invoice.due_at) == (2500, "open", AFTERNOON)
        assert (booking.invoice.payer, booking.invoice.provider) == (booking.owner, booking.provider)
        assert booking.reference in booking.invoice.subject
        assert [(event.action, event.to_state) for event in booking.events.all()] == [
            ("hold", "held"),
            ("place", "confirmed"),
        ]

    def test_service_on_request_is_pending_for_a_day_at_most(self):
        later = NOW + dt.timedelta(days=3)
        assert make_booking(state="pending", starts_at=later).due_at == NOW + dt.timedelta(hours=24)

    def test_request_for_today_must_be_answered_an_hour_before(self):
        start = NOW + dt.timedelta(hours=4)
        assert make_booking(state="pending", starts_at=start).due_at == start - dt.timedelta(hours=1)

    def test_request_for_the_next_hour_can_be_answered_until_the_start(self):
        service = make_service(minimum_notice_minutes=0)
        start = NOW + dt.timedelta(minutes=30)
        assert make_booking(service, state="pending", starts_at=start).due_at == start

    def test_book_does_both_at_once(self):
        quote = make_quote(make_service(is_instant=True))
        booking = reservation.book(quote, by=quote.owner, now=NOW, note="Hi")
        assert (booking.state, booking.note, booking.invoice.total) == ("confirmed", "Hi", 2500)

    def test_hold_that_ran_out_cannot_be_placed(self):
        booking = make_booking(state="held")
        act = reservation.place
        assert code_of(InvalidTransition, act, booking, by=booking.owner, now=booking.due_at) == "hold_expired"

    def test_only_the_owner_places(self):
        booking = make_booking(state="held")
        assert code_of(NotAllowed, reservation.place, booking, by=manager_of(booking), now=NOW) == "not_allowed"

    def test_suspension_during_the_hold_refuses(self):
        booking = make_booking(state="held")
        applications.suspend(booking.provider, by=None, reason="Look again.", now=NOW)
        assert code_of(DomainError, reservation.place, booking, by=booking.owner, now=NOW) == "provider_unavailable"

    def test_start_that_passed_during_the_hold_refuses(self):
        service = make_service(minimum_notice_minutes=0)
        start = NOW + dt.timedelta(minutes=30)
        quote = make_quote(service, starts_at=start)
        booking = reservation.hold(quote, by=quote.owner, now=NOW + dt.timedelta(minutes=20))
        assert code_of(DomainError, reservation.place, booking, by=booking.owner, now=start) == "in_the_past"

    def test_twice_is_refused(self):
        booking = make_booking(state="pending")
        again = Booking.objects.get(pk=booking.pk)
        assert code_of(InvalidTransition, reservation.place, again, by=booking.owner, now=NOW) == "invalid_transition"


def test_reservation_takes_few_statements():
    """Each of them is time in which others wait."""
    quote = make_quote(make_service(is_instant=True))
    with CaptureQueriesContext(connection) as queries:
        reservation.book(quote, by=quote.owner, now=NOW)
    assert len(queries) <= 30


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"state": "lost"}, "booking_state_known"),
        ({"ends_at": NOW}, "booking_ends_after_start"),
        ({"total": -1}, "booking_total_not_negative"),
        ({"cancel_reason": "by_owner"}, "booking_cancelled_has_reason"),
        ({"state": "cancelled"}, "booking_cancelled_has_reason"),
        ({"state": "held", "due_at": None}, "booking_open_has_due_time"),
    ],
)
def test_database_refuses_an_impossible_booking(change, constraint):
    booking = make_booking(state="pending")
    with pytest.raises(IntegrityError, match=constraint):
        Booking.objects.filter(pk=booking.pk).update(**change)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"ends_at": NOW}, "quote_ends_after_start"),
        ({"total": -1}, "quote_(total_not_negative|commission_possible)"),
        ({"tax_amount": -1}, "quote_parts_within_total"),
        ({"tax_amount": 2000, "owner_fee": 501}, "quote_(parts_within_total|commission_possible)"),
        ({"commission": 2501}, "quote_commission_possible"),
    ],
)
def test_database_refuses_an_impossible_quote(change, constraint):
    quote = make_quote(make_service())
    with pytest.raises(IntegrityError, match=constraint):
        Quote.objects.filter(pk=quote.pk).update(**change)


def test_database_refuses_lines_that_do_not_multiply():
    quote = make_quote(make_service())
    with pytest.raises(IntegrityError, match="quote_line_amount_is_product"):
        quote.lines.update(amount=1)


def test_database_refuses_an_unbounded_allocation():
    booking = make_booking()
    with pytest.raises(IntegrityError, match="allocation_bounded"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE bookings_allocation SET during = tstzrange(now(), NULL) WHERE booking_id = %s", [booking.pk]
        )


def test_step_that_is_not_in_the_table_is_a_bug():
    booking = make_booking(state="pending")
    step = lifecycle.begin(booking, lifecycle.Action.ACCEPT, by=manager_of(booking))
    booking.state = "completed"
    with pytest.raises(AssertionError):
        lifecycle.finish(booking, step, now=NOW)
