"""A sale and its children, locked together. Every change of money begins here."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import QuerySet

from payments.domain import subjects
from payments.models import Invoice, InvoiceKind, Payment


@dataclass
class Family:
    """Rows that were read after they were locked. ``children`` are in the order of their ids."""

    sale: Invoice
    children: list[Invoice] = field(default_factory=list)

    def __iter__(self) -> Iterator[Invoice]:
        yield self.sale
        yield from self.children

    def member(self, pk: int) -> Invoice:
        return next(invoice for invoice in self if invoice.pk == pk)

    @property
    def is_earned(self) -> bool:
        return self.sale.earned_at is not None

    @property
    def payable(self) -> list[Invoice]:
        """All that money can be paid on: credit notes are not."""
        return [invoice for invoice in self if not invoice.is_credit_note]

    @property
    def claimants(self) -> list[Invoice]:
        """What the provider asks for the work: the sale and extra charges. A tip is nobody's claim."""
        return [invoice for invoice in self if invoice.kind in (InvoiceKind.SALE, InvoiceKind.EXTRA)]


def lock(invoice: Invoice) -> Family:
    """Lock what stands above, the sale, then its children. Must be called in a transaction.

    Two statements: children that came while we waited for the sale are only seen by the second one.
    """
    sale = invoice if invoice.parent_id is None else Invoice.objects.get(pk=invoice.parent_id)
    subjects.lock(sale)
    rows = guarded(Invoice.objects.select_related("provider"))
    return Family(rows.get(pk=sale.pk), list(rows.filter(parent_id=sale.pk).order_by("pk")))


def lock_payment(payment: Payment) -> Payment:
    """Lock a payment; its family must be locked before."""
    found = Payment.objects.all()
    if not settings.DISABLE_PAYMENT_LOCKS:
        found = found.select_for_update(of=("self",), no_key=True)
    return found.get(pk=payment.pk)


def guarded(rows: "QuerySet[Invoice]") -> "QuerySet[Invoice]":
    """Lock the rows of a query, unless a control run wants to see what happens without."""
    return rows if settings.DISABLE_PAYMENT_LOCKS else rows.select_for_update(of=("self",), no_key=True)
