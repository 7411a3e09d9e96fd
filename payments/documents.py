"""Invoices as PDF: A4, fonts embedded, the same bytes for the same rows.

DejaVu covers Latin, Cyrillic and Greek and nearly every currency sign; reportlab does not shape Arabic or Indic script.
"""

import io
from datetime import datetime, tzinfo
from functools import cache, partial
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import HRFlowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from payments.domain import finance
from payments.models import Invoice
from petplace.money import format_money

FONT, BOLD = "DejaVuSans", "DejaVuSans-Bold"
INK, QUIET, RULE, PETROL = HexColor("#13262b"), HexColor("#4d5e64"), HexColor("#d8d0c2"), HexColor("#123c44")
WIDTH = A4[0] - 40 * mm
PADDING = 6  # points, of reportlab's frames
TITLES = {"sale": "Invoice", "extra": "Invoice", "tip": "Receipt for a tip", "credit_note": "Credit note"}


def invoice_pdf(invoice: Invoice) -> bytes:
    """Return the invoice as a PDF. Load it ``with_parties``, with its lines and what it credits."""
    _register_fonts()
    out = io.BytesIO()
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=20 * mm - PADDING, rightMargin=20 * mm - PADDING,
        topMargin=20 * mm, bottomMargin=22 * mm,
        title=f"{title_of(invoice)} {invoice.label}", author=invoice.provider.name, creator="Pet Place", lang="en",
        invariant=1,
    )  # fmt: skip
    zone = finance.zone_of(invoice.provider)
    story = [*_head(invoice, zone), *_lines(invoice), KeepTogether(_sums(invoice, zone))]
    document.build(story, canvasmaker=partial(_NumberedCanvas, foot=f"{invoice.provider.name} · {invoice.label}"))
    return out.getvalue()


def title_of(invoice: Invoice) -> str:
    return TITLES[invoice.kind] if invoice.is_issued else "Price, no invoice yet"


def file_name(invoice: Invoice) -> str:
    """Return a harmless name: ``invoice-2026-000017.pdf``."""
    return f"{'credit-note' if invoice.is_credit_note else 'invoice'}-{invoice.label.lower()}.pdf"


def money(amount: int, currency: str) -> str:
    """Write an amount with the currency's sign if the font has it, else with its code."""
    text = format_money(amount, currency)
    font: Any = pdfmetrics.getFont(FONT)
    known = font.face.charToGlyph
    if all(ord(char) in known for char in text):
        return text
    digits = "".join(char for char in text if char.isdigit() or char in ".,\u2212")
    return f"{currency}\u00a0{digits}"


@cache
def _register_fonts() -> None:
    folder = settings.BASE_DIR / "static" / "vendor" / "fonts" / "dejavu"
    for name in (FONT, BOLD):
        if not (folder / f"{name}.ttf").exists():
            raise ImproperlyConfigured(f"{folder} has no {name}.ttf: scripts/vendor.py brings it.")
        pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=BOLD, italic=FONT, boldItalic=BOLD)


def _style(name: str = "body", **options: Any) -> ParagraphStyle:
    look: dict[str, Any] = {"fontName": FONT, "fontSize": 9, "leading": 13, "textColor": INK} | options
    return ParagraphStyle(name, **look)


def _text(text: str, **options: Any) -> Paragraph:
    return Paragraph(escape(text).replace("\n", "<br/>"), _style(**options))


def _right(text: str, **options: Any) -> Paragraph:
    return _text(text, alignment=TA_RIGHT, **options)


def _day(moment: datetime, zone: tzinfo) -> str:
    local = moment.astimezone(zone)
    return f"{local.day} {local:%B %Y}"


def _head(invoice: Invoice, zone: tzinfo) -> list[Any]:
    provider = invoice.provider
    top = Table(
        [[_text(provider.name, fontName=BOLD, fontSize=15, leading=19, textColor=PETROL),
          [_right(title_of(invoice), fontName=BOLD, fontSize=15, leading=19), _right(invoice.label, textColor=QUIET)]]],
        colWidths=[WIDTH * 0.55, WIDTH * 0.45],
    )  # fmt: skip
    top.setStyle(TableStyle([*_flush(), ("VALIGN", (0, 0), (-1, -1), "TOP")]))
    facts = [("From", _supplier(invoice)), ("For", invoice.payer.get_full_name())]
    dates = [("Date", _day(invoice.issued_at or invoice.created_at, zone))]
    if not invoice.is_credit_note:
        dates.append(("Visit" if invoice.kind == "sale" else "Due", _day(invoice.due_at, zone)))
    booking = getattr(invoice.parent or invoice, "booking", None)
    if booking is not None:
        dates.append(("Booking", booking.reference))
    if invoice.credits is not None:
        dates.append(("Credits", invoice.credits.label))
    about = Table([[_facts(facts), _facts(dates)]], colWidths=[WIDTH * 0.58, WIDTH * 0.42])
    about.setStyle(TableStyle([*_flush(), ("VALIGN", (0, 0), (-1, -1), "TOP")]))
    return [
        top, Spacer(0, 5 * mm), HRFlowable(width="100%", thickness=0.8, color=RULE), Spacer(0, 5 * mm), about,
        Spacer(0, 8 * mm), _text(invoice.subject, fontName=BOLD, fontSize=11, leading=15), Spacer(0, 3 * mm),
    ]  # fmt: skip


def _supplier(invoice: Invoice) -> str:
    provider = invoice.provider
    branch = provider.branches.order_by("pk").first()
    place = ", ".join(filter(None, [branch.city, branch.country])) if branch else ""
    tax_id = f"Tax number {provider.tax_id}" if provider.tax_id else ""
    return "\n".join(filter(None, [provider.name, place, tax_id]))


def _facts(rows: list[tuple[str, str]]) -> Table:
    table = Table([[_text(name, textColor=QUIET), _text(value)] for name, value in rows], colWidths=[20 * mm, None])
    table.setStyle(TableStyle([*_flush(), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)]))
    return table


def _lines(invoice: Invoice) -> list[Any]:
    head = [_text("What", textColor=QUIET), *(_right(name, textColor=QUIET) for name in ("Count", "Each", "Amount"))]
    rows = [
        [
            _text(line.description),
            _right(str(line.quantity)),
            _right(money(line.unit_amount, invoice.currency)),
            _right(money(line.amount, invoice.currency)),
        ]
        for line in invoice.lines.all()
    ]
    table = Table([head, *rows], colWidths=[WIDTH * 0.5, WIDTH * 0.1, WIDTH * 0.2, WIDTH * 0.2], repeatRows=1)
    table.setStyle(
        TableStyle([
            ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, 0), 0.8, PETROL),
            ("LINEBELOW", (0, 1), (-1, -1), 0.4, RULE), ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0), ("TOPPADDING", (0, 0), (-1, -1), 5),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 5),
        ])
    )  # fmt: skip
    return [table, Spacer(0, 4 * mm)]


def sum_rows(invoice: Invoice) -> list[tuple[str, int, bool]]:
    """Return what stands below the lines: a name, minor units, and whether it is the total."""
    rows = []
    if invoice.tax_amount and not invoice.is_credit_note:
        rows.append(("Without tax", invoice.total - invoice.tax_amount, False))
        if not invoice.has_tax_line:
            rows.append((f"Tax {invoice.tax_percent} % included", invoice.tax_amount, False))
    rows.append(("Credited" if invoice.is_credit_note else "Total", invoice.total, True))
    if invoice.is_credit_note:
        if invoice.tax_amount:
            rows.append((f"Tax {invoice.tax_percent} % in it", invoice.tax_amount, False))
        return rows
    if invoice.credited_amount:
        rows.append(("Credited since", -invoice.credited_amount, False))
    if invoice.paid_amount:
        rows.append(("Paid", -invoice.paid_amount, False))
    if invoice.credited_amount or invoice.paid_amount:
        rows.append(("Still to be paid", invoice.outstanding, False))
    return rows


def _sums(invoice: Invoice, zone: tzinfo) -> list[Any]:
    rows, styles = [], [*_flush(), ("TOPPADDING", (0, 0), (-1, -1), 3), ("BOTTOMPADDING", (0, 0), (-1, -1), 3)]
    for number, (name, amount, is_total) in enumerate(sum_rows(invoice)):
        look: dict[str, Any] = {"fontName": BOLD, "fontSize": 12, "leading": 16} if is_total else {}
        rows.append(["", _text(name, **look), _right(money(amount, invoice.currency), **look)])
        if is_total:
            styles.append(("LINEABOVE", (1, number), (-1, number), 0.8, PETROL))
    table = Table(rows, colWidths=[WIDTH * 0.42, WIDTH * 0.34, WIDTH * 0.24])
    table.setStyle(TableStyle(styles))
    return [table, Spacer(0, 8 * mm), _text(_note(invoice, zone), textColor=QUIET)]


def _note(invoice: Invoice, zone: tzinfo) -> str:
    if invoice.is_void:
        return "This is void: nothing is to be paid."
    if invoice.is_credit_note:
        return "What was paid of it goes back the way it came."
    if invoice.is_paid and invoice.paid_at is not None:
        return f"Paid on {_day(invoice.paid_at, zone)}. Thank you."
    if not invoice.is_issued:
        return "The invoice, with its number, comes with the payment or after the visit."
    return f"Please pay {money(invoice.outstanding, invoice.currency)} online or at the visit."


def _flush() -> list[Any]:
    return [("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 0)]  # fmt: skip


class _NumberedCanvas(Canvas):
    """Writes the foot of every page once it is known how many there are."""

    def __init__(self, *args: Any, foot: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.foot = foot
        self.pages: list[dict[str, Any]] = []

    def showPage(self) -> None:  # noqa: N802  reportlab names it so
        self.pages.append(dict(self.__dict__))
        self._startPage()  # type: ignore[attr-defined]  # what reportlab's own showPage calls

    def save(self) -> None:
        for number, page in enumerate(self.pages, start=1):
            self.__dict__.update(page)
            self.setFont(FONT, 7.5)
            self.setFillColor(QUIET)
            self.drawString(20 * mm, 12 * mm, self.foot[:110])
            self.drawRightString(A4[0] - 20 * mm, 12 * mm, f"{number} / {len(self.pages)}")
            super().showPage()
        super().save()
