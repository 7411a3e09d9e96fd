"""What the pay page shows for each gateway: a template of ``templates/payments/pay/`` and its context."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from payments.gateways import Charge


@dataclass(frozen=True)
class PayPart:
    """``{% include part.template %}`` with ``context``, and ``part.scripts`` ('' for none) in the block "scripts"."""

    template: str
    scripts: str
    context: dict[str, Any]


def pay_part(gateway: str, charge: Charge, *, return_url: str) -> PayPart:
    """Return how ``charge`` is paid at ``gateway``. ``return_url`` is absolute: Stripe sends the payer back there."""
    context: dict[str, Any] = {"amount": charge.amount, "currency": charge.currency}
    if gateway == "stripe":
        context |= {
            "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
            "client_secret": charge.client_secret,
            "return_url": return_url,
            "stripe_js_url": settings.STRIPE_JS_URL,
        }
        return PayPart("payments/pay/_stripe.html", "payments/pay/_stripe_scripts.html", context)
    context["redirect_url"] = charge.redirect_url
    return PayPart("payments/pay/_paypal.html" if gateway == "paypal" else "payments/pay/_sandbox.html", "", context)
