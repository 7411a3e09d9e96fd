"""The badge in the navigation."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from messaging.models import Notification


def unread(request: HttpRequest) -> dict[str, Any]:
    """Offer ``unread_count``, counted only where a template asks."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {"unread_count": 0}
    return {
        "unread_count": SimpleLazyObject(
            lambda: Notification.objects.visible_to(user, now=timezone.now()).unread().count()
        )
    }
