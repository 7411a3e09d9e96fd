import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from bookings.domain import cancellation, lifecycle, reschedule
from bookings.models import Booking
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers.domain import services
from providers.models import PublicHoliday
from tests.factories import (
    NOW,
    StaffFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
AFTERNOON = NOW + DAY + 6 * HOUR
BERLIN = ZoneInfo("Europe/Berlin")


def instant(**fields):
    return make_service(is_instant=True, **fields)


def code_of(error_type, booking, **kwargs):
    with pytest.raises(error_type) as error:
        reschedule.move(booking, **({"now": NOW} | kwargs))
    return error.value.code


def live(booking):
    return [(a.resource.name, a.during.lower) for a in booking.allocations.filter(is_live=True)]


def test_move_keeps_the_booking_and_its_reference():
    booking = make_booking(instant())
    reference, old_quote = booking.reference, booking.quote
    moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    moved = Booking.objects.get(pk=moved.pk)
    assert (moved.reference, moved.state, moved.sequence) == (reference, "confirmed", 1)
    assert (moved.starts_at, moved.ends_at) == (AFTERNOON + DAY, AFTERNOON + DAY + HOUR / 2)
    assert [start for _, start in live(moved)] == [AFTERNOON + DAY]
    assert moved.allocations.count() == 1
    assert moved.quote != old_quote
    assert cancellation.Terms.from_json(moved.terms).rows[0].until == dt.datetime(2026, 11, 18, 11, tzinfo=dt.UTC)
    event = moved.events.last()
    assert (event.action, event.from_state, event.to_state) == ("reschedule", "confirmed", "confirmed")
    assert event.detail == {
        "from": {"start": AFTERNOON.isoformat(), "end": (AFTERNOON + HOUR / 2).isoformat(), "total": 2500},
        "to": {"start": (AFTERNOON + DAY).isoformat(), "end": (AFTERNOON + DAY + HOUR / 2).isoformat(), "total": 2500},
        "resources": 1,
    }


def test_old_time_is_free_again():
    booking = make_booking(instant())
    reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    assert make_booking(booking.service).starts_at == AFTERNOON


def test_booking_may_overlap_itself():
    booking = make_booking(instant(duration_minutes=60))
    reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + HOUR / 2, now=NOW)
    assert [start for _, start in live(booking)] == [AFTERNOON + HOUR / 2]


def test_move_prefers_the_same_people():
    branch = make_branch()
    make_resource(branch, name="Second", position=0)
    service = instant(branch=branch)
    booking = make_booking(service, resource=branch.resources.get(name="Second"))
    Booking.objects.update(asked_resource=None)
    moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    assert [name for name, _ in live(moved)] == ["Second"]


def test_person_who_was_asked_for_stays_asked():
    branch = make_branch()
    anna = make_resource(branch, name="Anna")
    service = instant(branch=branch)
    booking = make_booking(service, resource=anna)
    make_booking(service, resource=anna, starts_at=AFTERNOON + DAY)
    assert code_of(DomainError, booking, by=booking.owner, starts_at=AFTERNOON + DAY) == "slot_taken"


def test_taken_time_leaves_everything_as_it_was():
    service = instant()
    booking = make_booking(service)
    make_booking(service, starts_at=AFTERNOON + DAY)
    with pytest.raises(DomainError) as error:
        reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    assert error.value.code == "slot_taken"
    assert len(error.value.extra["alternatives"]) == 4
    booking = Booking.objects.get(pk=booking.pk)
    assert (booking.starts_at, booking.sequence, [start for _, start in live(booking)]) == (AFTERNOON, 0, [AFTERNOON])


def test_expired_hold_in_the_way_is_ended():
    service = instant()
    booking = make_booking(service)
    make_booking(service, state="held", starts_at=AFTERNOON + DAY)
    later = NOW + HOUR
    assert reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=later).sequence == 1


class TestState:
    def test_owner_of_a_service_on_request_asks_again(self):
        booking = make_booking(make_service(), state="confirmed")
        moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
        assert (moved.state, moved.due_at) == ("pending", NOW + DAY)
        assert lifecycle.accept(moved, by=manager_of(moved), now=NOW).state == "confirmed"

    def test_provider_does_not_ask(self):
        booking = make_booking(make_service(), state="confirmed")
        moved = reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON + DAY, now=NOW)
        assert (moved.state, moved.due_at) == ("confirmed", None)

    @pytest.mark.parametrize("mover", ["owner", "provider", "staff"])
    def test_pending_stays_pending_with_a_new_due_time(self, mover):
        booking = make_booking(state="pending")
        by = {"owner": booking.owner, "provider": manager_of(booking), "staff": StaffFactory()}[mover]
        start = NOW + 4 * HOUR
        moved = reschedule.move(booking, by=by, starts_at=start, now=NOW)
        assert (moved.state, moved.due_at) == ("pending", start - HOUR)

    @pytest.mark.parametrize("state", ["in_progress", "completed", "declined", "cancelled", "no_show"])
    def test_nothing_else_moves(self, state):
        booking = make_booking(state=state)
        assert code_of(InvalidTransition, booking, by=booking.owner, starts_at=AFTERNOON + DAY) == "invalid_transition"

    def test_stranger_may_not(self):
        booking = make_booking()
        assert code_of(NotAllowed, booking, by=UserFactory(), starts_at=AFTERNOON + DAY) == "not_allowed"


class TestRules:
    def test_same_time_and_people_is_nothing(self):
        booking = make_booking(instant())
        assert code_of(DomainError, booking, by=booking.owner, starts_at=AFTERNOON) == "nothing_changed"

    def test_owner_is_bound_by_notice_window_and_steps(self):
        booking = make_booking(instant(maximum_advance_days=30))
        for start, code in [
            (NOW + HOUR, "too_soon"),
            (AFTERNOON + 60 * DAY, "too_far_ahead"),
            (AFTERNOON + HOUR / 6, "off_step"),
            (NOW - HOUR, "in_the_past"),
        ]:
            assert code_of(InvalidInput, booking, by=booking.owner, starts_at=start) == code

    def test_provider_is_bound_by_hours_alone(self):
        booking = make_booking(instant())
        by = manager_of(booking)
        assert reschedule.move(booking, by=by, starts_at=NOW + HOUR / 6, now=NOW).starts_at == NOW + HOUR / 6
        assert code_of(DomainError, booking, by=by, starts_at=AFTERNOON + 8 * HOUR) == "slot_taken"

    def test_owner_cannot_move_what_has_begun(self):
        booking = make_booking(instant())
        now = AFTERNOON
        assert code_of(DomainError, booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=now) == "already_started"
        assert reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON + DAY, now=now).sequence == 1

    def test_pet_cannot_be_moved_into_another_booking(self):
        booking = make_booking(instant())
        pet = booking.pets.get()
        make_booking(instant(), owner=booking.owner, pets=[pet], starts_at=AFTERNOON + DAY)
        assert code_of(DomainError, booking, by=booking.owner, starts_at=AFTERNOON + DAY) == "pet_booked_then"


class TestResource:
    def test_provider_moves_to_another_column(self):
        branch = make_branch()
        second = make_resource(branch, name="Second")
        booking = make_booking(instant(branch=branch))
        moved = reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON, resource=second, now=NOW)
        assert (live(moved), moved.asked_resource) == ([("Second", AFTERNOON)], None)

    def test_owner_who_names_one_asks_for_it(self):
        branch = make_branch()
        second = make_resource(branch, name="Second")
        booking = make_booking(instant(branch=branch))
        moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON, resource=second, now=NOW)
        moved.refresh_from_db()
        assert moved.asked_resource == second

    def test_resource_of_another_branch_is_refused(self):
        booking = make_booking(instant())
        other = make_resource(make_branch())
        code = code_of(InvalidInput, booking, by=manager_of(booking), starts_at=AFTERNOON, resource=other)
        assert code == "resource_unknown"


class TestPrice:
    def test_owner_pays_todays_price(self):
        service = instant(addons=[("Bath", 500)])
        booking = make_booking(service, addons=list(service.addons.all()))
        services.update(service, now=NOW, price=4000, addons=[])
        moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
        assert (moved.total, moved.invoice.total, moved.quote.total) == (4500, 4500, 4500)
        assert [line.amount for line in moved.invoice.lines.all()] == [4000, 500]
        assert moved.invoice.due_at == AFTERNOON + DAY

    def test_providers_move_never_costs_more(self):
        service = instant(holiday_percent=50)
        PublicHoliday.objects.update_or_create(country="DE", on=dt.date(2026, 11, 19), defaults={"name": "Feast"})
        booking = make_booking(service)
        moved = reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON + DAY, now=NOW)
        assert (moved.total, moved.invoice.total) == (2500, 2500)
        back = reschedule.move(moved, by=moved.owner, starts_at=AFTERNOON + DAY + HOUR, now=NOW)
        assert back.total == 3750

    def test_providers_move_may_cost_less(self):
        service = instant(holiday_percent=50)
        PublicHoliday.objects.update_or_create(country="DE", on=dt.date(2026, 11, 18), defaults={"name": "Feast"})
        booking = make_booking(service)
        assert booking.total == 3750
        moved = reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON + DAY, now=NOW)
        assert moved.total == 2500

    def test_moving_late_does_not_win_the_refund_back(self):
        booking = make_booking(instant())
        late = NOW + 4 * HOUR  # 13:00, the deadline was noon
        moved = reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + 7 * DAY, now=late)
        assert [row.refund_amount for row in cancellation.Terms.from_json(moved.terms).rows] == [1250]
        again = reschedule.move(moved, by=moved.owner, starts_at=AFTERNOON + 8 * DAY, now=late)
        assert [row.refund_amount for row in cancellation.Terms.from_json(again.terms).rows] == [1250]

    def test_providers_late_move_keeps_the_owners_refund(self):
        booking = make_booking(instant())
        late = NOW + 4 * HOUR
        moved = reschedule.move(booking, by=manager_of(booking), starts_at=AFTERNOON + 7 * DAY, now=late)
        assert cancellation.refund_due(moved, late, "owner") == 2500


def test_stay_keeps_its_nights():
    service = make_service(kind="boarding", is_overnight=True, is_instant=True)
    first, last = dt.datetime(2026, 11, 20, 18, tzinfo=BERLIN), dt.datetime(2026, 11, 23, 9, tzinfo=BERLIN)
    booking = make_booking(service, starts_at=first, ends_at=last)
    moved = reschedule.move(booking, by=booking.owner, starts_at=first + 10 * DAY, now=NOW)
    assert moved.ends_at == last + 10 * DAY
    longer = reschedule.move(moved, by=moved.owner, starts_at=first, ends_at=last + DAY, now=NOW)
    assert longer.total == 4 * 2500
