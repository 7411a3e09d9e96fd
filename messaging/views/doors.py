"""Two doors into the same talks: the owner's pages and those of a provider's team. What is not yours is not there."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse

from accounts.models import User
from messaging.choices import Side
from messaging.models import Conversation
from messaging.models.conversation import ConversationQuerySet
from petplace.http import SignedInRequest
from providers.models import Provider
from providers.views.access import member_page

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Door:
    """The side that somebody looks from."""

    side: Side
    provider: Provider | None = None

    @property
    def is_team(self) -> bool:
        return self.provider is not None

    @property
    def layout(self) -> str:
        return "layouts/dashboard.html" if self.is_team else "layouts/owner.html"

    def talks(self, user: User) -> ConversationQuerySet:
        found = Conversation.objects.of(user, self.side)
        return found.filter(provider=self.provider) if self.provider is not None else found

    def find(self, user: User, uid: UUID) -> Conversation:
        """Return a talk that ``user`` may read from this side, or raise Http404."""
        return get_object_or_404(self.talks(user).select_related("provider", "owner"), uid=uid)

    def url(self, name: str, *args: Any) -> str:
        if self.provider is not None:
            return reverse(f"provider:{name}", args=[self.provider.slug, *args])
        return reverse(f"conversations:{name}", args=args)


def for_owner(view: View) -> View:
    @login_required
    @wraps(view)
    def guarded(request: SignedInRequest, **kwargs: Any) -> HttpResponse:
        return view(request, Door(Side.OWNER), **kwargs)

    return guarded


def for_team(view: View) -> View:
    @member_page
    @wraps(view)
    def guarded(request: SignedInRequest, provider: Provider, **kwargs: Any) -> HttpResponse:
        return view(request, Door(Side.PROVIDER, provider), **kwargs)

    return guarded
