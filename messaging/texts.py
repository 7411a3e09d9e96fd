"""How times are said to people: on the clock of the place and on their own, in their order, and the zone is named.

The clock has 24 hours in every locale, as on the pages.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from accounts.models import User

SHORT_LENGTH = 160
AMERICAN = "en-us"


def zone_of(user: User) -> ZoneInfo:
    return zone_named(user.time_zone)


def zone_named(name: str) -> ZoneInfo:
    """Return that zone; UTC where the rules of this machine do not know it (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def when(instant: datetime, user: User, place: ZoneInfo | None = None) -> str:
    """Return ``Tue, Nov 24, 2026, 17:00 (Europe/Berlin)`` as ``user`` writes dates.

    With a ``place`` its clock comes first, and the reader's behind it where that shows another time.
    """
    own = zone_of(user)
    text = _moment(instant, place or own, user)
    return f"{text}, for you {_moment(instant, own, user)}" if place and differs(instant, place, own) else text


def span(start: datetime, end: datetime, user: User, place: ZoneInfo | None = None) -> str:
    """Return both ends, one day said once: ``Tue, Nov 24, 2026, 17:00 to 18:00 (UTC)``."""
    own = zone_of(user)
    text = _span(start, end, place or own, user)
    is_other = place and (differs(start, place, own) or differs(end, place, own))
    return f"{text}, for you {_span(start, end, own, user)}" if is_other else text


def brief(instant: datetime, user: User, place: ZoneInfo | None = None) -> str:
    """Return ``Tue, Nov 24, 17:00 (Europe/Berlin)``, on the place's clock: where there is little room."""
    zone = place or zone_of(user)
    local = instant.astimezone(zone)
    return f"{_day(local.date(), user, has_year=False)}, {local:%H:%M} ({zone.key})"


def day(value: date, user: User) -> str:
    """Return a date without a time, as ``user`` writes it: ``Tue, Nov 24, 2026``."""
    return _day(value, user)


def short(*parts: str) -> str:
    """Join sentences for a text message, cut to 160 characters at the end of a word."""
    text = " ".join(" ".join(parts).split())
    if len(text) <= SHORT_LENGTH:
        return text
    return f"{text[: SHORT_LENGTH - 3].rsplit(' ', 1)[0].rstrip(' ,.;:')}..."


def differs(instant: datetime, place: ZoneInfo, own: ZoneInfo) -> bool:
    return instant.astimezone(place).utcoffset() != instant.astimezone(own).utcoffset()


def _moment(instant: datetime, zone: ZoneInfo, user: User) -> str:
    local = instant.astimezone(zone)
    return f"{_day(local.date(), user)}, {local:%H:%M} ({zone.key})"


def _span(start: datetime, end: datetime, zone: ZoneInfo, user: User) -> str:
    first, last = start.astimezone(zone), end.astimezone(zone)
    is_one_day = first.date() == last.date()
    until = f"{last:%H:%M}" if is_one_day else f"{_day(last.date(), user)}, {last:%H:%M}"
    return f"{_day(first.date(), user)}, {first:%H:%M} to {until} ({zone.key})"


def _day(value: date, user: User, *, has_year: bool = True) -> str:
    if user.locale.lower() == AMERICAN:
        return f"{value:%a, %b} {value.day}" + (f", {value.year}" if has_year else "")
    return f"{value:%a} {value.day} {value:%b}" + (f" {value.year}" if has_year else "")
