"""Pages of a provider's managers."""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from payments.models import Invoice, InvoiceState
from providers.models import Provider
from providers.views.access import manager_page


@manager_page
def invoices(request: HttpRequest, provider: Provider) -> HttpResponse:
    """List what owners pay and have paid, newest first, and what is still open."""
    found = Invoice.objects.filter(provider=provider)
    state = request.GET.get("state", "")
    shown = found.filter(state=state) if state in InvoiceState.values else found
    return render(
        request,
        "payments/provider_list.html",
        {
            "provider": provider,
            "page_obj": Paginator(shown.with_parties(), 20).get_page(request.GET.get("page")),
            "sums": found.sums(),
            "chips": [
                {"label": label, "href": f"?state={value}" if value else "?", "active": state == value}
                for value, label in [("", "All"), *InvoiceState.choices]
            ],
        },
    )


@manager_page
def invoice(request: HttpRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Show one invoice with its lines, ready to be printed."""
    found = get_object_or_404(
        Invoice.objects.filter(provider=provider).with_parties().prefetch_related("lines"), uid=uid
    )
    return render(request, "payments/provider_detail.html", {"provider": provider, "invoice": found})
