"""The pages of the sandbox gateway: what a payer would see at the payment service. Play money, public by their refs.

No card number is ever sent here: a test card is chosen by its token, and what is typed stays in the browser.
"""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from payments.gateways import GatewayRefused, sandbox
from payments.models.sandbox import SandboxAccount, SandboxCharge


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: HttpRequest, ref: str) -> HttpResponse:
    """Show what is to be paid and the test cards; pay with the chosen one."""
    charge = _charge_or_404(ref)
    if request.method == "POST":
        try:
            seen = sandbox.pay(ref, token=request.POST.get("token", ""))
        except GatewayRefused:
            return _pay_page(request, charge, error="Please choose one of the test cards.", status=400)
        if seen.state == "requires_action":
            return redirect("sandbox:challenge", ref=ref)
        return redirect("sandbox:pay", ref=ref) if seen.state == "requires_payment" else redirect(charge.return_url)
    if charge.state == "requires_action":
        return redirect("sandbox:challenge", ref=ref)
    return _pay_page(request, charge, error=sandbox.SandboxGateway().retrieve(ref).failure_message)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def challenge(request: HttpRequest, ref: str) -> HttpResponse:
    """Play the bank's 3-D Secure page."""
    charge = _charge_or_404(ref)
    if request.method == "POST":
        seen = sandbox.answer_challenge(ref, is_approved=request.POST.get("answer") == "approve")
        return redirect("sandbox:pay", ref=ref) if seen.state == "requires_payment" else redirect(charge.return_url)
    if charge.state != "requires_action":
        return redirect("sandbox:pay", ref=ref)
    return render(request, "sandbox/challenge.html", {"charge": charge})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connect(request: HttpRequest, ref: str) -> HttpResponse:
    """Play the pages on which a provider proves who they are."""
    account = _account_or_404(ref)
    if request.method == "POST":
        sandbox.finish_onboarding(ref)
        return redirect(account.return_url or "home")
    return render(request, "sandbox/connect.html", {"account": account})


def _pay_page(request: HttpRequest, charge: SandboxCharge, *, error: str, status: int = 200) -> HttpResponse:
    context = {"charge": charge, "cards": sandbox.CARDS.items(), "error": error}
    return render(request, "sandbox/pay.html", context, status=status)


def _charge_or_404(ref: str) -> SandboxCharge:
    _sandbox_or_404()
    try:
        return sandbox.charge_of(ref)
    except GatewayRefused as error:
        raise Http404 from error


def _account_or_404(ref: str) -> SandboxAccount:
    _sandbox_or_404()
    try:
        return sandbox.account_of(ref)
    except GatewayRefused as error:
        raise Http404 from error


def _sandbox_or_404() -> None:
    if "sandbox" not in settings.PAYMENT_GATEWAYS:
        raise Http404
