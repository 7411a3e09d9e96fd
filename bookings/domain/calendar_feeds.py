"""Private calendar feeds: made and taken back by the person whose feed it is."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from bookings.models import CalendarFeed


@transaction.atomic
def make(user: User, *, audience: str, now: datetime) -> CalendarFeed:
    """Return a fresh feed of ``audience``; the one before, if any, stops working.

    Locks the user's row, so that two calls at once leave one live feed.
    """
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    CalendarFeed.objects.filter(user=user, audience=audience, revoked_at__isnull=True).update(revoked_at=now)
    return CalendarFeed.objects.create(user=user, audience=audience)


def revoke(feed: CalendarFeed, *, now: datetime) -> None:
    """Stop ``feed`` for good. Twice is the same as once."""
    CalendarFeed.objects.filter(pk=feed.pk, revoked_at__isnull=True).update(revoked_at=now)
