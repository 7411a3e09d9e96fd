"""Free times as people read them: by local day, with a way to the weeks before and after."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from petplace.errors import DomainError
from providers.models import Service


def first_day(text: str | None, service: Service, *, now: datetime, default: date | None = None) -> date:
    """Return the first day to show: the asked one when it can be booked at all, else ``default`` or today."""
    today = now.astimezone(service.branch.zone).date()
    latest = today + timedelta(days=service.maximum_advance_days)
    try:
        asked = date.fromisoformat(text or "")
    except ValueError:
        asked = default or today
    return max(today, min(asked, latest))


def days_of(free: Iterable[Any], service: Service, *, first: date, count: int, now: datetime) -> dict[str, Any]:
    """Return template variables: ``days`` of ``(date, slots)`` with empty ones kept, ``earlier`` and ``later``."""
    zone = service.branch.zone
    days: dict[date, list[Any]] = {first + timedelta(days=offset): [] for offset in range(count)}
    for slot in free:
        day = slot.start.astimezone(zone).date()
        if day in days:
            days[day].append(slot)
    today = now.astimezone(zone).date()
    later = first + timedelta(days=count)
    return {
        "days": list(days.items()),
        "has_slots": any(days.values()),
        "earlier": max(today, first - timedelta(days=count)) if first > today else None,
        "later": later if later <= today + timedelta(days=service.maximum_advance_days) else None,
        "zone": service.branch.time_zone,
    }


def alternatives_of(error: DomainError, service: Service) -> list[dict[str, Any]]:
    """Return the free times that a collision offers, as values for buttons."""
    found = []
    for one in error.extra.get("alternatives", []):
        start, end = _instant(one["start"]), _instant(one["end"])
        zone = service.branch.zone
        found.append(
            {
                "start": start,
                "end": end,
                "value": f"{start.isoformat()}/{end.isoformat()}",
                "check_in": start.astimezone(zone).date().isoformat(),
                "check_out": end.astimezone(zone).date().isoformat(),
            }
        )
    return found


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
