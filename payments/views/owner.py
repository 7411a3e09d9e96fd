"""Pages of the one who pays."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render

from payments.domain import invoices as domain
from payments.models import Invoice
from payments.views.files import pdf_response
from petplace.http import SignedInRequest


@login_required
def invoices(request: SignedInRequest) -> HttpResponse:
    """List what the user has to pay and has paid, newest first."""
    page = Paginator(Invoice.objects.paid_by(request.user).with_parties(), 20).get_page(request.GET.get("page"))
    return render(request, "payments/list.html", {"page_obj": page})


@login_required
def invoice(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Show one invoice with its lines and its family, ready to be printed."""
    found = get_object_or_404(Invoice.objects.paid_by(request.user).for_paper(), uid=uid)
    context = {"invoice": found, "family": domain.family_of(found), "payments": domain.money_on(found)}
    return render(request, "payments/detail.html", context)


@login_required
def pdf(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Download one invoice."""
    return pdf_response(get_object_or_404(Invoice.objects.paid_by(request.user).for_paper(), uid=uid))
