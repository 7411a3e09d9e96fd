"""Who near here is really free at that time, at which total: one SQL statement.

What counts as a match:

* A branch that is listed (approved provider, active, sells something) within ``radius_km`` of the asked point, and the
  point within the branch's own service radius. Distances are great-circle ones from the branch's *approximate* point:
  it is the only one that filters, sorts or is shown, so asking from many places cannot find the address.
* One service of it that is of the asked kind, takes every asked species, the weight and the number of pets. With
  ``start`` it is bookable for exactly then (see ``slots``): on the step, inside notice and booking window, and for each
  needed kind of resource one that is qualified, open for the whole span with its buffers, and not taken.
  A timed service matches when it lasts at least from ``start`` to ``end``. A stay is booked by its local dates, from
  the service's own check-in to its check-out; without ``end`` it is one night.
* The total is what ``pricing`` computes, service fee and tax included, without add-ons. Of several matching services
  the cheapest is shown, of several matching branches of a provider the nearest.

The nearest ``CAP`` matching branches are looked at, whatever the ordering: in a dense city "500+" are found, and the
order by price or rating is among the nearest of them. So the work is bounded, and nobody reads page 26.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from bookings.domain import slots
from bookings.domain.search.query import Page, Query, Result, Suggestion
from bookings.domain.search.sql import CAP, COLUMNS, MAX_RADIUS_KM, ORDERINGS, statement

__all__ = [
    "CAP",
    "MAX_RADIUS_KM",
    "ORDERINGS",
    "Page",
    "Query",
    "Result",
    "Suggestion",
    "find",
    "nearest_times",
    "statement",
]


def find(query: Query, *, now: datetime, after: datetime | None = None) -> Page:
    """Return one page of what matches. One SQL statement, and one for the next free times when no time is asked.

    (Two for those when both timed and overnight services are on the page.) ``after`` is the instant from which the next
    free time is looked for, if not from now.
    """
    sql, parameters = statement(query, now=now)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows = cursor.fetchall()
    total, is_capped = rows[0][0], rows[0][1]
    results = [_result(row[2:-1]) for row in rows if row[2] is not None]
    if results and query.start is None:
        free = slots.next_free([result.as_offer() for result in results], after=max(after or now, now), now=now)
        results = [replace(result, next_free=free.get(result.service_id)) for result in results]
    return Page(results=results, total=total, is_capped=is_capped)


def nearest_times(query: Query, *, now: datetime, limit: int = 4) -> list[Suggestion]:
    """Return who is free how near to the asked time, the nearest times first: for when nobody is free then.

    Asks the thirty nearest providers that match but for the time. Two SQL statements (three with stays).
    """
    if query.start is None:
        return []
    sql, parameters = statement(replace(query.without_time(), page=1, page_size=30, ordering="distance"), now=now)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        results = [_result(row[2:-1]) for row in cursor.fetchall() if row[2] is not None]
    length = (query.end - query.start) if query.end else timedelta()
    nights = max(1, round(length / timedelta(days=1)))
    fitting = [
        result for result in results if result.is_overnight or timedelta(minutes=result.duration_minutes or 0) >= length
    ]
    times = slots.nearby([result.as_offer() for result in fitting], near=query.start, nights=nights, now=now)
    suggestions = [
        Suggestion(result=result, starts_at=times[result.service_id][0], ends_at=times[result.service_id][1])
        for result in fitting
        if result.service_id in times
    ]
    start = query.start
    return sorted(suggestions, key=lambda one: (abs(one.starts_at - start), one.result.meters))[:limit]


def _result(row: Sequence[Any]) -> Result:
    return Result(**dict(zip(COLUMNS, row, strict=True)))
