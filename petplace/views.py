"""Placeholder, replaced by its owner."""

from django.http import HttpRequest, HttpResponse


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


def ui_gallery(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")
