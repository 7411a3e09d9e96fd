"""What a booking costs. The only place that computes a price; search computes the same number in SQL.

``unit`` is one night of a stay, or the whole of a timed visit:

    care     = units * (price + extra_pet_price * (pets - 1))
             + holiday units * half_up((price + extra_pet_price * (pets - 1)) * holiday_percent / 100)
             + add-ons
    discount = min(care, the promo code's amount or half_up(care * its percent))
    net      = care - discount
    fee      = min(cap, half_up(net * the platform's share of the owner))
    tax      = half_up(net * the provider's rate), where the prices do not contain it
    total    = net + fee + tax

A night is a holiday night when the local date on which it begins is a public holiday of the branch's country; a visit
when it begins on one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bookings.domain import interval, texts
from payments.domain import rates as shares
from payments.domain.invoices import InvoiceTerms, Line, total_of
from payments.domain.rates import Rates
from payments.models import LineKind, PromoCode
from petplace.money import half_up
from providers.choices import PaymentPolicy
from providers.models import AddOn, Provider, PublicHoliday, Service

WHOLE_BP = 10_000
# What is not the provider's work: it comes after the discount, the platform's line or the state's.
AFTER_CARE = frozenset({LineKind.DISCOUNT, LineKind.SERVICE_FEE, LineKind.TAX})


@dataclass(frozen=True)
class Price:
    """Explained amounts in minor units. ``units`` is the price of each night (or of the visit) without add-ons.

    ``tax_amount`` and ``owner_fee`` are inside the total. ``commission`` is the provider's share of the platform and
    ``subsidy`` a discount that the platform pays: neither is a line of the owner's.
    """

    currency: str
    lines: tuple[Line, ...]
    units: tuple[int, ...]
    tax_rate_bp: int = 0
    is_tax_inclusive: bool = False
    tax_amount: int = 0
    owner_fee: int = 0
    commission: int = 0
    subsidy: int = 0
    promo: PromoCode | None = None

    def terms(self, *, is_instant: bool) -> InvoiceTerms:
        """Return what the invoice must know beside its lines. A request is paid for only when it is accepted."""
        return InvoiceTerms(
            tax_rate_bp=self.tax_rate_bp,
            is_tax_inclusive=self.is_tax_inclusive,
            tax_amount=self.tax_amount,
            owner_fee=self.owner_fee,
            commission=self.commission,
            subsidy=self.subsidy,
            capture_method="automatic" if is_instant else "manual",
        )

    @property
    def total(self) -> int:
        return total_of(self.lines)

    @property
    def care(self) -> int:
        """The provider's prices, before a discount and what is added to them."""
        return total_of(line for line in self.lines if line.kind not in AFTER_CARE)

    @property
    def discount(self) -> int:
        return -total_of(line for line in self.lines if line.kind == LineKind.DISCOUNT)

    @property
    def addons_total(self) -> int:
        return total_of(line for line in self.lines if line.kind == LineKind.ADDON)


def price(
    service: Service,
    *,
    starts_at: datetime,
    ends_at: datetime,
    pet_count: int,
    addons: Sequence[AddOn] = (),
    promo: PromoCode | None = None,
) -> Price:
    """Price ``service`` for ``pet_count`` pets, in minor units of the provider's currency.

    ``promo`` is taken as it is: whether it may be used is asked in ``payments.domain.promos``.
    """
    zone = service.branch.zone
    if service.is_overnight:
        dates = interval.night_dates(starts_at, ends_at, zone)
    else:
        dates = [starts_at.astimezone(zone).date()]
    lines, units = _care(service, dates, pet_count)
    lines += [Line(LineKind.ADDON, addon.name, 1, addon.price) for addon in addons]
    return all_in(lines, units, provider=service.provider, rates=shares.rates_of(service), promo=promo)


def all_in(
    lines: Sequence[Line], units: Sequence[int], *, provider: Provider, rates: Rates, promo: PromoCode | None = None
) -> Price:
    """Put discount, service fee and tax below the lines of the care itself. Asks no database.

    What the platform takes of the provider is a share of what the provider gets: after a discount of the provider's
    own, before one that the platform pays, and never of an inclusive tax.
    """
    lines = list(lines)
    care = total_of(lines)
    discount = discount_of(promo, care) if promo else 0
    net = care - discount
    subsidy = discount if promo and promo.is_platforms else 0
    fee = rates.of_owner(net)
    tax = tax_of(net, provider.tax_rate_bp, is_inclusive=provider.is_tax_inclusive)
    if promo and discount:
        lines.append(Line(LineKind.DISCOUNT, f"Promo code {promo.code}", 1, -discount))
    if fee:
        lines.append(Line(LineKind.SERVICE_FEE, "Service fee", 1, fee))
    if tax and not provider.is_tax_inclusive:
        lines.append(Line(LineKind.TAX, f"Tax, {provider.tax_percent} %", 1, tax))
    gets = net + subsidy
    return Price(
        provider.currency,
        tuple(lines),
        tuple(units),
        tax_rate_bp=provider.tax_rate_bp,
        is_tax_inclusive=provider.is_tax_inclusive,
        tax_amount=tax,
        owner_fee=fee,
        commission=min(rates.of_provider(gets), gets - tax if provider.is_tax_inclusive else gets),
        subsidy=subsidy,
        promo=promo,
    )


def discount_of(promo: PromoCode, care: int) -> int:
    """Return what ``promo`` takes off: never more than there is."""
    wanted = half_up(care * promo.percent_bp, WHOLE_BP) if promo.percent_bp is not None else promo.amount or 0
    return min(wanted, care)


def tax_of(net: int, rate_bp: int, *, is_inclusive: bool) -> int:
    """Return the tax that ``net`` contains, or that is added to it."""
    return half_up(net * rate_bp, WHOLE_BP + rate_bp if is_inclusive else WHOLE_BP)


def of_unit(service: Service, rates: Rates) -> Price:
    """Return the all-in price of one unit for one pet on an ordinary day: what lists say. Asks no database."""
    return all_in([_base_line(service, 1)], [service.price], provider=service.provider, rates=rates)


def prepay_amount(service: Service, total: int) -> int:
    """Return what must be paid before the booking is placed, by the service's payment policy."""
    if service.payment_policy == PaymentPolicy.PREPAY:
        return total
    if service.payment_policy == PaymentPolicy.DEPOSIT:
        return half_up(total * service.deposit_percent, 100)
    return 0


def _care(service: Service, dates: Sequence[date], pet_count: int) -> tuple[list[Line], tuple[int, ...]]:
    """Return the lines of the care itself without add-ons, and what each unit costs."""
    count, extra = len(dates), max(pet_count - 1, 0)
    lines = [_base_line(service, count)]
    if extra and service.extra_pet_price:
        lines.append(
            Line(LineKind.EXTRA_PET, _extra_text(service, extra, count), count * extra, service.extra_pet_price)
        )
    unit = service.price + extra * service.extra_pet_price
    surcharge = half_up(unit * service.holiday_percent, 100)
    names = _holidays(service, dates) if surcharge else {}
    lines += [
        Line(LineKind.HOLIDAY, f"{names[day]}, {texts.day(day)}: +{service.holiday_percent} %", 1, surcharge)
        for day in dates
        if day in names
    ]
    return lines, tuple(unit + (surcharge if day in names else 0) for day in dates)


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
