"""Money as people read it. Amounts are integers in the currency's smallest unit, everywhere."""

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
