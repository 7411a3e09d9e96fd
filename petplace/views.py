"""The pages that belong to no app: home, the fine print, the gallery of components."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

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
    return render(request, "pages/terms.html")


def privacy(request: HttpRequest) -> HttpResponse:
    """Say which personal data is kept, why, and how to get it out."""
    return render(request, "pages/privacy.html")


def ui_gallery(request: HttpRequest) -> HttpResponse:
    """Show each component with made-up data (only in the demo and in development)."""
    return render(request, "pages/ui_gallery.html", samples.gallery())
