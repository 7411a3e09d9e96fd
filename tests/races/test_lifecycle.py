"""Two dozen steps on one booking at the same moment: exactly one is taken, and everything agrees with it."""

import datetime as dt
import functools

import pytest

from bookings.domain import lifecycle, reschedule, reservation, sweeps
from bookings.models import Allocation, Booking
from petplace.errors import DomainError
from providers.domain import hours
from tests.races.burst import SIZE, ForkedCrew
from tests.races.conftest import ASKED
from tests.races.world import HOUR, World

LOST = ["invalid_transition", "not_due", "request_expired"]
BOOKINGS = ASKED or 5
CONTROLS = 4


@pytest.fixture
def requests_():
    """A world with requests that are waiting for an answer, two hours apart."""
    world = World.build(1)
    world.resource("table")
    service = world.service(["table"], is_instant=False)
    made = []
    for start in world.starts(BOOKINGS):
        quote = world.quotes(service, start)[0]
        made.append(reservation.book(quote, by=quote.owner, now=world.now))
    return world, made


def step(act, booking, **arguments):
    """Return an attempt with an instance of its own, as each request of a server has."""
    return functools.partial(_find_and, act, booking.pk, **arguments)


def _find_and(act, pk, **arguments):
    return act(Booking.objects.select_related("service__branch", "provider").get(pk=pk), **arguments)


def test_accept_against_accept(requests_, host, report):
    world, bookings = requests_
    with ForkedCrew(host=host) as crew:
        for booking in bookings:
            tally = crew.burst([step(lifecycle.accept, booking, by=world.manager, now=world.now)] * SIZE)
            report.add(tally, LOST)
            assert tally.counts == {"won": 1, "invalid_transition": SIZE - 1}
            assert booking.events.filter(action="accept").count() == 1


def test_accept_decline_cancel_expire(requests_, host, report):
    """The expiry comes at the due time, when accepting is over; the other three compete a second before it."""
    world, bookings = requests_
    with ForkedCrew(host=host) as crew:
        for booking in bookings:
            before = booking.due_at - dt.timedelta(seconds=1)
            attempts = [
                step(lifecycle.accept, booking, by=world.manager, now=before),
                step(lifecycle.decline, booking, by=world.manager, now=before, reason="No room."),
                step(lifecycle.expire, booking, now=booking.due_at),
                step(lifecycle.cancel, booking, by=world.manager, now=before),
            ]
            tally = crew.burst(attempts * (SIZE // 4))
            report.add(tally, LOST)
            booking.refresh_from_db()
            actions = list(booking.events.values_list("action", flat=True))[2:]
            # An accepted booking can still be cancelled by one of those that come after.
            assert actions in (["accept"], ["decline"], ["expire"], ["cancel"], ["accept", "cancel"])
            assert tally.counts["won"] == len(actions)
            assert booking.is_live == (actions == ["accept"])


def test_four_sweeps_at_once(requests_, host, report):
    _, bookings = requests_
    due = max(booking.due_at for booking in bookings)
    with ForkedCrew(4, host=host) as crew:
        tally = crew.burst([functools.partial(sweeps.process_due, due)] * 4)
    report.add(tally, timed=False)
    assert sum(done.expired for done in tally.results) == BOOKINGS
    assert sum(done.failed for done in tally.results) == 0
    assert set(Booking.objects.values_list("state", flat=True)) == {"cancelled"}
    assert [booking.events.filter(action="expire").count() for booking in bookings] == [1] * BOOKINGS


@pytest.mark.parametrize("places", [1, 2])
def test_moves_that_swap(places, host, report):
    """A wants the time of B, B that of A, and somebody new wants one of them: nobody overlaps, nobody hangs.

    With one place each is in the other's way; with two there is room to pass.
    """
    world = World.build(3)
    for _ in range(places):
        world.resource("table")
    service = world.service(["table"])
    with ForkedCrew(3, host=host) as crew:
        for start in world.starts(BOOKINGS, hours=4):
            first, second = (world.quotes(service, start + offset * HOUR) for offset in (0, 1))
            a = reservation.book(first[0], by=world.owners[0], now=world.now)
            b = reservation.book(second[1], by=world.owners[1], now=world.now)
            tally = crew.burst(
                [
                    step(reschedule.move, a, by=a.owner, starts_at=b.starts_at, now=world.now),
                    step(reschedule.move, b, by=b.owner, starts_at=a.starts_at, now=world.now),
                    functools.partial(reservation.book, first[2], by=world.owners[2], now=world.now),
                ]
            )
            report.add(tally)
            for booking in (a, b):
                booking.refresh_from_db()
            live = Allocation.objects.filter(is_live=True, during__overlap=(start, start + 2 * HOUR))
            assert live.count() == 2 + (tally.outcomes[2] == "won")
            if places == 1:
                assert tally.counts == {"slot_taken": 3}
            else:
                # The later time holds both. At the earlier one B and the newcomer want what A leaves free.
                assert tally.outcomes[0] == "won"
                assert tally.counts["won"] >= 2


def test_moves_to_one_place(host, report):
    world = World.build(SIZE)
    world.branch.resources.update(is_active=False)
    for _ in range(SIZE):
        world.resource("kennel")
    service = world.service(["kennel"], kind="daycare")
    first, *others = world.starts(1 + (ASKED or 4))
    bookings = [reservation.book(q, by=q.owner, now=world.now) for q in world.quotes(service, first)]
    world.branch.resources.exclude(pk=world.branch.resources.filter(is_active=True).first().pk).update(is_active=False)
    with ForkedCrew(host=host) as crew:
        for start in others:
            tally = crew.burst(
                [step(reschedule.move, one, by=one.owner, starts_at=start, now=world.now) for one in bookings]
            )
            report.add(tally)
            assert tally.counts == {"won": 1, "slot_taken": SIZE - 1}


def test_time_off_against_booking(host, report):
    """One of the two is refused, whichever was second."""
    world = World.build(1)
    table = world.resource("table")
    service = world.service(["table"])
    with ForkedCrew(2, host=host) as crew:
        for start in world.starts(BOOKINGS):
            quote = world.quotes(service, start)[0]
            off = functools.partial(hours.add_time_off, table, start=start, end=start + HOUR, now=world.now)
            tally = crew.burst([functools.partial(reservation.book, quote, by=quote.owner, now=world.now), off])
            report.add(tally, ["slot_taken", "booked_then"])
            assert sorted(tally.outcomes) in (["slot_taken", "won"], ["booked_then", "won"])


@pytest.mark.control
def test_control_accept_without_locks(requests_, control_host, report, settings):
    settings.DISABLE_BOOKING_LOCKS = True
    world, bookings = requests_
    doubled = 0
    with ForkedCrew(host=control_host) as crew:
        for booking in bookings[:CONTROLS]:
            tally = crew.burst([step(lifecycle.accept, booking, by=world.manager, now=world.now)] * SIZE)
            report.add(tally, LOST)
            doubled += tally.counts["won"] > 1
    report.name += f": {doubled} of {CONTROLS} accepted twice"
    assert doubled >= CONTROLS // 2


def test_closed_hours_are_never_booked(report):
    """The raw form of the rule above, without a race: hours that closed after the quote refuse."""
    world = World.build(1)
    table = world.resource("table")
    quote = world.quotes(world.service(["table"]), world.starts(1)[0])[0]
    hours.add_time_off(table, start=quote.starts_at, end=quote.ends_at, now=world.now)
    with pytest.raises(DomainError) as error:
        reservation.book(quote, by=quote.owner, now=world.now)
    assert error.value.code == "slot_taken"
    assert report.odd == {}
