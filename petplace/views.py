"""The pages that belong to no app: home, the fine print, the gallery of components."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from petplace import samples
from pets.choices import Species
from providers.choices import ServiceKind


def home(request: HttpRequest) -> HttpResponse:
    """Show what this is, with the search bar first."""
    return render(
        request,
        "pages/home.html",
        {"service_kinds": ServiceKind.choices, "species_choices": Species.choices, "values": {}},
    )


def how_it_works(request: HttpRequest) -> HttpResponse:
    """Tell owners and providers what happens, step by step."""
    return render(request, "pages/how_it_works.html")


def terms(request: HttpRequest) -> HttpResponse:
    """Show the terms that the host of this installation should read and make theirs."""
    return render(request, "pages/terms.html", {"version": settings.TERMS_VERSION})


def privacy(request: HttpRequest) -> HttpResponse:
    """Say which personal data is kept, why, and how to get it out."""
    context = {
        "version": settings.PRIVACY_VERSION,
        "hours_before": settings.PLACE_HOURS_BEFORE,
        "hours_after": settings.PLACE_HOURS_AFTER,
        "care_hours": settings.CARE_HOURS_AFTER,
        "document_days": settings.RETAIN_DOCUMENT_DAYS,
        "payload_days": settings.RETAIN_GATEWAY_PAYLOAD_DAYS,
        "export_days": settings.EXPORT_DAYS,
    }
    return render(request, "pages/privacy.html", context)


@require_safe
@cache_control(public=True, max_age=86400)
def security_txt(request: HttpRequest) -> HttpResponse:
    """Tell whoever found a weakness where to write (RFC 9116). It ends in half a year, counted from each look."""
    ends = (timezone.now() + timedelta(days=180)).strftime("%Y-%m-%dT00:00:00Z")
    address = f"{settings.SITE_URL.rstrip('/')}{request.path}"
    lines = [
        f"Contact: {settings.SECURITY_CONTACT}",
        f"Expires: {ends}",
        "Preferred-Languages: en",
        f"Canonical: {address}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def ui_gallery(request: HttpRequest) -> HttpResponse:
    """Show each component with made-up data (only in the demo and in development)."""
    return render(request, "pages/ui_gallery.html", samples.gallery())
