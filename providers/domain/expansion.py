"""Local opening rules to instants, for every resource, in this one place.

How the clock's two odd nights are read (docs/adr/0002-open-hours-are-expanded.md):

* Hours that touch, in one day or over midnight, are one span before anything is converted: a resource that is always
  there has no seam, and its days have 23 or 25 real hours when the clock changes.
* A span opens the first time that the clock shows its opening time. When that time does not exist, it opens with the
  first instant after the gap.
* It closes when the clock has run for the first time through the last moment before its closing time. So an hour that
  does not exist is skipped, and one that comes twice counts once (01:00-02:00 in New York's autumn night is one real
  hour), while a longer span simply runs through both (00:00-06:00 is seven).
"""

import logging
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import OperationalError, transaction
from psycopg.types.range import TimestamptzRange

from providers.models import Branch, DateOverride, OpenHours, Resource, WeeklyHours

logger = logging.getLogger(__name__)

Span = tuple[datetime, datetime]
MOMENT = timedelta(microseconds=1)


def first_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which clocks in ``zone`` show ``local`` or, if they skip it, a later time."""
    early = local.replace(tzinfo=zone, fold=0)
    late = local.replace(tzinfo=zone, fold=1)
    before, after = early.utcoffset(), late.utcoffset()
    assert before is not None  # every IANA zone has offsets
    assert after is not None
    if before >= after:  # an ordinary time, or the first of two
        return early.astimezone(UTC)
    # In a gap the two readings are on both sides of the change: find it.
    low, high = (local - after).replace(tzinfo=UTC), (local - before).replace(tzinfo=UTC)
    while high - low > MOMENT:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return high


def closing_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which a span that ends at ``local`` ends: see the module's text."""
    last = local - MOMENT
    early, late = last.replace(tzinfo=zone, fold=0), last.replace(tzinfo=zone, fold=1)
    if (early.utcoffset() or timedelta()) > (late.utcoffset() or timedelta()):  # the last moment comes twice
        return early.astimezone(UTC) + MOMENT
    return first_instant(local, zone)


def _local_spans(
    weekly: Iterable[WeeklyHours], overrides: Iterable[DateOverride], first: date, last: date
) -> Iterator[tuple[datetime, datetime]]:
    """Yield merged local spans of the days from ``first`` to ``last``, ascending."""
    by_weekday: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for hours in weekly:
        by_weekday[hours.weekday].append((hours.opens, hours.closes))
    by_date: dict[date, list[tuple[int, int]]] = {}
    for override in overrides:
        spans = by_date.setdefault(override.on, [])
        if override.opens is not None and override.closes is not None:
            spans.append((override.opens, override.closes))
    start = end = None
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 (local wall time, converted later)
        for opens, closes in sorted(by_date.get(day, by_weekday[day.weekday()])):
            span_start, span_end = midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)
            if end is not None and span_start <= end:
                end = max(end, span_end)
                continue
            if start is not None and end is not None:
                yield start, end
            start, end = span_start, span_end
    if start is not None and end is not None:
        yield start, end


def spans(
    zone: ZoneInfo,
    *,
    weekly: Iterable[WeeklyHours],
    overrides: Iterable[DateOverride],
    time_off: Iterable[Span],
    first: date,
    last: date,
) -> list[Span]:
    """Return the open spans (UTC, disjoint, ascending, not touching) of local days ``first`` to ``last``. Pure."""
    opened: list[Span] = []
    for local_start, local_end in _local_spans(weekly, overrides, first, last):
        start, end = first_instant(local_start, zone), closing_instant(local_end, zone)
        if start >= end:
            continue  # wholly in a gap
        if opened and start <= opened[-1][1]:
            opened[-1] = (opened[-1][0], max(opened[-1][1], end))
        else:
            opened.append((start, end))
    return _without(opened, sorted(time_off))


def _without(opened: list[Span], away: list[Span]) -> list[Span]:
    """Return ``opened`` minus ``away`` (both ascending)."""
    if not away:
        return opened
    ends = [end for _, end in away]
    left: list[Span] = []
    for start, end in opened:
        at = start
        for off_start, off_end in away[bisect_right(ends, at) :]:
            if off_start >= end:
                break
            if off_start > at:
                left.append((at, off_start))
            at = max(at, off_end)
        if at < end:
            left.append((at, end))
    return left


def last_day(today: date) -> date:
    return today + timedelta(days=settings.OPEN_HOURS_HORIZON_DAYS)


def expand(resource: Resource, *, today: date, since: date | None = None) -> list[Span]:
    """Return the open hours of ``resource`` from ``since`` (default: the day before ``today``) to the horizon.

    Reads its rules only.
    """
    return spans(
        resource.branch.zone,
        weekly=resource.weekly_hours.all(),
        overrides=resource.overrides.all(),
        time_off=[(off.during.lower, off.during.upper) for off in resource.time_off.all()],
        first=since or today - timedelta(days=1),
        last=last_day(today),
    )


_postponed: ContextVar[set[int] | None] = ContextVar("postponed", default=None)


@contextmanager
def postponed(*, now: datetime, since: date | None = None) -> Iterator[None]:
    """Refresh once, at the end, each resource whose rules change inside: for bulk loads in one transaction."""
    touched: set[int] = set()
    token = _postponed.set(touched)
    try:
        yield
    finally:
        _postponed.reset(token)
    for resource in Resource.objects.filter(pk__in=touched).order_by("pk"):
        refresh(resource, now=now, since=since)


@transaction.atomic
def refresh(resource: Resource, *, now: datetime, since: date | None = None) -> None:
    """Write the open hours of ``resource`` anew.

    Locks the resource's row first, as a reservation does: a rule that changes meanwhile is either seen whole or comes
    after. Rules are read again under the lock.
    """
    if (touched := _postponed.get()) is not None:
        touched.add(resource.pk)
        return
    locked = Resource.objects.select_for_update(no_key=True, of=("self",)).select_related("branch").get(pk=resource.pk)
    today = now.astimezone(locked.branch.zone).date()
    row = OpenHours(
        resource=locked,
        open=[TimestamptzRange(*span) for span in expand(locked, today=today, since=since)],
        expanded_until=last_day(today),
    )
    OpenHours.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["resource"], update_fields=["open", "expanded_until"]
    )


def refresh_branch(branch: Branch, *, now: datetime) -> None:
    """Refresh every resource of a branch (its time zone changed), in ascending id order."""
    for resource in Resource.objects.filter(branch=branch).order_by("pk"):
        refresh(resource, now=now)


def extend_all(now: datetime) -> int:
    """Bring every resource up to the horizon, each in its own transaction; one bad row does not stop the rest.

    Returns how many were extended.
    """
    horizon = last_day((now - timedelta(days=1)).date())  # the day before, so that no zone counts as behind by hours
    behind = (
        Resource.objects.exclude(open_hours__expanded_until__gt=horizon).order_by("pk").values_list("pk", flat=True)
    )
    count = 0
    for pk in list(behind):
        resource = Resource.objects.filter(pk=pk).first()
        if resource is None:
            continue
        try:
            refresh(resource, now=now)
        except OperationalError:
            raise  # the database is away or busy: the next run finds what is left
        except Exception:
            logger.exception("Could not expand the open hours of resource %s", pk)
        else:
            count += 1
    return count
