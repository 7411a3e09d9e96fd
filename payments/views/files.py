"""Invoices as files: downloads, and what goes with the mail about one."""

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from messaging.channels.base import Attachment
from messaging.models import Notification
from payments import documents
from payments.models import Invoice

PDF = "application/pdf"


def pdf_response(invoice: Invoice) -> HttpResponse:
    """Serve the PDF to somebody who may see it (the caller has checked that), and to no cache."""
    response = HttpResponse(documents.invoice_pdf(invoice), content_type=PDF)
    disposition = content_disposition_header(True, documents.file_name(invoice))
    assert disposition is not None
    response["Content-Disposition"] = disposition
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def attached(notification: Notification) -> list[Attachment]:
    """Return the PDF of the invoice that a mail tells of, as it is when the mail goes out."""
    invoice = Invoice.objects.for_paper().get(uid=notification.topic.removeprefix("invoice:"))
    return [Attachment(documents.file_name(invoice), documents.invoice_pdf(invoice), PDF)]
