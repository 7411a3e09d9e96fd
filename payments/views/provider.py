"""Pages of a provider's managers."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from payments.models import Invoice, InvoiceState
from providers import permissions
from providers.models import Provider


def managed_provider(request: HttpRequest, slug: str) -> Provider:
    """Return the provider when the user manages it; 404 outside its team, 403 for other members."""
    provider = get_object_or_404(Provider.objects.run_by(request.user), slug=slug)
    if not permissions.can_manage(request.user, provider):
        raise PermissionDenied("Invoices are for managers.")
    return provider


@login_required
def invoices(request: HttpRequest, slug: str) -> HttpResponse:
    """List what owners pay and have paid, newest first, and what is still open."""
    provider = managed_provider(request, slug)
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


@login_required
def invoice(request: HttpRequest, slug: str, uid: UUID) -> HttpResponse:
    """Show one invoice with its lines, ready to be printed."""
    provider = managed_provider(request, slug)
    found = get_object_or_404(
        Invoice.objects.filter(provider=provider).with_parties().prefetch_related("lines"), uid=uid
    )
    return render(request, "payments/provider_detail.html", {"provider": provider, "invoice": found})
