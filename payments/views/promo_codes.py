"""A provider's own promo codes."""

from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from payments.domain import promo_codes as rules
from payments.forms import PromoCodeForm
from payments.models import PromoCode
from petplace.errors import DomainError
from providers.models import Provider
from providers.views.access import manager_page


@manager_page
def promo_codes(request: HttpRequest, provider: Provider) -> HttpResponse:
    """List the codes with their uses, and make another one."""
    form = PromoCodeForm(request.POST or None, provider=provider)
    if request.method == "POST" and form.is_valid():
        promo = form.run(rules.create, provider=provider, by=request.user, now=timezone.now(), **form.cleaned_data)
        if promo:
            messages.success(request, f"{promo.code} can be used.")
            return redirect("provider:promo_codes", provider.slug)
    found = PromoCode.objects.filter(provider=provider).order_by("-is_active", "code")
    branch = provider.branches.order_by("pk").first()
    context = {
        "provider": provider,
        "form": form,
        "page_obj": Paginator(found, 20).get_page(request.GET.get("page")),
        "zone": branch.time_zone if branch else "UTC",
        "now": timezone.now(),
    }
    return render(request, "payments/promo_codes.html", context, status=400 if form.errors else 200)


@require_POST
@manager_page
def end_promo_code(request: HttpRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Stop a code; bookings that were made with it keep their price."""
    promo = get_object_or_404(PromoCode, provider=provider, uid=uid)
    try:
        rules.end(promo, by=request.user, now=timezone.now())  # type: ignore[arg-type]
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{promo.code} cannot be used any more.")
    return redirect("provider:promo_codes", provider.slug)
