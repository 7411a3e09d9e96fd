"""Who gets into a provider's dashboard. Not in the team: 404. In the team, but it takes a manager: 403."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from accounts.models import User
from petplace.roles import TeamRight, team_may
from providers.models import Membership, Provider

View = Callable[..., HttpResponse]


class TeamRequest(HttpRequest):
    """What a guarded view gets: somebody signed in, and whether that is a manager of the provider."""

    user: User
    is_manager: bool


def _enter(request: HttpRequest, slug: str, *, needs_manager: bool) -> Provider:
    membership = get_object_or_404(
        Membership.objects.select_related("provider"), provider__slug=slug, user_id=request.user.pk
    )
    request.is_manager = team_may(membership.role, TeamRight.MANAGE)  # type: ignore[attr-defined]
    if needs_manager and not request.is_manager:  # type: ignore[attr-defined]
        raise PermissionDenied("Only managers may do this.")
    return membership.provider


def _guard(view: View, *, needs_manager: bool) -> View:
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, slug: str, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, _enter(request, slug, needs_manager=needs_manager), *args, **kwargs)

    return guarded


def member_page(view: View) -> View:
    """Let everyone of the team in; the view gets the provider instead of its slug, and ``request.is_manager``."""
    return _guard(view, needs_manager=False)


def manager_page(view: View) -> View:
    """Let only managers in; the view gets the provider instead of its slug."""
    return _guard(view, needs_manager=True)
