"""Both change days of the clock, in five zones: notice, deadlines, nights, reminders, prices, lengths.

What counts is the wall clock where the animal is. Real time counts for lengths, notice and the 24 hours of an
appointment. Kolkata never changes and must not notice; Lord Howe moves by half an hour.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from bookings import kinds
from bookings.domain import cancellation, interval, pricing, problems, reservation
from messaging.models import Notification
from tests.factories import PetFactory, make_branch, make_provider, make_quote, make_resource, make_service

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Change:
    zone: str
    day: dt.date
    hours: float  # how long the local day is

    @property
    def info(self):
        return ZoneInfo(self.zone)

    def local(self, days, hour, minute=0):
        """That wall-clock time, so many days from the change day."""
        day = self.day + dt.timedelta(days=days)
        return dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.info)

    def __str__(self):
        return f"{self.zone} {self.day}"


CHANGES = [
    Change("Europe/Berlin", dt.date(2027, 3, 28), 23),
    Change("Europe/Berlin", dt.date(2027, 10, 31), 25),
    Change("America/New_York", dt.date(2027, 3, 14), 23),
    Change("America/New_York", dt.date(2027, 11, 7), 25),
    Change("Australia/Sydney", dt.date(2027, 4, 4), 25),
    Change("Australia/Sydney", dt.date(2027, 10, 3), 23),
    Change("Asia/Kolkata", dt.date(2027, 3, 28), 24),
    Change("Asia/Kolkata", dt.date(2027, 10, 31), 24),
    Change("Australia/Lord_Howe", dt.date(2027, 4, 4), 24.5),
    Change("Australia/Lord_Howe", dt.date(2027, 10, 3), 23.5),
]


@pytest.fixture(params=CHANGES, ids=str)
def change(request):
    return request.param


@pytest.fixture
def now(change):
    return change.local(-10, 9).astimezone(dt.UTC)


@pytest.fixture
def branch(change, now):
    provider = make_provider(cancellation_policy="one_day", appointment_policy="fair", now=now)
    branch = make_branch(provider, time_zone=change.zone, country="", city="Somewhere", now=now)
    make_resource(branch, kind="kennel", now=now)
    return branch


def elapsed(start, end):
    return end.astimezone(dt.UTC) - start.astimezone(dt.UTC)


def test_change_day_is_as_long_as_it_is(change):
    start, end = interval.local_day(change.local(0, 12), change.info)
    assert end - start == change.hours * HOUR


def test_visit_over_the_change_lasts_its_real_minutes(change, branch, now):
    service = make_service(branch, duration_minutes=240, now=now)
    start, end = interval.for_timed(service, change.local(0, 0, 30))
    assert end - start == 4 * HOUR
    shift = dt.timedelta(hours=24) - change.hours * HOUR
    wall = end.astimezone(change.info).replace(tzinfo=None) - start.astimezone(change.info).replace(tzinfo=None)
    assert wall == 4 * HOUR + shift


def test_night_of_any_length_is_one_night_at_one_price(change, branch, now):
    service = make_service(branch, kind="boarding", is_overnight=True, price=3000, now=now)
    first = change.day - DAY
    start, end = interval.for_stay(service, first, change.day)
    assert interval.nights(start, end, change.info) == 1
    assert elapsed(start, end) == 20 * HOUR - (24 - change.hours) * HOUR
    assert pricing.price(service, starts_at=start, ends_at=end, pet_count=1).total == 3000


def test_stay_across_the_change_is_counted_by_dates(change, branch, now):
    service = make_service(branch, kind="boarding", is_overnight=True, price=3000, now=now)
    start, end = interval.for_stay(service, change.day - 2 * DAY, change.day + 2 * DAY)
    assert interval.night_dates(start, end, change.info) == [change.day + dt.timedelta(days=n) for n in (-2, -1, 0, 1)]
    price = pricing.price(service, starts_at=start, ends_at=end, pet_count=1)
    assert (price.total, price.lines[0].quantity) == (12000, 4)
    local = [moment.astimezone(change.info).time() for moment in (start, end)]
    assert local == [service.check_in, service.check_out]


def test_refund_ends_at_noon_by_the_wall_clock(change, branch, now):
    service = make_service(branch, now=now)
    start, end = interval.for_timed(service, change.local(1, 10))
    price = pricing.price(service, starts_at=start, ends_at=end, pet_count=1)
    terms = cancellation.terms(service, branch.provider, start, price)
    deadline = terms.rows[0].until
    assert deadline == change.local(0, 12)
    assert deadline.astimezone(change.info).hour == 12
    # The noon before is the clock's, so the real distance of a visit right after the change is not 22 hours.
    assert elapsed(change.local(-1, 12), change.local(0, 10)) == (22 - 24 + change.hours) * HOUR


def test_late_for_an_appointment_is_24_real_hours(change, branch, now):
    service = make_service(branch, kind="grooming", needs=["person"], now=now)
    start, end = interval.for_timed(service, change.local(0, 15))
    price = pricing.price(service, starts_at=start, ends_at=end, pet_count=1)
    deadline = cancellation.terms(service, branch.provider, start, price).rows[0].until
    assert elapsed(deadline, start) == 24 * HOUR
    # By the wall clock of the day before, that is an hour (or half an hour) off.
    assert elapsed(change.local(-1, 15), start) == change.hours * HOUR


def test_notice_is_real_time(change, branch, now):
    service = make_service(branch, minimum_notice_minutes=24 * 60, slot_step_minutes=5, now=now)
    start = change.local(0, 15)
    asked = start.astimezone(dt.UTC) - 24 * HOUR
    assert problems.time(service, starts_at=start, now=asked) == []
    late = problems.time(service, starts_at=start, now=asked + dt.timedelta(seconds=1))
    assert [problem.code for problem in late] == ["too_soon"]


def test_window_ends_with_a_local_date(change, branch, now):
    service = make_service(branch, maximum_advance_days=10, now=now)
    assert problems.time(service, starts_at=change.local(0, 23, 30), now=now) == []
    beyond = problems.time(service, starts_at=change.local(1, 0), now=now)
    assert [problem.code for problem in beyond] == ["too_far_ahead"]


def test_reminders_are_real_hours_before_the_start(change, branch, now):
    service = make_service(branch, is_instant=True, now=now)
    start = change.local(1, 10)
    quote = make_quote(service, starts_at=start, now=now)
    reservation.book(quote, by=quote.owner, now=now)
    reminders = Notification.objects.filter(kind__in=(kinds.REMINDER, kinds.REMINDER_SOON))
    due = sorted(reminders.values_list("due_at", flat=True))
    assert [elapsed(moment, start) for moment in due] == [48 * HOUR, 3 * HOUR]
    assert all(f"10:00 ({change.zone})" in one.body for one in reminders)


def test_start_times_are_on_the_step_of_the_wall_clock(change, branch, now):
    service = make_service(branch, slot_step_minutes=30, now=now)
    for days in (-1, 0, 1):
        assert problems.time(service, starts_at=change.local(days, 15, 30), now=now) == []
        off = problems.time(service, starts_at=change.local(days, 15, 45), now=now)
        assert [problem.code for problem in off] == ["off_step"]


def test_same_wall_clock_time_can_be_booked_every_day_around_the_change(change, branch, now):
    service = make_service(branch, kind="daycare", needs=["kennel"], is_instant=True, now=now)
    for days in (-1, 0, 1):
        quote = make_quote(service, starts_at=change.local(days, 13), now=now)
        booking = reservation.book(quote, by=quote.owner, now=now)
        assert booking.starts_at.astimezone(change.info).hour == 13


@pytest.mark.parametrize("one", [change for change in CHANGES if change.hours > 24], ids=str)
def test_hour_that_comes_twice_is_two_hours(one):
    """Both 01:30 (02:30 in Berlin) can be booked, one after the other."""
    now = one.local(-10, 9).astimezone(dt.UTC)
    branch = make_branch(make_provider(now=now), time_zone=one.zone, country="", city="Somewhere", now=now)
    make_resource(branch, kind="kennel", now=now)
    service = make_service(branch, kind="daycare", needs=["kennel"], is_instant=True, now=now)
    hour = 2 if "Berlin" in one.zone or "Sydney" in one.zone else 1
    wall = one.local(0, hour, 30)
    starts = [wall.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
    assert starts[1] - starts[0] == (one.hours - 24) * HOUR
    owner_pets = [PetFactory(), PetFactory()]
    for start, pet in zip(starts, owner_pets, strict=True):
        quote = make_quote(service, owner=pet.owner, pets=[pet], starts_at=start, now=now)
        assert reservation.book(quote, by=quote.owner, now=now).starts_at == start
