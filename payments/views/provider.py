"""Pages of a provider's managers."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from payments.domain import invoices as domain
from payments.forms import CashForm
from payments.models import Invoice, InvoiceState
from payments.views.files import pdf_response
from petplace.money import format_money
from providers.models import Provider
from providers.views.access import TeamRequest, manager_page


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
    """Show one invoice with its lines and its family, ready to be printed."""
    found = _found(provider, uid)
    context = {"invoice": found, "family": domain.family_of(found), "payments": domain.money_on(found)}
    return render(request, "payments/provider_detail.html", {"provider": provider, **context})


@manager_page
def pdf(request: HttpRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Download one invoice."""
    return pdf_response(_found(provider, uid))


@manager_page
def cash(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Record that an owner has paid at the visit, in part or in whole."""
    found = _found(provider, uid)
    form = CashForm(request.POST or None, invoice=found)
    if request.method == "POST" and form.is_valid():
        amount = form.cleaned_data["amount"]
        if form.run(domain.record_cash, found, amount=amount, by=request.user, now=timezone.now()):
            messages.success(request, f"{format_money(amount, found.currency)} in cash is recorded.")
            return redirect("provider:invoice", provider.slug, uid)
    return render(request, "payments/provider_cash.html", {"provider": provider, "invoice": found, "form": form})


def _found(provider: Provider, uid: UUID) -> Invoice:
    return get_object_or_404(Invoice.objects.filter(provider=provider).for_paper(), uid=uid)
