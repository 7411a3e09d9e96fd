"""Filters and tags of every template (a builtin library: no ``{% load %}`` needed).

How people read money, time, length and place stands here once, so a list, a card and an invoice never differ.
"""

import json
import logging
import re
import zlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.core.paginator import Page
from django.forms import BoundField
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from petplace import navigation
from petplace.money import format_money

register = template.Library()
logger = logging.getLogger(__name__)

EN_DASH = "\u2013"
MINUS = "\u2212"
NO_BREAK_SPACE = "\u00a0"
Zone = str | tzinfo | None
# What could end a script element or break its line; the same as Django's json_script.
_SCRIPT_ESCAPES = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026", 0x2028: "\\u2028", 0x2029: "\\u2029"}


# --- Money --------------------------------------------------------------------------------------


@register.filter
def money(amount: int | str | None, currency: str = "USD") -> str:
    """Minor units to ``$1,250.00``; nothing stays nothing."""
    return "" if amount is None or amount == "" else format_money(int(amount), str(currency))


@register.filter
def money_short(amount: int | str | None, currency: str = "USD") -> str:
    """As ``money``, without a zero fraction (``$45``): for cards and map pins."""
    return "" if amount is None or amount == "" else format_money(int(amount), str(currency), short=True)


# --- Time ---------------------------------------------------------------------------------------


def _zone(zone: Zone) -> tzinfo:
    if not zone:
        return timezone.get_current_timezone()
    return ZoneInfo(zone) if isinstance(zone, str) else zone


def _zone_label(moment: datetime) -> str:
    """The zone as people name it: ``CET``; without an own abbreviation ``UTC+5`` or ``UTC+5:30``."""
    name = moment.tzname() or ""
    if re.fullmatch(r"[A-Z]{2,5}", name):
        return name
    minutes = int((moment.utcoffset() or timedelta()).total_seconds() // 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{MINUS if minutes < 0 else '+'}{hours}" + (f":{rest:02d}" if rest else "")


def _day(day: date) -> str:
    text = f"{day:%a, %b} {day.day}"
    return text if day.year == timezone.localdate().year else f"{text}, {day.year}"


def local_time_text(moment: datetime | None, zone: Zone = None) -> str:
    """``Tue, Nov 24, 17:00 CET``; the year is named when it is not this one."""
    if not moment:
        return ""
    here = moment.astimezone(_zone(zone))
    return f"{_day(here.date())}, {here:%H:%M}{NO_BREAK_SPACE}{_zone_label(here)}"


def local_range_text(start: datetime | None, end: datetime | None, zone: Zone = None) -> str:
    """``Tue, Nov 24, 17:00-18:00 CET``; over several days both dates, over a clock change both zones."""
    if not start or not end:
        return local_time_text(start or end, zone)
    here, there = start.astimezone(_zone(zone)), end.astimezone(_zone(zone))
    same_clock = here.utcoffset() == there.utcoffset()
    first_zone = "" if same_clock else f"{NO_BREAK_SPACE}{_zone_label(here)}"
    last = f"{there:%H:%M}{NO_BREAK_SPACE}{_zone_label(there)}"
    if here.date() == there.date():
        return f"{_day(here.date())}, {here:%H:%M}{first_zone}{EN_DASH}{last}"
    return f"{_day(here.date())}, {here:%H:%M}{first_zone} {EN_DASH} {_day(there.date())}, {last}"


def _time_element(moment: datetime, zone: Zone, text: str) -> SafeString:
    where = _zone(zone)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.astimezone(where).isoformat(),
        getattr(where, "key", "UTC"),
        text,
    )


@register.filter
def local_time(moment: datetime | None, zone: Zone = None) -> str:
    """A ``<time>`` element with the local time of a place (an IANA name) or, without one, of the reader."""
    return _time_element(moment, zone, local_time_text(moment, zone)) if moment else ""


@register.filter
def local_clock(moment: datetime | None, zone: Zone = None) -> str:
    """Only the hour and minute: where the day and the zone stand nearby."""
    return _time_element(moment, zone, f"{moment.astimezone(_zone(zone)):%H:%M}") if moment else ""


@register.filter
def local_date(moment: datetime | date | None, zone: Zone = None) -> str:
    """Only the day, of an instant at a place or of a plain date."""
    if not moment:
        return ""
    if isinstance(moment, datetime):
        return _time_element(moment, zone, _day(moment.astimezone(_zone(zone)).date()))
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), _day(moment))


@register.filter
def local_text(moment: datetime | None, zone: Zone = None) -> str:
    """As ``local_time`` without markup: for mail, titles and attributes."""
    return local_time_text(moment, zone)


@register.simple_tag
def local_range(start: datetime | None, end: datetime | None, zone: Zone = None) -> str:
    """``{% local_range booking.starts_at booking.ends_at booking.time_zone %}``."""
    return _time_element(start, zone, local_range_text(start, end, zone)) if start else ""


@register.filter
def zone_label(moment: datetime | None, zone: Zone = None) -> str:
    """The short name of a zone at an instant."""
    return _zone_label(moment.astimezone(_zone(zone))) if moment else ""


@register.filter
def duration(value: int | str | timedelta | None) -> str:
    """Minutes (or a timedelta) as ``45 min``, ``1 h 30 min``, ``2 days``."""
    if value is None or value == "":
        return ""
    minutes = int(value.total_seconds() // 60) if isinstance(value, timedelta) else int(value)
    if minutes and minutes % 1440 == 0:
        days = minutes // 1440
        return f"{days}{NO_BREAK_SPACE}day{'s' if days != 1 else ''}"
    hours, rest = divmod(minutes, 60)
    parts = [f"{hours}{NO_BREAK_SPACE}h"] * bool(hours) + [f"{rest}{NO_BREAK_SPACE}min"] * bool(rest or not hours)
    return " ".join(parts)


# --- Place and people ---------------------------------------------------------------------------


@register.filter
def distance(meters: float | str | None) -> str:
    """``850 m`` below a kilometer, ``2.4 km`` above, whole kilometers from ten."""
    if meters is None or meters == "":
        return ""
    meters = float(meters)
    if meters < 1000:
        return f"{round(meters, -1):.0f}{NO_BREAK_SPACE}m"
    return f"{meters / 1000:.{0 if meters >= 10_000 else 1}f}{NO_BREAK_SPACE}km"


@register.filter
def weight(kilograms: Decimal | float | str | None) -> str:
    """``12.4 kg``, ``30 kg``: as exact as it was given, without zeros that say nothing."""
    if kilograms is None or kilograms == "":
        return ""
    return f"{Decimal(str(kilograms)).normalize():f}{NO_BREAK_SPACE}kg"


@register.filter
def initials(name: str) -> str:
    """The one or two letters of an avatar without a picture."""
    words = [word for word in re.split(r"[\s@._-]+", str(name or "")) if word and word[0].isalnum()]
    return "".join(word[0] for word in words[:1] + words[1:][-1:]).upper() or "?"


@register.filter
def hue(name: str) -> int:
    """One of eight colors (0 to 7), always the same for the same name."""
    return zlib.crc32(str(name or "").encode()) % 8


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)  # fmt: skip


@register.filter
def device(user_agent: str) -> str:
    """A browser's long name as ``Firefox on Windows``; what is not a browser as it calls itself."""
    browser = next((name for sign, name in _BROWSERS if f"{sign}/" in user_agent), "")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return " on ".join(filter(None, (browser, system))) or user_agent.split(" ")[0] or "Unknown device"


@register.filter
def page_numbers(page: Page) -> list[int | None]:
    """The pages to offer around this one: both ends and the neighbors, None where some are left out."""
    last = page.paginator.num_pages
    near = sorted({1, last, *range(max(1, page.number - 1), min(last, page.number + 1) + 1)})
    numbers: list[int | None] = []
    for number in near:
        if numbers and number != numbers[-1] + 1:  # type: ignore[operator]
            numbers.append(None)
        numbers.append(number)
    return numbers


# --- States -------------------------------------------------------------------------------------

# tone, icon
_STATES = {
    "held": ("plum", "hourglass-split"),
    "pending": ("butter", "clock-history"),
    "confirmed": ("leaf", "check-circle"),
    "in_progress": ("sky", "play-circle"),
    "completed": ("petrol", "check2-all"),
    "cancelled": ("neutral", "x-circle"),
    "declined": ("rose", "slash-circle"),
    "no_show": ("rose", "person-slash"),
    "draft": ("neutral", "pencil"),
    "submitted": ("butter", "clock-history"),
    "approved": ("leaf", "patch-check"),
    "rejected": ("rose", "x-circle"),
    "suspended": ("rose", "pause-circle"),
    "open": ("butter", "receipt"),
    "paid": ("leaf", "check-circle"),
    "partly_paid": ("butter", "receipt"),
    "void": ("neutral", "slash-circle"),
    "valid": ("leaf", "shield-check"),
    "expiring": ("butter", "exclamation-triangle"),
    "expired": ("rose", "shield-x"),
    "waiting": ("butter", "clock-history"),
    "to_approve": ("butter", "search"),
    "accepted": ("leaf", "check-circle"),
    "refused": ("rose", "x-circle"),
    "active": ("leaf", "check-circle"),
    "paused": ("neutral", "pause-circle"),
    "archived": ("neutral", "archive"),
    "sent": ("leaf", "send-check"),
    "failed": ("rose", "exclamation-octagon"),
    "queued": ("butter", "clock-history"),
}


@register.filter
def tone(state: str) -> str:
    """The color family of a state: its badge reads ``tone-<this>``."""
    return _STATES.get(str(state), ("neutral", ""))[0]


@register.filter
def state_icon(state: str) -> str:
    """The icon that stands beside a state's name, so color is never the only sign."""
    return _STATES.get(str(state), ("", "circle"))[1]


# --- Icons --------------------------------------------------------------------------------------


@cache
def _sprite() -> dict[str, str]:
    path = settings.BASE_DIR / "static" / "vendor" / "bootstrap-icons" / "bootstrap-icons.svg"
    if not path.exists():
        logger.warning("%s is missing: pages show no icons. `make vendor` brings it.", path)
        return {}
    found = re.findall(r'<symbol[^>]*\bid="([^"]+)"[^>]*>(.*?)</symbol>', path.read_text(), re.DOTALL)
    return {name: " ".join(body.split()) for name, body in found}


@register.simple_tag
def icon(name: str, label: str = "", css: str = "") -> SafeString:
    """``{% icon "heart" %}``: a Bootstrap icon drawn in place. Silent unless it gets a ``label`` to be read aloud."""
    body = mark_safe(_sprite().get(str(name), ""))  # noqa: S308  from our own vendored file
    spoken = format_html('role="img" aria-label="{}"', label) if label else mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" viewBox="0 0 16 16" fill="currentColor" focusable="false" {}>{}</svg>', css, spoken, body
    )


# --- Structured data ----------------------------------------------------------------------------


@register.filter
def json_ld(data: Mapping[str, Any]) -> SafeString:
    """A block of schema.org data for search engines. It is no script: browsers do not run it, so the CSP lets it be."""
    text = json.dumps(data, ensure_ascii=False).translate(_SCRIPT_ESCAPES)
    return format_html('<script type="application/ld+json">{}</script>', mark_safe(text))  # noqa: S308  escaped above


# --- Forms --------------------------------------------------------------------------------------


@register.filter
def dressed(field: BoundField) -> SafeString:
    """A form's field in our clothes, for the forms that crispy does not draw."""
    kind = getattr(field.field.widget, "input_type", "")
    special = {"checkbox": "form-check-input", "radio": "form-check-input", "select": "form-select"}
    css = special.get(kind, "form-control")
    own = field.field.widget.attrs.get("class", "")
    return field.as_widget(attrs={"class": f"{own} {css}{' is-invalid' if field.errors else ''}".strip()})


# --- Menus --------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def nav_links(context: dict[str, Any], menu: str) -> list[navigation.Link]:
    """The links of a menu, ``{% nav_links "provider" as links %}``."""
    request = context.get("request")
    slug = getattr(context.get("provider"), "slug", "")
    return navigation.links(menu, request.path if request else "", slug)
