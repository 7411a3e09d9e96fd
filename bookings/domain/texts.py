"""Words for times and lengths. A time is never said without its zone."""

from datetime import date, datetime
from zoneinfo import ZoneInfo


def day(value: date) -> str:
    return f"{value:%a} {value.day} {value:%b %Y}"


def when(moment: datetime, zone: ZoneInfo) -> str:
    """Return the local date and time with the zone's name: ``Tue 24 Nov 2026, 17:00 (Europe/Berlin)``."""
    local = moment.astimezone(zone)
    return f"{day(local.date())}, {local:%H:%M} ({zone.key})"


def length(minutes: int) -> str:
    """Return ``45 minutes``, ``1 hour`` or ``1 h 30 min``."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return "1 minute" if rest == 1 else f"{rest} minutes"
    if rest:
        return f"{hours} h {rest} min"
    return "1 hour" if hours == 1 else f"{hours} hours"


def listed(words: list[str]) -> str:
    """Join words as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
