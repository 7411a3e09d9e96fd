"""From what people ask for to the instants that are booked. Local clocks are read here and nowhere else.

Lengths are counted in UTC: subtracting two times of one zone gives the difference of the clocks, which is an hour
wrong across a clock change.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from petplace.errors import InvalidInput
from providers.models import Service

Span = tuple[datetime, datetime]


def for_timed(service: Service, start: datetime) -> Span:
    """Return the span of a timed service that begins at ``start``: so many real minutes, whatever the clock does."""
    start = start.astimezone(UTC)
    return start, start + timedelta(minutes=service.duration_minutes or 0)


def for_stay(service: Service, check_in: date, check_out: date) -> Span:
    """Return the span of an overnight service from local check-in to local check-out."""
    zone = service.branch.zone
    return at(check_in, service.check_in, zone), at(check_out, service.check_out, zone)


def for_request(service: Service, starts_at: datetime, ends_at: datetime | None) -> Span:
    """Return what is booked when a client asks for ``starts_at`` (and ``ends_at``). Raises InvalidInput.

    A stay is what was asked, over one local midnight at least (``for_stay`` gives the usual times of its dates). A
    timed service lasts what it lasts: ``ends_at`` may be left out, and may not be later than its end.
    """
    if ends_at is not None and ends_at <= starts_at:
        raise _invalid("end_before_start", "The end must be after the start.")
    if not service.is_overnight:
        span = for_timed(service, starts_at)
        if ends_at is not None and ends_at > span[1]:
            raise _invalid("wrong_length", f"This service lasts {service.duration_minutes} minutes.")
        return span
    if ends_at is None:
        raise _invalid("end_missing", "Say when the stay ends.")
    if nights(starts_at, ends_at, service.branch.zone) < 1:
        raise _invalid("no_night", "A stay has at least one night.")
    return starts_at.astimezone(UTC), ends_at.astimezone(UTC)


def _invalid(code: str, message: str) -> InvalidInput:
    return InvalidInput(message, code=code, fields={"end": [message]})


def nights(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """Count the local nights between two instants; one of 23 or 25 hours is one night."""
    return (end.astimezone(zone).date() - start.astimezone(zone).date()).days


def night_dates(start: datetime, end: datetime, zone: ZoneInfo) -> list[date]:
    """Return the local dates on which the nights begin."""
    first = start.astimezone(zone).date()
    return [first + timedelta(days=index) for index in range(nights(start, end, zone))]


def taken(service: Service, start: datetime, end: datetime) -> Span:
    """Return the span that the resources are kept for: the buffers before and after are in it."""
    return (
        start - timedelta(minutes=service.buffer_before_minutes),
        end + timedelta(minutes=service.buffer_after_minutes),
    )


def at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Return the UTC instant at which the clock of ``zone`` shows this date and time.

    A time that does not exist becomes the first instant after the gap; of a time that comes twice the first is taken.
    """
    local = datetime.combine(day, clock, tzinfo=zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # In a gap fold=0 counts by the offset before it: the instant lies as far behind the gap's end as the clock time
    # lies behind its start.
    before = local.replace(fold=0).utcoffset() or timedelta()
    after = local.replace(fold=1).utcoffset() or timedelta()
    return _gap_end(instant - (after - before), instant, zone)


def _gap_end(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """Find the instant of the change between two instants that lie on its two sides, to the second."""
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high.replace(microsecond=0)


def local_day(moment: datetime, zone: ZoneInfo) -> Span:
    """Return the instants at which the local day of ``moment`` begins and ends."""
    day = moment.astimezone(zone).date()
    return at(day, time(0), zone), at(day + timedelta(days=1), time(0), zone)
