"""A bare pay page around the parts, for the tests of the parts alone."""

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path

from payments.gateways import registry
from payments.views.pay_parts import pay_part
from petplace.urls import handler500, urlpatterns

__all__ = ["handler500"]

PAGE = """{% extends "layouts/narrow.html" %}
{% block content %}<h1>Pay</h1>{% include part.template %}{% endblock %}
{% block scripts %}{% if part.scripts %}{% include part.scripts %}{% endif %}{% endblock %}"""


def page(request: HttpRequest, gateway: str, ref: str) -> HttpResponse:
    charge = registry.get(gateway).retrieve(ref)
    part = pay_part(gateway, charge, return_url=request.build_absolute_uri("/terms/"))
    template = engines["django"].from_string(PAGE)  # type: ignore[attr-defined]
    return HttpResponse(template.render({"part": part, **part.context}, request))


urlpatterns = [*urlpatterns, path("test-pay/<slug:gateway>/<slug:ref>/", page)]
