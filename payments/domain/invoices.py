"""Invoices: written once from a price's lines, then only settled, reduced or voided."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import User
from payments.models import Invoice, InvoiceLine, InvoiceState, LineKind
from petplace.errors import InvalidTransition
from providers.models import Provider


@dataclass(frozen=True)
class Line:
    """One explained amount of a price, in minor units. ``amount`` is ``quantity`` times ``unit_amount``."""

    kind: LineKind
    description: str
    quantity: int
    unit_amount: int

    @property
    def amount(self) -> int:
        return self.quantity * self.unit_amount


def total_of(lines: Iterable[Line]) -> int:
    return sum(line.amount for line in lines)


@transaction.atomic(savepoint=False)
def write(
    *, provider: Provider, payer: User, subject: str, currency: str, lines: Iterable[Line], due_at: datetime
) -> Invoice:
    """Write an open invoice; its total is the sum of ``lines`` (minor units of ``currency``)."""
    lines = list(lines)
    invoice = Invoice.objects.create(
        provider=provider, payer=payer, subject=subject, currency=currency, total=total_of(lines), due_at=due_at
    )
    _append(invoice, lines)
    return invoice


@transaction.atomic
def rewrite(invoice: Invoice, *, lines: Iterable[Line], due_at: datetime) -> Invoice:
    """Replace the lines of an open invoice whose subject was re-quoted (a moved booking)."""
    invoice = _locked(invoice, InvoiceState.OPEN)
    lines = list(lines)
    invoice.lines.all().delete()
    _append(invoice, lines)
    invoice.total = total_of(lines)
    invoice.due_at = due_at
    invoice.save(update_fields=["total", "due_at"])
    return invoice


@transaction.atomic
def reduce_to(invoice: Invoice, *, keep: int, reason: str, now: datetime) -> Invoice:
    """Leave ``keep`` minor units owed by a refund line that says why; nothing owed voids the invoice.

    Raises InvalidTransition when the invoice is not open.
    """
    invoice = _locked(invoice, InvoiceState.OPEN)
    given_back = invoice.total - keep
    if keep < 0 or given_back < 0:
        raise ValueError(f"cannot keep {keep} of {invoice.total}")
    if keep == 0:
        invoice.state, invoice.voided_at = InvoiceState.VOID, now
        invoice.save(update_fields=["state", "voided_at"])
    elif given_back:
        _append(invoice, [Line(LineKind.REFUND, reason, 1, -given_back)], start=invoice.lines.count())
        invoice.total = keep
        invoice.save(update_fields=["total"])
    return invoice


@transaction.atomic
def settle(invoice: Invoice, *, now: datetime) -> Invoice:
    """Mark an open invoice as paid at the visit. Does nothing to one that is already paid or void."""
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if invoice.state == InvoiceState.OPEN:
        invoice.state, invoice.paid_at, invoice.paid_amount = InvoiceState.PAID, now, invoice.total
        invoice.save(update_fields=["state", "paid_at", "paid_amount"])
    return invoice


def _locked(invoice: Invoice, state: InvoiceState) -> Invoice:
    invoice = Invoice.objects.select_for_update().get(pk=invoice.pk)
    if invoice.state != state:
        raise InvalidTransition(f"The invoice is {invoice.get_state_display().lower()} and cannot be changed.")
    return invoice


def _append(invoice: Invoice, lines: Iterable[Line], *, start: int = 0) -> None:
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            kind=line.kind,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
        )
        for position, line in enumerate(lines, start=start)
    )
