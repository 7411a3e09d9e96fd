"""The pay page: one for everything that is owed. What became of a payment is asked of the gateway, never of the URL."""

from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from payments.domain import charges, checkout
from payments.domain.checkout import Checkout, Stage
from payments.gateways import GatewayError, registry
from payments.gateways.base import Charge
from payments.models import Invoice
from payments.views.pay_parts import pay_part
from petplace.errors import DomainError
from petplace.http import SignedInRequest

PAYABLE = ("requires_payment", "requires_action")
DONE = {
    Stage.AUTHORIZED: "Thank you. The amount is reserved on your card and taken when the booking is accepted.",
    Stage.PAID: "Thank you, the payment has arrived.",
}


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def pay(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Show what is to be paid and the ways to do so; start the payment by the chosen one."""
    invoice = _invoice(request, uid)
    if request.method == "POST":
        return _start(request, invoice)
    seen = checkout.look(invoice, now=timezone.now())
    charge, is_away = _go_on(seen)
    if charge is not None and charge.state not in PAYABLE:
        return redirect("payments:return", uid)
    part = None
    if charge is not None and seen.payment is not None:
        part = pay_part(seen.payment.gateway, charge, return_url=_return_url(request, uid))
    context = {"checkout": seen, "invoice": invoice, "part": part, "is_away": is_away or seen.is_paused}
    return render(request, "payments/pay.html", context | (part.context if part else {}))


@never_cache
@login_required
@require_safe
def returned(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Take somebody in who comes from the gateway's page: ask it how the payment stands, and lead on."""
    invoice = _invoice(request, uid)
    now = timezone.now()
    for payment in checkout.unsettled(invoice):
        try:
            charges.sync(payment, now=now)
        except GatewayError as error:
            messages.warning(request, error.message)
    seen = checkout.look(_invoice(request, uid), now=now)
    if seen.stage in DONE:
        messages.success(request, DONE[seen.stage])
        return redirect(seen.url or reverse("payments:detail", args=[uid]))
    return redirect("payments:pay", uid)


def _invoice(request: SignedInRequest, uid: UUID) -> Invoice:
    mine = Invoice.objects.paid_by(request.user).select_related("provider", "payer", "booking", "parent__booking")
    return get_object_or_404(mine.prefetch_related("lines"), uid=uid)


def _start(request: SignedInRequest, invoice: Invoice) -> HttpResponse:
    try:
        seen = checkout.look(invoice, now=timezone.now())
        if seen.stage == Stage.EXPIRED:
            return redirect("payments:pay", invoice.uid)
        started = charges.start(
            invoice, by=request.user, gateway=request.POST.get("gateway") or None, now=timezone.now(),
            return_url=_return_url(request, invoice.uid),
        )  # fmt: skip
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("payments:pay", invoice.uid)
    where = started.charge.redirect_url
    if where and urlsplit(where).netloc == request.get_host():
        return redirect(where)  # a page of our own (the sandbox); to others a link leads, as no form may leave the site
    return redirect("payments:pay", invoice.uid)


def _go_on(seen: Checkout) -> tuple[Charge | None, bool]:
    """Return the charge that is under way as the gateway has it, and whether it did not answer."""
    if seen.stage != Stage.DUE or seen.payment is None or seen.payment.ref is None:
        return None, False
    try:
        return registry.get(seen.payment.gateway).retrieve(seen.payment.ref), False
    except GatewayError:
        return None, True


def _return_url(request: SignedInRequest, uid: UUID) -> str:
    return request.build_absolute_uri(reverse("payments:return", args=[uid]))
