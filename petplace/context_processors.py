"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from accounts import social_settings as social
from accounts.domain import second_factor
from messaging.channels import vapid
from petplace.templatetags import ui
from providers.models import Membership

# Minutes of a visit, or whole days for so many nights.
SEARCH_LENGTHS = [
    *((minutes, ui.duration(minutes)) for minutes in (30, 45, 60, 90, 120, 180, 240, 480)),
    *((nights * 1440, f"{nights} night{'s' if nights > 1 else ''}") for nights in (1, 2, 3, 4, 5, 7, 10, 14)),
]


def _wall(user: Any) -> Any:
    """What stands before a member of a provider's team, or of the staff, who has no second factor."""
    if not settings.REQUIRE_MFA or user is None or not user.is_authenticated:
        return None
    return second_factor.wall_of(user, now=timezone.now())


def site(request: HttpRequest) -> dict[str, Any]:
    """The name and address of this installation, the demo, and whether the reader runs a business here."""
    user = getattr(request, "user", None)
    runs_business: Any = False
    if user is not None and user.is_authenticated:
        runs_business = SimpleLazyObject(lambda: Membership.objects.filter(user_id=user.pk).exists())
    return {
        "SITE_NAME": "Pet Place",
        "SITE_URL": settings.SITE_URL,
        "IS_DEMO": settings.DEMO,
        "runs_business": runs_business,
        "search_lengths": SEARCH_LENGTHS,
        "SOCIAL": social.names(settings.SOCIALACCOUNT_PROVIDERS),
        "second_factor_wall": SimpleLazyObject(lambda: _wall(user)),
        "push_key": SimpleLazyObject(vapid.public_key),
    }
