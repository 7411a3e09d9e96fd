"""Weekly hours, other hours on a date, and time off.

Every change locks the resource's row (``FOR NO KEY UPDATE``, the lock that a reservation takes), writes the rule and
expands the open hours in the same transaction. Bookings that exist are never touched: closing hours over one keeps it,
time off over one is refused by the guards.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction
from psycopg.types.range import TimestamptzRange

from petplace.errors import DomainError, InvalidInput
from providers.domain import expansion
from providers.models import DateOverride, Resource, TimeOff, WeeklyHours
from providers.models.hours import DAY_MINUTES

MAX_SPANS_A_DAY = 12
MAX_OVERRIDES = 500
MAX_TIME_OFF = 500
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

# Called under the lock before time off is added; one that raises refuses it (bookings: a live booking lies there).
time_off_guards: list[Callable[[Resource, datetime, datetime], None]] = []


@dataclass(frozen=True, slots=True, order=True)
class WeeklySpan:
    """Open on a weekday (Monday is 0) from ``opens`` to ``closes``, minutes after local midnight; 1440 is midnight."""

    weekday: int
    opens: int
    closes: int


ALWAYS = tuple(WeeklySpan(day, 0, DAY_MINUTES) for day in range(7))
WORKING_WEEK = tuple(WeeklySpan(day, 8 * 60, 20 * 60) for day in range(6))  # Monday to Saturday


def lock(resource: Resource) -> Resource:
    """Lock the row of ``resource`` to the end of the transaction and return it fresh."""
    return Resource.objects.select_for_update(no_key=True, of=("self",)).select_related("branch").get(pk=resource.pk)


def check_spans(spans: Iterable[WeeklySpan]) -> list[WeeklySpan]:
    """Return the spans in order, or raise :class:`InvalidInput` that says what is wrong with which day."""
    ordered = sorted(set(spans))
    errors: list[str] = []
    per_day: dict[int, list[WeeklySpan]] = {}
    for span in ordered:
        if not 0 <= span.weekday <= 6:
            errors.append("Weekdays go from 0 (Monday) to 6 (Sunday).")
            continue
        if not 0 <= span.opens < span.closes <= DAY_MINUTES:
            errors.append(f"{DAYS[span.weekday]}: the closing time must be after the opening time.")
            continue
        day = per_day.setdefault(span.weekday, [])
        if day and day[-1].closes > span.opens:
            errors.append(f"{DAYS[span.weekday]}: the hours overlap.")
        day.append(span)
    errors += [
        f"{DAYS[day]}: at most {MAX_SPANS_A_DAY} spans."
        for day, spans_of_day in per_day.items()
        if len(spans_of_day) > MAX_SPANS_A_DAY
    ]
    if errors:
        raise InvalidInput(errors[0], fields={"hours": list(dict.fromkeys(errors))})
    return ordered


@transaction.atomic
def set_weekly(resource: Resource, spans: Iterable[WeeklySpan], *, now: datetime) -> list[WeeklyHours]:
    """Replace the weekly hours of ``resource``."""
    ordered = check_spans(spans)
    locked = lock(resource)
    WeeklyHours.objects.filter(resource=locked).delete()
    rows = WeeklyHours.objects.bulk_create(
        WeeklyHours(resource=locked, weekday=span.weekday, opens=span.opens, closes=span.closes) for span in ordered
    )
    expansion.refresh(locked, now=now)
    return rows


@transaction.atomic
def set_override(
    resource: Resource, *, on: date, spans: Sequence[tuple[int, int]] = (), reason: str = "", now: datetime
) -> list[DateOverride]:
    """Set other hours on the local date ``on``; no spans close the day. Replaces what was set for the date.

    ``spans`` are pairs of minutes after local midnight. Raises :class:`InvalidInput` for a date that is past or beyond
    the horizon.
    """
    locked = lock(resource)
    today = now.astimezone(locked.branch.zone).date()
    if not today <= on <= expansion.last_day(today):
        raise InvalidInput(
            fields={"on": [f"Choose a date from today to {expansion.last_day(today):%B %-d, %Y}."]}, code="out_of_range"
        )
    if len(reason) > 200:
        raise InvalidInput(fields={"reason": ["Use at most 200 characters."]})
    ordered = check_spans(WeeklySpan(on.weekday(), opens, closes) for opens, closes in spans)
    DateOverride.objects.filter(resource=locked, on=on).delete()
    if DateOverride.objects.filter(resource=locked, on__gte=today).count() >= MAX_OVERRIDES:
        raise DomainError("There are too many special dates. Remove some first.", code="too_many")
    rows = DateOverride.objects.bulk_create(
        [DateOverride(resource=locked, on=on, opens=span.opens, closes=span.closes, reason=reason) for span in ordered]
        or [DateOverride(resource=locked, on=on, reason=reason)]
    )
    expansion.refresh(locked, now=now)
    return rows


@transaction.atomic
def remove_override(resource: Resource, *, on: date, now: datetime) -> None:
    """Return to the weekly hours on the local date ``on``. Nothing happens when nothing is set."""
    locked = lock(resource)
    DateOverride.objects.filter(resource=locked, on=on).delete()
    expansion.refresh(locked, now=now)


@transaction.atomic
def add_time_off(resource: Resource, *, start: datetime, end: datetime, reason: str = "", now: datetime) -> TimeOff:
    """Take ``resource`` away from ``start`` to ``end`` (instants).

    Steps: lock the resource; ask the guards (a live booking in the span refuses: ``booked_then``); refuse an overlap
    with other time off; write; expand. A reservation of the same span at the same moment waits for the lock, then
    finds the hours closed; or it was first, and then the guard finds it.
    """
    if end <= start:
        raise InvalidInput(fields={"end": ["The end must be after the start."]})
    if end <= now:
        raise InvalidInput(fields={"end": ["This is in the past."]})
    if end > now + timedelta(days=settings.OPEN_HOURS_HORIZON_DAYS * 2):
        raise InvalidInput(fields={"end": ["This is too far in the future."]})
    if len(reason) > 200:
        raise InvalidInput(fields={"reason": ["Use at most 200 characters."]})
    locked = lock(resource)
    existing = TimeOff.objects.filter(resource=locked)
    if existing.filter(during__overlap=TimestamptzRange(start, end)).exists():
        raise DomainError("There is time off in this period already.", code="time_off_overlaps")
    if existing.filter(during__endswith__gt=now).count() >= MAX_TIME_OFF:
        raise DomainError("There are too many periods of time off. Remove some first.", code="too_many")
    for guard in time_off_guards:
        guard(locked, start, end)
    time_off = TimeOff.objects.create(resource=locked, during=TimestamptzRange(start, end), reason=reason)
    expansion.refresh(locked, now=now)
    return time_off


@transaction.atomic
def remove_time_off(time_off: TimeOff, *, now: datetime) -> None:
    """Bring the resource back. Safe to call twice."""
    locked = lock(time_off.resource)
    TimeOff.objects.filter(pk=time_off.pk).delete()
    expansion.refresh(locked, now=now)
