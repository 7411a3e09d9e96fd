"""Tables as CSV: nothing in them runs, and numbers stay numbers."""

import csv
import io
from decimal import Decimal

import pytest

from petplace.tables import csv_text, inert, plain_amount


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "=cmd|' /C calc'!A0", " =1+1", "   -2"],
)
def test_formulas_are_made_inert(text: str) -> None:
    assert inert(text) == f"'{text}"


@pytest.mark.parametrize("text", ["Rex", "1=2", "a-b", "", "'=1", "Walk @ noon", "Ёлка"])
def test_other_texts_stay(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize(
    ("cell", "text"),
    [(-5, "-5"), (0, "0"), (Decimal("-12.50"), "-12.50"), (Decimal("1E+3"), "1000"), (None, "")],
)
def test_numbers_stay_numbers(cell: int | Decimal | None, text: str) -> None:
    assert inert(cell) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1250, "EUR", "12.50"),
        (-1250, "EUR", "-12.50"),
        (1250, "JPY", "1250"),
        (1250, "KWD", "1.250"),
        (0, "EUR", "0.00"),
    ],
)
def test_amounts_have_the_places_of_their_currency(amount: int, currency: str, text: str) -> None:
    assert inert(plain_amount(amount, currency)) == text


def test_csv_is_read_back_as_it_was() -> None:
    text = csv_text(["Name", "Sum"], [['Say "hi", all', Decimal("-0.05")], ["=1", 3], ["Алматы", None]])

    assert text.startswith("\ufeff")
    assert list(csv.reader(io.StringIO(text[1:]))) == [
        ["Name", "Sum"], ['Say "hi", all', "-0.05"], ["'=1", "3"], ["Алматы", ""],
    ]  # fmt: skip
