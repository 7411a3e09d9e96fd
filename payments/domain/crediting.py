"""Asking for less: an invoice without a number is rewritten, one that was issued gets a credit note."""

from datetime import datetime

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
        _append(invoice, reason, -difference, position=invoice.lines.count())
        scale(invoice, to)
    return difference


def credit(invoice: Invoice, *, amount: int, reason: str, now: datetime) -> Invoice | None:
    """Write a credit note over ``amount`` for an issued invoice, in the same series of numbers."""
    if amount <= 0:
        return None
    fee, tax, _ = allocate(amount, _parts(invoice))
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


def _append(invoice: Invoice, description: str, amount: int, *, position: int) -> None:
    InvoiceLine.objects.create(
        invoice=invoice, position=position, kind=LineKind.REFUND, description=description[:250], quantity=1,
        unit_amount=amount, amount=amount,
    )  # fmt: skip
