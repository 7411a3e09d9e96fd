"""Types of what a view gets, for the type checker."""

from typing import cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails
from rest_framework.request import Request

from accounts.models import User


class PageRequest(HttpRequest):
    """A request that went through our middleware."""

    htmx: HtmxDetails


class SignedInRequest(PageRequest):
    """A request behind ``login_required``."""

    user: User


def caller_of(request: Request) -> User:
    """Return who calls the API, behind ``IsAuthenticated``."""
    return cast(User, request.user)
