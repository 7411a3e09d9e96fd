"""What a provider is paid out, and where to."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from payments.domain import finance, onboarding
from payments.gateways import GatewayError, registry
from payments.models import Payout, PayoutAccount
from petplace.errors import DomainError
from providers.models import Provider
from providers.views.access import TeamRequest, manager_page


@manager_page
def payouts(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Show the balance, what comes next, what is kept back and why, and every payout so far."""
    found = Payout.objects.filter(provider=provider).order_by("-pk")
    accounts = list(PayoutAccount.objects.filter(provider=provider).order_by("pk"))
    context = {
        "provider": provider,
        "ahead": finance.payouts_ahead(provider, now=timezone.now()),
        "page_obj": Paginator(found, 20).get_page(request.GET.get("page")),
        "accounts": accounts,
        "takers": [one.gateway for one in accounts if registry.takes(one.gateway, provider.currency)],
        "is_ready": onboarding.is_set_up(provider, accounts),
        "ways": registry.offered(provider.currency),
    }
    return render(request, "payments/payouts.html", context)


@require_POST
@manager_page
def set_up(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Lead to the gateway's page that asks who the provider is and where the money shall go."""
    back_url = request.build_absolute_uri(reverse("provider:payouts_back", args=[provider.slug]))
    try:
        _, url = onboarding.begin(
            provider, by=request.user, gateway=request.POST.get("gateway") or None, return_url=back_url,
            refresh_url=request.build_absolute_uri(reverse("provider:payouts", args=[provider.slug])),
        )  # fmt: skip
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("provider:payouts", provider.slug)
    return redirect(url)


@require_safe
@manager_page
def back(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Take somebody in who comes from there: ask the gateway whether money can be sent."""
    try:
        accounts = onboarding.check(provider)
    except GatewayError as error:
        messages.warning(request, error.message)
        return redirect("provider:payouts", provider.slug)
    if onboarding.is_set_up(provider, accounts):
        messages.success(request, "Payouts are set up.")
    else:
        messages.warning(request, "Something is still missing there. Please go on with the set-up.")
    return redirect("provider:payouts", provider.slug)
