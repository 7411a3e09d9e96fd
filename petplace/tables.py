"""Tables as CSV that spreadsheets open without running anything in them."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

from petplace.money import exponent

# A cell that begins so is a formula to spreadsheets (OWASP, CSV Injection).
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads UTF-8 as something else

Cell = str | int | Decimal | None


def plain_amount(amount: int, currency: str) -> Decimal:
    """Return minor units as a number for a table: 1250 EUR is 12.50."""
    return Decimal(amount).scaleb(-exponent(currency))


def inert(cell: Cell) -> str:
    """Return a cell's text. A text that would be a formula gets an apostrophe before it; a number stays a number."""
    if cell is None:
        return ""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    if isinstance(cell, int):
        return str(cell)
    return f"'{cell}" if cell.lstrip(" ").startswith(FORMULA_STARTS) else cell


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    return out.getvalue()
