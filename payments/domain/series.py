"""Numbers of invoices: one gapless series per provider and year."""

from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.urls import reverse

from messaging.domain import notify
from messaging.models import Channel
from payments.models import Invoice, InvoiceKind, InvoiceSeries
from petplace.money import format_money
from providers.models import Branch

MAIL_KIND = "invoice_issued"
TAKE = "UPDATE payments_invoiceseries SET next = next + 1 WHERE provider_id = %s AND year = %s RETURNING next - 1"


def issue(invoice: Invoice, *, now: datetime) -> None:
    """Give ``invoice`` its number, once. The caller has locked it.

    The series stays locked until the end of the transaction, so that one that fails leaves no gap: it is the last lock
    that a transaction takes.
    """
    if invoice.issued_at is not None:
        return
    year = _local_year(invoice.provider_id, now)
    invoice.number = f"{year}-{_next(invoice.provider_id, year):06d}"
    invoice.issued_at = now
    invoice.save(update_fields=["number", "issued_at"])
    _send(invoice, now)


def _send(invoice: Invoice, now: datetime) -> None:
    """E-mail it to the payer; ``payments.apps`` says how the PDF is made when the mail goes out."""
    what = {InvoiceKind.CREDIT_NOTE: "credit note", InvoiceKind.TIP: "receipt"}.get(
        InvoiceKind(invoice.kind), "invoice"
    )
    notify(
        invoice.payer, MAIL_KIND, key=f"{MAIL_KIND}:{invoice.uid}", topic=f"invoice:{invoice.uid}", now=now,
        title=f"Your {what} {invoice.number}",
        body=f"{invoice.subject}, {invoice.provider.name}: {format_money(invoice.total, invoice.currency)}. "
        f"The {what} comes with this mail as a PDF.",
        url=reverse("payments:detail", args=[invoice.uid]), channels=(Channel.EMAIL,),
    )  # fmt: skip


def _next(provider_id: int, year: int) -> int:
    if settings.DISABLE_PAYMENT_LOCKS:
        row, _ = InvoiceSeries.objects.get_or_create(provider_id=provider_id, year=year)
        InvoiceSeries.objects.filter(pk=row.pk).update(next=row.next + 1)
        return row.next
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [provider_id, year])
        row = cursor.fetchone()
        if row is None:
            InvoiceSeries.objects.bulk_create(
                [InvoiceSeries(provider_id=provider_id, year=year)], ignore_conflicts=True
            )
            cursor.execute(TAKE, [provider_id, year])
            row = cursor.fetchone()
    return int(row[0])


def _local_year(provider_id: int, now: datetime) -> int:
    """Return the year by the clock of the provider's first branch, UTC without one."""
    branch = Branch.objects.filter(provider_id=provider_id).order_by("pk").first()
    return now.astimezone(branch.zone if branch else UTC).year
