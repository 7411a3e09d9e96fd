"""What anyone sees of a provider."""

from django.http import HttpRequest, HttpResponse


def detail(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse("")
