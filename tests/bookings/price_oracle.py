"""What a booking costs, said once more: exact fractions, rounded once where the rules round. Shares no code with the
product."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Basket:
    """Everything that a price depends on. Money in minor units, rates in basis points."""

    unit: int = 0
    extra_pet: int = 0
    pets: int = 1
    units: int = 1
    holiday_units: int = 0
    holiday_percent: int = 0
    addons: tuple[int, ...] = ()
    promo_bp: int | None = None
    promo_amount: int | None = None
    is_platforms_promo: bool = False
    tax_bp: int = 0
    is_tax_inclusive: bool = False
    owner_bp: int = 0
    provider_bp: int = 0
    cap: int | None = None


@dataclass(frozen=True)
class Sums:
    care: int
    discount: int
    fee: int
    tax: int
    commission: int
    subsidy: int
    total: int
    unit_prices: tuple[int, ...]


def rounded(value: Fraction) -> int:
    """The nearest whole number, a half upwards."""
    return int((value + Fraction(1, 2)) // 1)


def sums(basket: Basket) -> Sums:
    plain = basket.unit + basket.extra_pet * (basket.pets - 1)
    holiday = plain + rounded(Fraction(plain * basket.holiday_percent, 100))
    prices = (holiday,) * basket.holiday_units + (plain,) * (basket.units - basket.holiday_units)
    care = sum(prices) + sum(basket.addons)
    discount = 0
    if basket.promo_bp is not None:
        discount = rounded(care * Fraction(basket.promo_bp, 10_000))
    elif basket.promo_amount is not None:
        discount = basket.promo_amount
    discount = min(discount, care)
    net = care - discount
    rate = Fraction(basket.tax_bp, 10_000)
    tax = rounded(net * rate / (1 + rate) if basket.is_tax_inclusive else net * rate)
    fee = capped(basket, rounded(net * Fraction(basket.owner_bp, 10_000)))
    subsidy = discount if basket.is_platforms_promo else 0
    work = net + subsidy
    commission = capped(basket, rounded(work * Fraction(basket.provider_bp, 10_000)))
    commission = min(commission, work - (tax if basket.is_tax_inclusive else 0))
    total = net + fee + (0 if basket.is_tax_inclusive else tax)
    return Sums(care, discount, fee, tax, commission, subsidy, total, prices)


def capped(basket: Basket, amount: int) -> int:
    return amount if basket.cap is None else min(amount, basket.cap)
