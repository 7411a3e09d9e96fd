"""People read times in their own zone."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone


class TimeZoneMiddleware:
    """Activate the signed-in person's zone for the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):  # speaks UTC, and signs in by token: no session to look at
            return self.get_response(request)
        user = request.user
        with timezone.override(ZoneInfo(user.time_zone) if user.is_authenticated else None):
            return self.get_response(request)
