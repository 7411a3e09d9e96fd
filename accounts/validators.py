"""Checks shared by models, forms and serializers of every app."""

import unicodedata
from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError


@cache
def time_zone_names() -> frozenset[str]:
    """Return the IANA names that we accept: real places and UTC, not legacy aliases such as ``EST5EDT``."""
    return frozenset(
        name
        for name in available_timezones()
        if name == "UTC" or ("/" in name and not name.startswith(("Etc/", "SystemV/")))
    )


def validate_time_zone(value: str) -> None:
    if value not in time_zone_names():
        raise ValidationError(
            "%(value)s is not a time zone. Use an IANA name such as Europe/Berlin.",
            code="time_zone",
            params={"value": value},
        )


def validate_one_line(value: str) -> None:
    """Refuse control characters: names end up in mail headers, calendars and lists."""
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in value):
        raise ValidationError("Write it on one line, without control characters.", code="one_line")
