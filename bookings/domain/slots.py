"""When a service can be booked: free slots, the first free time, the nearest alternatives.

A start is bookable when its wall-clock time at the branch is a whole number of ``slot_step_minutes`` after local
midnight, and the whole span with its buffers lies in the open hours of a free resource of every needed kind. The step
counts from midnight and not from the opening, so that search, slots and booking agree without knowing the rules that
the open hours came from. A wall-clock time that comes twice on a night of changing clocks gives two starts.

PostgreSQL does the arithmetic of ranges in one statement and answers with free ranges (some ninety rows for sixty
days); Python cuts them. Instants travel as seconds since 1970, which is several times cheaper than ``datetime``.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from heapq import nsmallest
from itertools import accumulate
from zoneinfo import ZoneInfo

from django.db import connection

from bookings.domain import interval
from providers.models import Service

DAY = 86_400
SHORTEST_DAY = 22 * 3600  # Antarctica/Troll puts its clocks two hours forward
LONGEST_PERIOD_DAYS = 62
ALTERNATIVES_BEFORE_DAYS = 3
ALTERNATIVES_AFTER_DAYS = 14
NEXT_FREE_DAYS = 14
# Ranges of open starts looked at for one service, the nearest first: a range may hold no start that is on the step.
PIECES = 12


@dataclass(frozen=True, slots=True)
class Slot:
    """A time that can be booked now. ``free`` is how many bookings still fit."""

    start: datetime
    end: datetime
    free: int


# The free ranges of every resource that the service could use: its open hours in the period, minus what is taken.
# The live allocations are found by the partial B-tree: the two comparisons of upper() and lower() are its columns.
FREE_RANGES = """
SELECT resource.kind,
       extract(epoch FROM lower(gap))::float8,
       extract(epoch FROM upper(gap))::float8
  FROM providers_resource resource
  JOIN providers_openhours hours ON hours.resource_id = resource.id
 CROSS JOIN LATERAL unnest(
       hours.open * tstzmultirange(tstzrange(%(since)s, %(until)s))
       - coalesce((SELECT range_agg(taken.during)
                     FROM bookings_allocation taken
                    WHERE taken.resource_id = resource.id
                      AND taken.is_live
                      AND upper(taken.during) > %(since)s
                      AND lower(taken.during) < %(until)s), '{}'::tstzmultirange)) gap
 WHERE resource.branch_id = %(branch)s
   AND resource.is_active
   AND resource.kind = ANY(%(needs)s)
   AND (resource.skills = '{}' OR %(kind)s = ANY(resource.skills))
   AND upper(gap) - lower(gap) >= make_interval(secs => %(length)s)
"""


def is_on_step(service: Service, start: datetime) -> bool:
    """Whether a timed service may start at ``start``. A stay is booked by its local dates, at any time of day."""
    if service.is_overnight:
        return True
    local = start.astimezone(service.branch.zone)
    if local.second or local.microsecond:
        return False
    return (local.hour * 60 + local.minute) % service.slot_step_minutes == 0


def free(service: Service, *, from_date: date, to_date: date, pet_count: int = 1, now: datetime) -> list[Slot]:
    """Return the bookable slots that start on the local dates ``from_date`` to ``to_date``, both included.

    Timed services: every start on the step. Overnight services: each night, from check-in to the next day's check-out.
    Notice and booking window are kept. One SQL statement.
    """
    if pet_count > service.max_pets or to_date < from_date:
        return []
    spans = _spans(service, from_date, to_date, 1, now)
    return [_slot(free) for free in _free_spans(service, spans)]


def alternatives(
    service: Service, *, near: datetime, pets: Sized | int, now: datetime, limit: int = 4, nights: int = 1
) -> list[Slot]:
    """Return the ``limit`` free slots that are nearest to ``near``, in order of time: offered instead of a taken one.

    Looks from three days before to fourteen after, the days around first: those have enough nearly always, and many
    may be refused at once. ``nights`` is the length of a stay. One SQL statement, seldom two.
    """
    pet_count = pets if isinstance(pets, int) else len(pets)
    if pet_count > service.max_pets:
        return []
    day, asked = near.astimezone(service.branch.zone).date(), near.timestamp()
    nearest: list[tuple[int, int, int]] = []
    for before, after in ((1, 1), (ALTERNATIVES_BEFORE_DAYS, ALTERNATIVES_AFTER_DAYS)):
        spans = _spans(service, day - timedelta(days=before), day + timedelta(days=after), nights, now)
        nearest = nsmallest(limit, _free_spans(service, spans), key=lambda free: (abs(free[0] - asked), free[0]))
        if len(nearest) == limit and all(abs(start - asked) < SHORTEST_DAY for start, *_ in nearest):
            break  # what lies on other dates is further away
    return [_slot(free) for free in sorted(nearest)]


def _spans(service: Service, from_date: date, to_date: date, nights: int, now: datetime) -> list[tuple[int, int]]:
    """Return the spans (start, end) that the service offers on those dates, in ascending order, inside its window."""
    first, last = window(service.branch.zone, service.minimum_notice_minutes, service.maximum_advance_days, now)
    if service.is_overnight:
        stays = (interval.for_stay(service, day, day + timedelta(days=nights)) for day in _dates(from_date, to_date))
        return [(int(start.timestamp()), int(end.timestamp())) for start, end in stays if first <= start <= last]
    starts = grid(service.branch.zone, from_date, to_date, service.slot_step_minutes)
    lowest, highest = bisect_left(starts, first.timestamp()), bisect_right(starts, last.timestamp())
    length = (service.duration_minutes or 0) * 60
    return [(start, start + length) for start in starts[lowest:highest]]


def window(zone: ZoneInfo, notice_minutes: int, advance_days: int, now: datetime) -> tuple[datetime, datetime]:
    """Return the first and last instant at which a booking made now may start: notice is real time, the window ends
    with a local day.
    """
    first = max(now + timedelta(minutes=notice_minutes), now + timedelta(microseconds=1))
    after = now.astimezone(zone).date() + timedelta(days=advance_days + 1)
    return first, datetime.fromtimestamp(_midnight(zone, after) - 1, UTC)


def _slot(free: tuple[int, int, int]) -> Slot:
    start, end, places = free
    return Slot(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC), places)


def _free_spans(service: Service, spans: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return (start, end, places) in Unix seconds of those ``spans`` that have a free place. One SQL statement."""
    if not spans:
        return []
    before, after = service.buffer_before_minutes * 60, service.buffer_after_minutes * 60
    starts = [start for start, _ in spans]
    ends = [end for _, end in spans]
    shortest = min(end - start for start, end in spans)
    with connection.cursor() as cursor:
        cursor.execute(
            FREE_RANGES,
            {
                "since": datetime.fromtimestamp(starts[0] - before, UTC),
                "until": datetime.fromtimestamp(ends[-1] + after, UTC),
                "branch": service.branch_id,
                "needs": list(service.needs),
                "kind": service.kind,
                "length": shortest + before + after,
            },
        )
        gaps = cursor.fetchall()
    free_places = _count(gaps, service.needs, starts, ends, before, after)
    return [(start, end, places) for (start, end), places in zip(spans, free_places, strict=True) if places]


def _count(
    gaps: Iterable[tuple[str, float, float]],
    needs: Collection[str],
    starts: Sequence[int],
    ends: Sequence[int],
    before: int,
    after: int,
) -> list[int]:
    """Return for each span how many bookings fit: the smallest number of free resources over the needed kinds.

    A gap holds the spans that start at or after its lower bound and end by its upper one: a run of the ascending list,
    added as a difference at its two ends.
    """
    changes = {kind: [0] * (len(starts) + 1) for kind in needs}
    for kind, lower, upper in gaps:
        first, last = bisect_left(starts, lower + before), bisect_right(ends, upper - after)
        if first < last:
            changes[kind][first] += 1
            changes[kind][last] -= 1
    counts = [list(accumulate(change))[:-1] for change in changes.values()]
    return [min(column) for column in zip(*counts, strict=True)]


def _dates(from_date: date, to_date: date) -> Iterator[date]:
    return (from_date + timedelta(days=days) for days in range((to_date - from_date).days + 1))


def _midnight(zone: ZoneInfo, day: date) -> int:
    """Return the first instant of a local date; where clocks skip midnight that is the instant of the change."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def grid(zone: ZoneInfo, from_date: date, to_date: date, step: int) -> list[int]:
    """Return all instants of those local dates whose wall-clock time is a multiple of ``step`` minutes, ascending."""
    instants: list[int] = []
    begins = _midnight(zone, from_date)
    for day in _dates(from_date, to_date):
        ends = _midnight(zone, day + timedelta(days=1))
        if ends - begins == DAY:
            instants += range(begins, ends, step * 60)
        else:  # the clocks change on this date: ask each minute what it is called
            instants += [second for second in range(begins, ends, 60) if _minute_of_day(zone, second) % step == 0]
        begins = ends
    return instants


def _minute_of_day(zone: ZoneInfo, second: int) -> int:
    local = datetime.fromtimestamp(second, zone)
    return local.hour * 60 + local.minute


# --- The first free time of many services -----------------------------------------------------------------------

# Each gap of a resource becomes the range of starts for which the whole span still fits into it; the union over the
# resources of a kind, and what the needed kinds have in common, are the starts at which something is free.
OPEN_STARTS = """
SELECT service.id,
       extract(epoch FROM lower(piece.starts))::float8,
       extract(epoch FROM upper(piece.starts))::float8
  FROM unnest(%(services)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[]) asked(id, since, until)
  JOIN providers_service service ON service.id = asked.id
 CROSS JOIN LATERAL (
       SELECT make_interval(mins => service.buffer_before_minutes) AS before,
              make_interval(mins => service.duration_minutes + service.buffer_after_minutes) AS after) span
 CROSS JOIN LATERAL (
       SELECT range_intersect_agg(of_kind.starts) AS starts, count(*) AS kinds
         FROM (SELECT range_agg(tstzrange(lower(gap) + span.before, upper(gap) - span.after, '[]')) AS starts
                 FROM providers_resource resource
                 JOIN providers_openhours hours ON hours.resource_id = resource.id
                CROSS JOIN LATERAL unnest(
                      hours.open * tstzmultirange(tstzrange(asked.since - span.before, asked.until + span.after))
                      - coalesce((SELECT range_agg(taken.during)
                                    FROM bookings_allocation taken
                                   WHERE taken.resource_id = resource.id
                                     AND taken.is_live
                                     AND upper(taken.during) > asked.since - span.before
                                     AND lower(taken.during) < asked.until + span.after), '{}'::tstzmultirange)) gap
                WHERE resource.branch_id = service.branch_id
                  AND resource.is_active
                  AND resource.kind = ANY(service.needs)
                  AND (resource.skills = '{}' OR service.kind = ANY(resource.skills))
                  AND upper(gap) - lower(gap) >= span.before + span.after
                GROUP BY resource.kind) of_kind) common
 CROSS JOIN LATERAL (
       SELECT starts
         FROM unnest(common.starts) starts
        ORDER BY greatest(0, extract(epoch FROM lower(starts) - %(near)s),
                          extract(epoch FROM %(near)s - upper(starts))), starts
        LIMIT %(pieces)s) piece
 WHERE common.kinds = (SELECT count(DISTINCT need) FROM unnest(service.needs) need)
"""

# The nearest night of each stay for which something is free. The nights come from Python, which alone turns local
# check-in and check-out times into instants.
OPEN_NIGHTS = """
SELECT asked.id, night.starts_at, night.ends_at
  FROM (SELECT DISTINCT unnest(%(services)s::bigint[])) asked(id)
  JOIN providers_service service ON service.id = asked.id
 CROSS JOIN LATERAL (
       SELECT nights.starts_at, nights.ends_at
         FROM unnest(%(services)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
              nights(id, starts_at, ends_at)
        CROSS JOIN LATERAL (
              SELECT nights.starts_at - make_interval(mins => service.buffer_before_minutes) AS since,
                     nights.ends_at + make_interval(mins => service.buffer_after_minutes) AS until) taken
        WHERE nights.id = asked.id
          AND NOT EXISTS (
              SELECT FROM unnest(service.needs) need
               WHERE NOT EXISTS (
                     SELECT FROM providers_resource resource
                       JOIN providers_openhours hours ON hours.resource_id = resource.id
                      WHERE resource.branch_id = service.branch_id
                        AND resource.is_active
                        AND resource.kind = need
                        AND (resource.skills = '{}' OR service.kind = ANY(resource.skills))
                        AND hours.open @> tstzrange(taken.since, taken.until)
                        AND NOT EXISTS (
                            SELECT FROM bookings_allocation allocation
                             WHERE allocation.resource_id = resource.id
                               AND allocation.is_live
                               AND upper(allocation.during) > taken.since
                               AND lower(allocation.during) < taken.until)))
        ORDER BY abs(extract(epoch FROM nights.starts_at - %(near)s)), nights.starts_at
        LIMIT 1) night
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What finding a free time needs to know of a service, so that a search need not load the model."""

    service_id: int
    zone: ZoneInfo
    is_overnight: bool
    check_in: time
    check_out: time
    duration_minutes: int
    slot_step_minutes: int
    minimum_notice_minutes: int
    maximum_advance_days: int


def next_free(offers: Sequence[Offer], *, after: datetime, now: datetime) -> dict[int, datetime]:
    """Return the first bookable start of each service (by its key) at or after ``after``, within fourteen days.

    A service without one is missing. One SQL statement, two when both timed and overnight services are asked about.
    """
    since, until = after, max(after, now) + timedelta(days=NEXT_FREE_DAYS)
    return {key: start for key, (start, _) in _nearest(offers, since, until, near=after, nights=1, now=now).items()}


def nearby(
    offers: Sequence[Offer], *, near: datetime, nights: int = 1, now: datetime
) -> dict[int, tuple[datetime, datetime]]:
    """Return for each service (by its key) the bookable start and end nearest to ``near``, within three days of it."""
    span = timedelta(days=ALTERNATIVES_BEFORE_DAYS)
    return _nearest(offers, near - span, near + span, near=near, nights=nights, now=now)


def _nearest(
    offers: Sequence[Offer], since: datetime, until: datetime, *, near: datetime, nights: int, now: datetime
) -> dict[int, tuple[datetime, datetime]]:
    found: dict[int, tuple[datetime, datetime]] = {}
    windows: dict[int, tuple[datetime, datetime]] = {}
    for offer in offers:
        first, last = window(offer.zone, offer.minimum_notice_minutes, offer.maximum_advance_days, now)
        if max(since, first) <= min(until, last):
            windows[offer.service_id] = max(since, first), min(until, last)
    timed = [offer for offer in offers if offer.service_id in windows and not offer.is_overnight]
    overnight = [offer for offer in offers if offer.service_id in windows and offer.is_overnight]
    if timed:
        found |= _nearest_starts(timed, windows, near)
    if overnight:
        found |= _nearest_nights(overnight, windows, near, nights)
    return found


def _nearest_starts(
    offers: Sequence[Offer], windows: Mapping[int, tuple[datetime, datetime]], near: datetime
) -> dict[int, tuple[datetime, datetime]]:
    by_key = {offer.service_id: offer for offer in offers}
    with connection.cursor() as cursor:
        cursor.execute(
            OPEN_STARTS,
            {
                "services": list(by_key),
                "since": [windows[key][0] for key in by_key],
                "until": [windows[key][1] for key in by_key],
                "near": near,
                "pieces": PIECES,
            },
        )
        rows = cursor.fetchall()
    nearest: dict[int, int] = {}
    wish = near.timestamp()
    for key, lower, upper in rows:
        for start in _around(by_key[key], lower, upper, wish):
            known = nearest.get(key)
            if known is None or (abs(start - wish), start) < (abs(known - wish), known):
                nearest[key] = start
    return {
        key: (
            datetime.fromtimestamp(start, UTC),
            datetime.fromtimestamp(start + by_key[key].duration_minutes * 60, UTC),
        )
        for key, start in nearest.items()
    }


def _around(offer: Offer, lower: float, upper: float, wish: float) -> Iterator[int]:
    """Yield the last start on the step before ``wish`` and the first one from it on, both within [lower, upper]."""
    if lower < wish:
        ceiling = min(upper, wish)
        for day in _days_of(offer.zone, ceiling, lower):
            starts = grid(offer.zone, day, day, offer.slot_step_minutes)
            position = bisect_right(starts, ceiling)
            if position:
                if starts[position - 1] >= lower:
                    yield starts[position - 1]
                break
    if upper >= wish:
        floor = max(lower, wish)
        for day in _days_of(offer.zone, floor, upper):
            starts = grid(offer.zone, day, day, offer.slot_step_minutes)
            position = bisect_left(starts, floor)
            if position < len(starts):
                if starts[position] <= upper:
                    yield starts[position]
                break


def _days_of(zone: ZoneInfo, start: float, end: float) -> Iterator[date]:
    """Yield the local dates from one instant to another, in either direction."""
    day, last = datetime.fromtimestamp(start, zone).date(), datetime.fromtimestamp(end, zone).date()
    step = timedelta(days=1 if last >= day else -1)
    while day != last + step:
        yield day
        day += step


def _nearest_nights(
    offers: Sequence[Offer], windows: Mapping[int, tuple[datetime, datetime]], near: datetime, nights: int
) -> dict[int, tuple[datetime, datetime]]:
    keys: list[int] = []
    starts: list[datetime] = []
    ends: list[datetime] = []
    for offer in offers:
        first, last = windows[offer.service_id]
        for day in _days_of(offer.zone, first.timestamp(), last.timestamp()):
            start = interval.at(day, offer.check_in, offer.zone)
            end = interval.at(day + timedelta(days=nights), offer.check_out, offer.zone)
            if first <= start <= last:
                keys.append(offer.service_id)
                starts.append(start)
                ends.append(end)
    with connection.cursor() as cursor:
        cursor.execute(OPEN_NIGHTS, {"services": keys, "starts": starts, "ends": ends, "near": near})
        return {key: (start, end) for key, start, end in cursor.fetchall()}
