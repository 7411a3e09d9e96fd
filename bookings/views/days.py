"""Free times as people read them: by local day, with a way to the days before and after."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest

from bookings.domain import slots
from petplace.errors import DomainError
from providers.models import Service

DAYS_SHOWN = 7
NIGHTS_SHOWN = 14


def page_of(
    request: HttpRequest,
    service: Service,
    *,
    count: int,
    near: date | None,
    now: datetime,
    href: Callable[[datetime, datetime], str] | None = None,
) -> dict[str, Any]:
    """Return template variables: a week of free times (a fortnight of nights) from ``?day=``, and its neighbors.

    ``href`` makes a link of each time; without it they are values for buttons.
    """
    zone = service.branch.zone
    length = NIGHTS_SHOWN if service.is_overnight else DAYS_SHOWN
    today = now.astimezone(zone).date()
    latest = today + timedelta(days=service.maximum_advance_days)
    first = _first_day(request.GET.get("day"), today=today, latest=latest, default=near or today)
    last = first + timedelta(days=length - 1)
    found: dict[date, list[dict[str, Any]]] = {first + timedelta(days=offset): [] for offset in range(length)}
    for slot in slots.free(service, from_date=first, to_date=last, pet_count=count, now=now):
        start, end = slot.start.astimezone(zone), slot.end.astimezone(zone)
        found[start.date()].append(
            {
                "value": f"{slot.start.isoformat()}/{slot.end.isoformat()}",
                "label": _label(start, end, service),
                "href": href(slot.start, slot.end) if href else "",
            }
        )
    return {
        "slot_days": [{"label": f"{day:%a, %b} {day.day}", "slots": times} for day, times in found.items()],
        "has_slots": any(found.values()),
        "first": first,
        "today": today,
        "latest": latest,
        "earlier_url": _url(request, max(today, first - timedelta(days=length))) if first > today else "",
        "later_url": _url(request, last + timedelta(days=1)) if last < latest else "",
        "zone": service.branch.time_zone,
    }


def _first_day(text: str | None, *, today: date, latest: date, default: date) -> date:
    try:
        asked = date.fromisoformat(text or "")
    except ValueError:
        asked = default
    return max(today, min(asked, latest))


def _url(request: HttpRequest, day: date) -> str:
    query = request.GET.copy()
    query["day"] = day.isoformat()
    return f"{request.path}?{query.urlencode()}"


def _label(start: datetime, end: datetime, service: Service) -> str:
    if service.is_overnight:
        return f"to {end:%a, %b} {end.day}"
    # Of a clock time that comes twice, the second one is named with its zone.
    return f"{start:%H:%M} {start:%Z}" if start.fold else f"{start:%H:%M}"


def alternatives_of(error: DomainError) -> list[dict[str, Any]]:
    """Return the free times that a collision offers, as values for buttons."""
    spans = [
        (datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]))
        for one in error.extra.get("alternatives", [])
    ]
    return [{"start": start, "end": end, "value": f"{start.isoformat()}/{end.isoformat()}"} for start, end in spans]
