"""What a provider spends."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from payments.domain import expenses as domain
from payments.domain import finance
from payments.forms import ExpenseForm
from payments.models import Expense, ExpenseCategory
from petplace.uploads import private_response
from providers.models import Provider
from providers.views.access import TeamRequest, manager_page


@manager_page
def expenses(request: TeamRequest, provider: Provider) -> HttpResponse:
    """List the expenses, newest first; add one."""
    today = timezone.localdate(timezone=finance.zone_of(provider))
    form = ExpenseForm(
        request.POST or None, request.FILES or None, currency=provider.currency, initial={"on": today}
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        values = {name: value or None if name == "receipt" else value for name, value in form.cleaned_data.items()}
        if form.run(domain.add, provider, by=request.user, now=timezone.now(), **values):
            messages.success(request, "The expense is saved.")
            return redirect("provider:expenses", provider.slug)
    category = request.GET.get("category", "")
    found = Expense.objects.filter(provider=provider)
    shown = found.filter(category=category) if category in ExpenseCategory.values else found
    context = {
        "provider": provider,
        "form": form,
        "page_obj": Paginator(shown, 20).get_page(request.GET.get("page")),
        "query": f"category={category}" if category in ExpenseCategory.values else "",
        "year": today.year,
        "categories": ExpenseCategory.choices,
        "category": category,
    }
    return render(request, "payments/expenses.html", context)


@manager_page
def expense(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Change one expense, or its receipt."""
    found = _found(provider, uid)
    initial = {name: getattr(found, name) for name in ("category", "amount", "on", "note")}
    form = ExpenseForm(
        request.POST or None, request.FILES or None, currency=found.currency, initial=initial
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        values = {name: value or None if name == "receipt" else value for name, value in form.cleaned_data.items()}
        if form.run(domain.change, found, now=timezone.now(), **values):
            messages.success(request, "The expense is saved.")
            return redirect("provider:expenses", provider.slug)
    return render(request, "payments/expense.html", {"provider": provider, "form": form, "expense": found})


@require_POST
@manager_page
def remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Remove an expense with its receipt, or (``what=receipt``) the receipt alone."""
    found = _found(provider, uid)
    if request.POST.get("what") == "receipt":
        domain.drop_receipt(found)
        return redirect("provider:expense", provider.slug, uid)
    domain.remove(found)
    messages.success(request, "The expense is removed.")
    return redirect("provider:expenses", provider.slug)


@manager_page
def receipt(request: HttpRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Read a receipt."""
    found = _found(provider, uid)
    return private_response(found.receipt, filename=f"receipt {found.on}")


def _found(provider: Provider, uid: UUID) -> Expense:
    return get_object_or_404(Expense, provider=provider, uid=uid)
