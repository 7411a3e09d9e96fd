"""Two dozen people book at the same moment. There are exactly as many bookings as there are places."""

import datetime as dt
import functools
import itertools

import pytest
from django.db import IntegrityError, connection

from bookings.domain import reservation
from bookings.models import Allocation, Booking
from tests.factories import manager_of
from tests.races.burst import SIZE, ForkedCrew
from tests.races.world import World


def book(world, service, start):
    """Return an attempt for each owner."""
    return [
        functools.partial(reservation.book, quote, by=quote.owner, now=world.now)
        for quote in world.quotes(service, start)
    ]


def hit_rate(overlapping, slots):
    return f"{overlapping} of {slots} slots doubled ({100 * overlapping // slots} %)"


def test_one_place(slots, host, report):
    world = World.build(SIZE)
    world.resource("table")
    service = world.service(["table"])
    with ForkedCrew(host=host) as crew:
        for start in world.starts(slots):
            tally = crew.burst(book(world, service, start))
            report.add(tally)
            assert tally.counts == {"won": 1, "slot_taken": SIZE - 1}
    assert report.won == slots == Allocation.objects.filter(is_live=True).count()


def test_staff_and_table_together(slots, host, report):
    """The losers take neither: the two are held by the same booking every time."""
    world = World.build(SIZE)
    world.branch.resources.update(is_active=False)
    world.resource("person")
    world.resource("table")
    service = world.service(["person", "table"], kind="grooming")
    with ForkedCrew(host=host) as crew:
        for start in world.starts(slots):
            tally = crew.burst(book(world, service, start))
            report.add(tally)
            assert tally.counts == {"won": 1, "slot_taken": SIZE - 1}
    assert report.won == slots
    assert Allocation.objects.filter(is_live=True).count() == 2 * slots


def test_partial_overlaps(slots, host, report):
    """10:00-11:00, 10:30-11:30, 11:00-12:00 and 10:55-11:55 in one burst: those that won do not touch each other."""
    world = World.build(SIZE)
    world.resource("table")
    service = world.service(["table"], slot_step_minutes=5)
    offsets = [dt.timedelta(minutes=minutes) for minutes in (0, 30, 60, 55)]
    with ForkedCrew(host=host) as crew:
        for start in world.starts(slots, hours=4):
            rows = [book(world, service, start + offset) for offset in offsets]
            tally = crew.burst([rows[index % 4][index] for index in range(SIZE)])
            report.add(tally)
            spans = sorted((booking.starts_at, booking.ends_at) for booking in tally.winners)
            assert len(spans) in (1, 2)
            assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(spans))


def test_opposite_orders(slots, host, report):
    """Two services take the same two resources and name them in opposite orders."""
    world = World.build(SIZE)
    world.branch.resources.update(is_active=False)
    world.resource("table")
    world.resource("person")
    there = world.service(["person", "table"], kind="grooming")
    back = world.service(["table", "person"], kind="grooming")
    with ForkedCrew(host=host) as crew:
        for start in world.starts(slots):
            attempts = zip(book(world, there, start), book(world, back, start), strict=True)
            tally = crew.burst([pair[index % 2] for index, pair in enumerate(attempts)])
            report.add(tally)
            assert tally.counts == {"won": 1, "slot_taken": SIZE - 1}
    assert report.won == slots


def test_daycare_with_four_places(slots, host, report):
    world = World.build(SIZE)
    for _ in range(4):
        world.resource("kennel")
    service = world.service(["kennel"], kind="daycare")
    with ForkedCrew(host=host) as crew:
        for start in world.starts(slots):
            tally = crew.burst(book(world, service, start))
            report.add(tally)
            assert tally.counts == {"won": 4, "slot_taken": SIZE - 4}
    assert report.won == 4 * slots


def test_one_owner_with_many_windows(host, report):
    """The same pet, at the same time, at eight different places: it can be at one."""
    world = World.build(1)
    for _ in range(8):
        world.resource("kennel")
    service = world.service(["kennel"], kind="daycare")
    with ForkedCrew(host=host) as crew:
        for start in world.starts(5):
            attempts = [attempt for _ in range(8) for attempt in book(world, service, start)]
            tally = crew.burst(attempts)
            report.add(tally, ["pet_booked_then"])
            assert tally.counts == {"won": 1, "pet_booked_then": 7}


def test_open_holds_are_limited(host, report, settings):
    world = World.build(1)
    world.resource("kennel")
    service = world.service(["kennel"], kind="daycare")
    quotes = [world.quotes(service, start)[0] for start in world.starts(8)]
    with ForkedCrew(host=host) as crew:
        tally = crew.burst(
            [functools.partial(reservation.hold, quote, by=quote.owner, now=world.now) for quote in quotes]
        )
        report.add(tally, ["too_many_holds"])
    assert tally.counts == {"won": settings.OPEN_HOLDS_PER_OWNER, "too_many_holds": 5}


def test_raw_insert_that_overlaps_is_refused(report):
    world = World.build(1)
    world.resource("table")
    booking = book(world, world.service(["table"]), world.starts(1)[0])[0]()
    with pytest.raises(IntegrityError, match="allocation_no_overlap"), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bookings_allocation (booking_id, resource_id, during, is_live)"
            " SELECT booking_id, resource_id, tstzrange(upper(during) - interval '1 s', upper(during) + '1 h'), true"
            " FROM bookings_allocation WHERE booking_id = %s",
            [booking.pk],
        )


def test_live_bookings_of_the_losers_do_not_exist(report):
    """A refused attempt leaves nothing behind: no booking, no allocation, no event."""
    world = World.build(SIZE)
    world.resource("table")
    service = world.service(["table"])
    with ForkedCrew() as crew:
        tally = crew.burst(book(world, service, world.starts(1)[0]))
        report.add(tally)
    booking = Booking.objects.get()
    assert tally.winners == [booking]
    assert manager_of(booking) == world.manager
    assert list(booking.events.values_list("action", flat=True)) == ["hold", "place"]


@pytest.mark.control
@pytest.mark.usefixtures("without_constraint")
def test_control_without_constraint_and_locks(control_host, report):
    """Check, then write, with nothing else: this is what the races above must be able to see."""
    world = World.build(SIZE)
    world.resource("table")
    service = world.service(["table"])
    slots = 10
    doubled = 0
    with ForkedCrew(host=control_host) as crew:
        for start in world.starts(slots):
            tally = crew.burst(book(world, service, start))
            report.add(tally)
            doubled += tally.counts["won"] > 1
    report.name += f": {hit_rate(doubled, slots)}"
    assert doubled >= slots // 2
