"""Placeholder, replaced by its owner."""

from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


def readyz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


def metrics(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")
