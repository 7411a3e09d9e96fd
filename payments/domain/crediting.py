"""Asking for less: an invoice without a number is rewritten, one that was issued gets a credit note."""

from datetime import datetime

from django.db.models import Sum

from payments.domain import series
from payments.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, LineKind
from petplace.money import allocate, half_up


def lower(invoice: Invoice, *, to: int, reason: str, now: datetime) -> int:
    """Bring the claim of a locked invoice down to ``to``; return by how much. Nothing left voids it."""
    difference = invoice.claim - to
    if difference <= 0 and not (to == 0 and invoice.total == 0):
        return 0
    if invoice.is_issued:
        credit(invoice, amount=difference, reason=reason, now=now)
    elif to == 0:
        invoice.state, invoice.voided_at = InvoiceState.VOID, now
        invoice.save(update_fields=["state", "voided_at"])
    else:
        _shorten(invoice, to, reason)
    return difference


def _shorten(invoice: Invoice, to: int, reason: str) -> None:
    """Add a line that says what is not asked for any more; a tax on top has one of its own, so that both add up."""
    difference, tax_before = invoice.total - to, invoice.tax_amount
    position = invoice.lines.count()
    scale(invoice, to)
    tax = tax_before - invoice.tax_amount if invoice.has_tax_line else 0
    _append(invoice, reason, tax - difference, position=position)
    if tax:
        _append(invoice, f"Tax, {invoice.tax_percent} %", -tax, position=position + 1, kind=LineKind.TAX)


def credit(invoice: Invoice, *, amount: int, reason: str, now: datetime) -> Invoice | None:
    """Write a credit note over ``amount`` for an issued invoice, in the same series of numbers.

    Its fee and tax are what the invoice and its earlier notes leave beside the parts of what is still claimed, as the
    ledger divides it: all notes of an invoice that is credited whole carry its tax to the minor unit.
    """
    if amount <= 0:
        return None
    fee, tax = _taken_back(invoice, amount)
    note = Invoice.objects.create(
        kind=InvoiceKind.CREDIT_NOTE, parent_id=invoice.root_id, credits=invoice, provider_id=invoice.provider_id,
        payer_id=invoice.payer_id, subject=invoice.subject, currency=invoice.currency, total=amount, tax_amount=tax,
        owner_fee=fee, tax_rate_bp=invoice.tax_rate_bp, is_tax_inclusive=invoice.is_tax_inclusive,
        state=InvoiceState.PAID, paid_at=now, due_at=now,
    )  # fmt: skip
    _append(note, reason or "Credit", amount, position=0)
    series.issue(note, now=now)
    invoice.credited_amount += amount
    invoice.save(update_fields=["credited_amount"])
    return note


def _taken_back(invoice: Invoice, amount: int) -> tuple[int, int]:
    """Return how much of a credit is fee and how much is tax."""
    fee_left, tax_left, _ = allocate(invoice.claim - amount, _parts(invoice))
    noted = invoice.credit_notes.aggregate(fee=Sum("owner_fee", default=0), tax=Sum("tax_amount", default=0))
    fee = min(max(invoice.owner_fee - noted["fee"] - fee_left, 0), amount)
    return fee, min(max(invoice.tax_amount - noted["tax"] - tax_left, 0), amount - fee)


def scale(invoice: Invoice, total: int) -> None:
    """Change the total of an invoice without a number, and its parts with it in proportion."""
    before = invoice.total
    fee, tax, _ = allocate(total, _parts(invoice)) if before else (0, 0, total)
    invoice.total, invoice.owner_fee, invoice.tax_amount = total, fee, tax
    if before:
        invoice.subsidy = half_up(invoice.subsidy * total, before)
        room = total - fee - tax + invoice.subsidy
        invoice.commission = min(half_up(invoice.commission * total, before), room)
    invoice.prepay_amount = min(invoice.prepay_amount, total)
    invoice.save(update_fields=["total", "owner_fee", "tax_amount", "subsidy", "commission", "prepay_amount"])


def _parts(invoice: Invoice) -> tuple[int, int, int]:
    return invoice.owner_fee, invoice.tax_amount, invoice.total - invoice.owner_fee - invoice.tax_amount


def _append(
    invoice: Invoice, description: str, amount: int, *, position: int, kind: LineKind = LineKind.REFUND
) -> None:
    InvoiceLine.objects.create(
        invoice=invoice, position=position, kind=kind, description=description[:250], quantity=1, unit_amount=amount,
        amount=amount,
    )  # fmt: skip
