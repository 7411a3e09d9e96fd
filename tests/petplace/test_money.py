"""Amounts as people read them."""

import pytest

from petplace.money import exponent, format_money


@pytest.mark.parametrize(("currency", "places"), [("EUR", 2), ("JPY", 0), ("kwd", 3)])
def test_exponent_follows_iso_4217(currency, places):
    assert exponent(currency) == places


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (125000, "USD", "$1,250.00"),
        (125000, "JPY", "¥125,000"),
        (1250, "KWD", "KWD\u00a01.250"),
        (0, "EUR", "€0.00"),
        (-1250, "EUR", "\u2212€12.50"),
        (5, "kzt", "₸0.05"),
    ],
)
def test_format_money_places_the_point_by_currency(amount, currency, text):
    assert format_money(amount, currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"), [(4500, "EUR", "€45"), (4550, "EUR", "€45.50"), (450, "JPY", "¥450")]
)
def test_format_money_short_drops_only_a_zero_fraction(amount, currency, text):
    assert format_money(amount, currency, short=True) == text
