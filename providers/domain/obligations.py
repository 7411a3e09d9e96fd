"""What working for a provider asks of a person's account."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Min
from django.db.models.functions import Greatest

from accounts.models import User
from providers.models import Membership
from providers.states import ProviderState


def second_factor_due(user: User) -> datetime | None:
    """Return from when on ``user`` needs a second factor: some days after the approval, or after joining later."""
    teams = Membership.objects.filter(
        user_id=user.pk, provider__state=ProviderState.APPROVED, provider__approved_at__isnull=False
    )
    first: datetime | None = teams.aggregate(first=Min(Greatest("provider__approved_at", "created_at")))["first"]
    return first and first + timedelta(days=settings.MFA_GRACE_DAYS)
