"""A bare pay page around the parts, for the tests of the parts alone."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from payments.gateways import registry
from petplace.urls import handler500, urlpatterns

__all__ = ["handler500"]

PAGE = """{% extends "layouts/narrow.html" %}
{% block content %}<h1>Pay</h1>{% include part %}{% endblock %}
{% block scripts %}{% if client_secret %}{% include "payments/pay/_stripe_scripts.html" %}{% endif %}{% endblock %}"""


def page(request: HttpRequest, gateway: str, ref: str) -> HttpResponse:
    charge = registry.get(gateway).retrieve(ref)
    context = {
        "part": f"payments/pay/_{gateway}.html",
        "amount": charge.amount,
        "currency": charge.currency,
        "client_secret": charge.client_secret,
        "redirect_url": charge.redirect_url,
        "return_url": request.build_absolute_uri("/terms/"),
        "publishable_key": settings.STRIPE_PUBLISHABLE_KEY,
        "stripe_js_url": settings.STRIPE_JS_URL,
    }
    return HttpResponse(engines["django"].from_string(PAGE).render(context, request))  # type: ignore[attr-defined]


urlpatterns = [*urlpatterns, path("test-pay/<slug:gateway>/<slug:ref>/", page)]
