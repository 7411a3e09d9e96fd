"""What a booking costs. The only place that computes a price; search computes the same number in SQL.

``unit`` is one night of a stay, or the whole of a timed visit:

    total = units * (price + extra_pet_price * (pets - 1))
          + holiday units * half_up((price + extra_pet_price * (pets - 1)) * holiday_percent / 100)
          + add-ons

A night is a holiday night when the local date on which it begins is a public holiday of the branch's country; a visit
when it begins on one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bookings.domain import interval, texts
from payments.domain.invoices import Line, total_of
from payments.models import LineKind
from providers.models import AddOn, PublicHoliday, Service


@dataclass(frozen=True)
class Price:
    """Explained amounts in minor units. ``units`` is the price of each night (or of the visit) without add-ons."""

    currency: str
    lines: tuple[Line, ...]
    units: tuple[int, ...]

    @property
    def total(self) -> int:
        return total_of(self.lines)

    @property
    def addons_total(self) -> int:
        return total_of(line for line in self.lines if line.kind == LineKind.ADDON)


def half_up(amount: int, percent: int) -> int:
    """Return ``percent`` of a non-negative ``amount``, a half minor unit rounded up."""
    return (amount * percent + 50) // 100


def price(
    service: Service, *, starts_at: datetime, ends_at: datetime, pet_count: int, addons: Sequence[AddOn] = ()
) -> Price:
    """Price ``service`` for ``pet_count`` pets, in minor units of the provider's currency."""
    zone = service.branch.zone
    if service.is_overnight:
        dates = interval.night_dates(starts_at, ends_at, zone)
    else:
        dates = [starts_at.astimezone(zone).date()]
    count, extra = len(dates), max(pet_count - 1, 0)
    lines = [_base_line(service, count)]
    if extra and service.extra_pet_price:
        lines.append(
            Line(LineKind.EXTRA_PET, _extra_text(service, extra, count), count * extra, service.extra_pet_price)
        )
    unit = service.price + extra * service.extra_pet_price
    surcharge = half_up(unit, service.holiday_percent)
    names = _holidays(service, dates) if surcharge else {}
    lines += [
        Line(LineKind.HOLIDAY, f"{names[day]}, {texts.day(day)}: +{service.holiday_percent} %", 1, surcharge)
        for day in dates
        if day in names
    ]
    lines += [Line(LineKind.ADDON, addon.name, 1, addon.price) for addon in addons]
    units = tuple(unit + (surcharge if day in names else 0) for day in dates)
    return Price(service.provider.currency, tuple(lines), units)


def _base_line(service: Service, count: int) -> Line:
    if service.is_overnight:
        return Line(LineKind.NIGHT, f"{service.name}, per night", count, service.price)
    return Line(LineKind.BASE, f"{service.name}, {texts.length(service.duration_minutes or 0)}", 1, service.price)


def _extra_text(service: Service, extra: int, count: int) -> str:
    pets = "1 more pet" if extra == 1 else f"{extra} more pets"
    return f"{pets}, per night" if service.is_overnight and count > 1 else pets


def _holidays(service: Service, dates: Sequence[date]) -> dict[date, str]:
    found = PublicHoliday.objects.filter(country=service.branch.country, on__in=dates)
    return dict(found.values_list("on", "name"))
