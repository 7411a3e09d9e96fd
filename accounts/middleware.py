"""People read times in their own zone, and those who must have a second factor set one up."""

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation

from accounts.domain import second_factor
from accounts.models import User


def zone_of(user: User) -> ZoneInfo:
    """Return the person's zone; UTC where this machine's rules do not know it (any more)."""
    try:
        return ZoneInfo(user.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


class TimeZoneMiddleware:
    """Activate the signed-in person's zone for the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path.startswith("/api/"):  # speaks UTC, and signs in by token: no session to look at
            return self.get_response(request)
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        with timezone.override(zone_of(user)), translation.override(user.locale):
            return self.get_response(request)


# Where staff without a second factor may still go: their account, where one is set up, and what is public anyway.
OPEN_TO_STAFF = (
    "/accounts/", "/account/", "/static/", "/terms/", "/privacy/", "/events/", "/manifest.webmanifest", "/sw.js",
    "/offline/", "/healthz", "/readyz", "/metrics",
)  # fmt: skip
PROVIDERS = "/provider/"
WANTED = "wanted_before_second_factor"  # in the session: where somebody was going when the wall stood there


class SecondFactorMiddleware:
    """Lead staff, and teams of providers whose time is over, to where a second factor is set up. The API refuses.

    The pages of the set-up offer the way back to what was wanted.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not settings.REQUIRE_MFA or request.path.startswith("/api/"):
            return self.get_response(request)
        if self._is_closed(request):
            if request.method == "GET" and request.headers.get("Sec-Fetch-Dest", "document") == "document":
                request.session[WANTED] = request.get_full_path()
            return redirect("mfa_index")
        if request.user.is_authenticated and request.session.get(WANTED) == request.get_full_path():
            del request.session[WANTED]  # arrived
        return self.get_response(request)

    @staticmethod
    def _is_closed(request: HttpRequest) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        is_asked = not request.path.startswith(OPEN_TO_STAFF) if user.is_staff else request.path.startswith(PROVIDERS)
        if not is_asked:
            return False
        wall = second_factor.wall_of(user, now=timezone.now())
        return wall is not None and wall.is_closed
