"""How times are said to people: in their own zone, and the zone is named."""

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.models import User


def zone_of(user: User) -> ZoneInfo:
    return zone_named(user.time_zone)


def zone_named(name: str) -> ZoneInfo:
    """Return that zone; UTC where the rules of this machine do not know it (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def when(instant: datetime, user: User) -> str:
    """Return, for example, ``Tue, Nov 24, 2026, 17:00 (Europe/Berlin)``."""
    zone = zone_of(user)
    return f"{_day(instant.astimezone(zone))}, {instant.astimezone(zone):%H:%M} ({zone.key})"


def span(start: datetime, end: datetime, user: User) -> str:
    """Return both ends, one day said once: ``Tue, Nov 24, 2026, 17:00 to 18:00 (UTC)``."""
    zone = zone_of(user)
    first, last = start.astimezone(zone), end.astimezone(zone)
    until = f"{last:%H:%M}" if first.date() == last.date() else f"{_day(last)}, {last:%H:%M}"
    return f"{_day(first)}, {first:%H:%M} to {until} ({zone.key})"


def _day(local: datetime) -> str:
    return f"{local:%a, %b} {local.day}, {local.year}"
