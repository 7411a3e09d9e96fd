"""Money as people read it. Amounts are integers in the currency's smallest unit, everywhere."""

from collections.abc import Sequence
from decimal import Decimal

# ISO 4217: the currencies whose smallest unit is not a hundredth.
_EXPONENTS = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}
_SYMBOLS = {
    "USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "KZT": "₸", "INR": "₹", "ILS": "₪", "KRW": "₩", "TRY": "₺",
    "UAH": "₴", "GEL": "₾", "AUD": "A$", "CAD": "CA$", "NZD": "NZ$", "MXN": "MX$", "BRL": "R$", "VND": "₫",
}  # fmt: skip
NO_BREAK_SPACE = "\u00a0"
MINUS = "\u2212"


def exponent(currency: str) -> int:
    """How many decimal places the currency has: 2 for most, 0 for JPY, 3 for KWD."""
    return _EXPONENTS.get(currency.upper(), 2)


def format_money(amount: int, currency: str, *, short: bool = False) -> str:
    """Write minor units for people: ``$1,250.00``, ``¥1,250``, ``KWD 1.250``. ``short`` drops a zero fraction."""
    currency = currency.upper()
    places = exponent(currency)
    value = Decimal(abs(amount)).scaleb(-places)
    if short and amount % 10**places == 0:
        places = 0
    symbol = _SYMBOLS.get(currency, f"{currency}{NO_BREAK_SPACE}")
    return f"{MINUS if amount < 0 else ''}{symbol}{value:,.{places}f}"


def half_up(numerator: int, denominator: int) -> int:
    """Divide, a half rounded away from zero: the one rounding of money. ``denominator`` is positive.

    >>> half_up(5, 2), half_up(-5, 2), half_up(1999, 100)
    (3, -3, 20)
    """
    if denominator <= 0:
        raise ValueError("half_up divides by positive numbers only")
    rounded = (2 * abs(numerator) + denominator) // (2 * denominator)
    return -rounded if numerator < 0 else rounded


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` by ``weights`` without losing a unit: the largest remainders get what rounding left over.

    Equal remainders go to the first. A negative total is split like its opposite. All weights zero: the last gets all.
    """
    if not weights or min(weights) < 0:
        raise ValueError("allocate needs weights that are not negative")
    if total < 0:
        return [-share for share in allocate(-total, weights)]
    whole = sum(weights)
    if not whole:
        return [0] * (len(weights) - 1) + [total]
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares
