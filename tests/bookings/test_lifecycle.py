"""The table of DESIGN section 4, every pair of state and step, and what each step leaves behind."""

import datetime as dt
import itertools

import pytest
from django.db import transaction

from bookings import permissions
from bookings.domain import lifecycle, reservation
from bookings.models import Booking
from bookings.states import FINAL_STATES, LIVE_STATES, TRANSITIONS, Action, BookingState, Side, is_allowed, sources
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers.domain import applications, team
from tests.factories import (
    NOW,
    StaffFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_provider,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
STEPS = {
    Action.PLACE: lambda booking, by, now: reservation.place(booking, by=by, now=now),
    Action.ACCEPT: lambda booking, by, now: lifecycle.accept(booking, by=by, now=now),
    Action.DECLINE: lambda booking, by, now: lifecycle.decline(booking, by=by, now=now, reason="No room."),
    Action.CANCEL: lambda booking, by, now: lifecycle.cancel(booking, by=by, now=now),
    Action.COMING: lambda booking, by, now: lifecycle.say_coming(booking, by=by, now=now),
    Action.START: lambda booking, by, now: lifecycle.start(booking, by=by, now=now),
    Action.COMPLETE: lambda booking, by, now: lifecycle.complete(booking, by=by, now=now),
    Action.NO_SHOW: lambda booking, by, now: lifecycle.report_no_show(booking, by=by, now=now),
}


def actor(booking, side):
    return {
        Side.OWNER: lambda: booking.owner,
        Side.PROVIDER: lambda: manager_of(booking),
        Side.STAFF: StaffFactory,
    }[side]()


def moment(action, booking):
    """A time at which the clock does not forbid the step."""
    return booking.starts_at if action in (Action.START, Action.NO_SHOW, Action.COMPLETE) else NOW


def last(booking):
    return booking.events.last()


@pytest.mark.parametrize("state", list(BookingState))
def test_only_what_is_in_the_table_happens(state):
    """Every step by every side from ``state``; each is undone, as one booking is enough for all."""
    made = make_booking(state=state)
    people = {side: actor(made, side) for side in (Side.OWNER, Side.PROVIDER, Side.STAFF)}
    before = made.events.count()
    for (action, step), (side, by) in itertools.product(STEPS.items(), people.items()):
        booking, now = Booking.objects.get(pk=made.pk), moment(action, made)
        targets = {t.target for t in TRANSITIONS if t.action == action and t.source == state and side in t.sides}
        with transaction.atomic():
            if targets:
                step(booking, by, now)
            else:
                with pytest.raises((InvalidTransition, NotAllowed)):
                    step(booking, by, now)
            booking = Booking.objects.get(pk=made.pk)
            event = last(booking)
            seen = (booking.state, booking.events.count() - before)
            said = (event.action, event.from_state, event.to_state, event.side, event.by)
            transaction.set_rollback(True)
        what = f"{action} by {side} from {state}"
        if targets:
            assert seen[0] in targets, what
            assert seen[1] > 0, what
            assert said == (action, state, seen[0], side, by), what
        else:
            assert seen == (state, 0), what


@pytest.mark.parametrize("state", list(BookingState))
def test_allocations_live_as_long_as_the_booking(state):
    booking = make_booking(state=state)
    assert booking.is_live == (state in LIVE_STATES)
    assert [allocation.is_live for allocation in booking.allocations.all()] == [booking.is_live]


def test_table_covers_every_state_and_final_states_lead_nowhere():
    assert {t.target for t in TRANSITIONS} == set(BookingState)
    out = {(t.action, t.source, side) for t in TRANSITIONS if t.source in FINAL_STATES for side in t.sides}
    assert out == {(Action.REVIVE, BookingState.CANCELLED, Side.SYSTEM)}  # paid too late, and the time is still free


def test_table_is_read_by_two_questions():
    assert sources(Action.CANCEL, Side.OWNER) == {"held", "pending", "confirmed"}
    assert sources(Action.CANCEL, Side.PROVIDER) == {"pending", "confirmed"}
    assert is_allowed("accept", "pending", "confirmed", "provider")
    assert not is_allowed("accept", "pending", "confirmed", "owner")


class TestAccept:
    def test_leaves_no_due_time(self):
        booking = make_booking(state="pending")
        lifecycle.accept(booking, by=manager_of(booking), now=NOW)
        assert (booking.state, booking.due_at, booking.sequence) == ("confirmed", None, 1)

    def test_too_late(self):
        booking = make_booking(state="pending")
        with pytest.raises(InvalidTransition) as error:
            lifecycle.accept(booking, by=manager_of(booking), now=booking.due_at)
        assert error.value.code == "request_expired"

    def test_suspended_provider_cannot(self):
        booking = make_booking(state="pending")
        applications.suspend(booking.provider, by=None, reason="Look again.", now=NOW)
        with pytest.raises(DomainError) as error:
            lifecycle.accept(booking, by=manager_of(booking), now=NOW)
        assert error.value.code == "provider_unavailable"

    def test_staff_of_the_team_may_and_strangers_may_not(self):
        booking = make_booking(state="pending")
        helper = UserFactory()
        team.add(booking.provider, email=helper.email, role="staff", by=manager_of(booking))
        with pytest.raises(NotAllowed):
            lifecycle.accept(booking, by=UserFactory(), now=NOW)
        assert lifecycle.accept(booking, by=helper, now=NOW).state == "confirmed"

    def test_manager_may_accept_an_own_booking(self):
        manager = UserFactory()
        service = make_service(make_branch(make_provider(manager)))
        booking = make_booking(service, state="pending", owner=manager)
        assert lifecycle.accept(booking, by=manager, now=NOW).state == "confirmed"


class TestDecline:
    @pytest.mark.parametrize("reason", ["", "   "])
    def test_needs_a_reason(self, reason):
        booking = make_booking(state="pending")
        with pytest.raises(InvalidInput) as error:
            lifecycle.decline(booking, by=manager_of(booking), now=NOW, reason=reason)
        assert (error.value.code, list(error.value.fields)) == ("reason_required", ["reason"])

    def test_reason_is_kept_and_nothing_is_owed(self):
        booking = make_booking(state="declined")
        event = last(booking)
        assert (event.reason, event.detail) == ("No room.", {"refund": 2500, "kept": 0, "currency": "EUR"})
        assert (booking.invoice.state, booking.due_at) == ("void", None)

    def test_reason_is_not_a_novel(self):
        booking = make_booking(state="pending")
        with pytest.raises(InvalidInput) as error:
            lifecycle.decline(booking, by=manager_of(booking), now=NOW, reason="x" * 1001)
        assert error.value.fields == {"reason": ["At most 1000 characters, this has 1001."]}


class TestCancel:
    """The booking is tomorrow at 15:00: free until today at noon, which is in three hours."""

    def test_owner_in_time_owes_nothing(self):
        booking = make_booking()
        lifecycle.cancel(booking, by=booking.owner, now=NOW, reason="Ill.")
        assert (booking.state, booking.cancel_reason, booking.invoice.state) == ("cancelled", "by_owner", "void")
        assert (last(booking).reason, last(booking).detail) == ("Ill.", {"refund": 2500, "kept": 0, "currency": "EUR"})

    def test_owner_who_is_late_owes_half(self):
        booking = make_booking()
        lifecycle.cancel(booking, by=booking.owner, now=NOW + 3 * HOUR)
        assert last(booking).detail == {"refund": 1250, "kept": 1250, "currency": "EUR"}
        assert (booking.invoice.state, booking.invoice.total) == ("open", 1250)
        assert [(line.kind, line.description, line.amount) for line in booking.invoice.lines.all()][1:] == [
            ("refund", "Cancelled by the owner", -1250)
        ]

    @pytest.mark.parametrize(("side", "cause"), [(Side.PROVIDER, "by_provider"), (Side.STAFF, "by_staff")])
    def test_anybody_else_gives_everything_back(self, side, cause):
        booking = make_booking()
        lifecycle.cancel(booking, by=actor(booking, side), now=NOW + 20 * HOUR)
        assert (booking.cancel_reason, booking.invoice.state) == (cause, "void")

    def test_hold_is_given_up_without_an_invoice(self):
        booking = make_booking(state="held")
        lifecycle.cancel(booking, by=booking.owner, now=NOW)
        assert (booking.state, booking.invoice, last(booking).detail) == ("cancelled", None, {})

    def test_time_is_free_again(self):
        booking = make_booking()
        lifecycle.cancel(booking, by=booking.owner, now=NOW)
        assert make_booking(booking.service).starts_at == booking.starts_at


class TestVisit:
    @pytest.mark.parametrize(("early", "is_possible"), [(HOUR, True), (HOUR + dt.timedelta(seconds=1), False)])
    def test_starts_an_hour_early_at_most(self, early, is_possible):
        booking = make_booking()
        act = lambda: lifecycle.start(booking, by=manager_of(booking), now=booking.starts_at - early)  # noqa: E731
        if is_possible:
            assert act().due_at == booking.ends_at + dt.timedelta(days=2)
        else:
            with pytest.raises(DomainError) as error:
                act()
            assert error.value.code == "too_early"

    def test_completing_settles_the_invoice(self):
        booking = make_booking(state="completed")
        assert (booking.state, booking.due_at) == ("completed", None)
        assert (booking.invoice.state, booking.invoice.paid_at) == ("paid", booking.ends_at)

    def test_system_completes_only_what_is_due(self):
        booking = make_booking(state="in_progress")
        with pytest.raises(InvalidTransition) as error:
            lifecycle.complete(booking, by=None, now=booking.due_at - dt.timedelta(seconds=1))
        assert error.value.code == "not_due"
        lifecycle.complete(booking, by=None, now=booking.due_at)
        assert (booking.state, last(booking).side, last(booking).by) == ("completed", "system", None)

    def test_no_show_can_be_reported_from_the_start_on(self):
        booking = make_booking()
        by = manager_of(booking)
        with pytest.raises(DomainError) as error:
            lifecycle.report_no_show(booking, by=by, now=booking.starts_at - dt.timedelta(seconds=1))
        assert error.value.code == "too_early"
        lifecycle.report_no_show(booking, by=by, now=booking.starts_at)
        assert (booking.invoice.total, last(booking).detail["kept"]) == (1250, 1250)


class TestExpire:
    @pytest.mark.parametrize(("state", "cause"), [("held", "hold_expired"), ("pending", "request_expired")])
    def test_at_its_due_time(self, state, cause):
        booking = make_booking(state=state)
        with pytest.raises(InvalidTransition) as error:
            lifecycle.expire(booking, now=booking.due_at - dt.timedelta(seconds=1))
        assert error.value.code == "not_due"
        lifecycle.expire(booking, now=booking.due_at)
        assert (booking.state, booking.cancel_reason, last(booking).side) == ("cancelled", cause, "system")

    def test_request_that_was_forgotten_needs_no_due_time(self):
        booking = make_booking(state="pending")
        Booking.objects.update(due_at=NOW + dt.timedelta(days=400))
        lifecycle.expire(booking, now=booking.starts_at + dt.timedelta(hours=24))
        assert (booking.state, booking.invoice.state) == ("cancelled", "void")

    def test_confirmed_booking_does_not(self):
        with pytest.raises(InvalidTransition):
            lifecycle.expire(make_booking(), now=NOW + dt.timedelta(days=9))


class TestPermissions:
    def test_sides(self):
        booking, staff = make_booking(), StaffFactory()
        manager = manager_of(booking)
        assert permissions.side_of(booking.owner, booking) == Side.OWNER
        assert permissions.side_of(manager, booking) == Side.PROVIDER
        assert permissions.side_of(staff, booking) == Side.STAFF
        assert permissions.side_of(UserFactory(), booking) is None

    def test_anonymous_visitor_has_no_side(self):
        from django.contrib.auth.models import AnonymousUser

        assert permissions.sides_of(AnonymousUser(), make_booking()) == ()

    def test_hold_is_not_the_providers_business(self):
        booking = make_booking(state="held")
        assert permissions.side_of(manager_of(booking), booking) is None

    @pytest.mark.parametrize(
        ("state", "side", "offset", "expected"),
        [
            ("held", Side.OWNER, 0, ["place", "cancel"]),
            ("pending", Side.OWNER, 0, ["cancel", "reschedule"]),
            ("pending", Side.PROVIDER, 0, ["accept", "decline", "cancel", "reschedule"]),
            ("pending", Side.STAFF, 0, ["cancel", "reschedule"]),
            ("confirmed", Side.OWNER, 0, ["cancel", "reschedule", "coming"]),
            ("confirmed", Side.OWNER, 31, ["cancel"]),
            ("confirmed", Side.PROVIDER, 0, ["cancel", "reschedule"]),
            ("confirmed", Side.PROVIDER, 29, ["cancel", "reschedule", "start"]),
            ("confirmed", Side.PROVIDER, 30, ["cancel", "reschedule", "start", "no_show"]),
            ("in_progress", Side.PROVIDER, 30, ["complete"]),
            ("in_progress", Side.OWNER, 30, []),
            ("completed", Side.PROVIDER, 31, []),
            ("cancelled", Side.OWNER, 0, []),
        ],
    )
    def test_allowed_actions_follow_table_and_clock(self, state, side, offset, expected):
        booking = make_booking(state=state)
        now = NOW + offset * HOUR
        assert permissions.allowed_actions(actor(booking, side), booking, now=now) == expected

    @pytest.mark.parametrize("state", ["held", "pending"])
    def test_what_has_run_out_cannot_be_taken_further(self, state):
        booking = make_booking(state=state)
        by = booking.owner if state == "held" else manager_of(booking)
        allowed = permissions.allowed_actions(by, booking, now=booking.due_at)
        assert Action.PLACE not in allowed
        assert Action.ACCEPT not in allowed

    @pytest.mark.parametrize(
        ("predicate", "expected"),
        [
            ("can_view", [True, True, True, False]),
            ("can_place", [True, False, False, False]),
            ("can_accept", [False, True, False, False]),
            ("can_decline", [False, True, False, False]),
            ("can_cancel", [True, True, True, False]),
            ("can_reschedule", [True, True, True, False]),
            ("can_start", [False, True, False, False]),
            ("can_complete", [False, True, False, False]),
            ("can_report_no_show", [False, True, False, False]),
        ],
    )
    def test_predicates(self, predicate, expected):
        booking = make_booking(state="pending")
        people = [booking.owner, manager_of(booking), StaffFactory(), UserFactory()]
        assert [getattr(permissions, predicate)(person, booking) for person in people] == expected
