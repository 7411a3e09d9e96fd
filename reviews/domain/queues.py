"""What waits to be written."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from bookings.models import Booking
from bookings.states import BookingState
from providers.models import Provider
from reviews.choices import ReviewSide


def to_write(provider: Provider, *, now: datetime) -> QuerySet[Booking]:
    """Return the visits that the team can still write about, those first whose time ends first."""
    done = Booking.objects.filter(
        provider=provider, state=BookingState.COMPLETED, ends_at__gt=now - timedelta(days=settings.REVIEW_DAYS)
    )
    return done.exclude(reviews__side=ReviewSide.PROVIDER).select_related("service", "owner").order_by("ends_at", "pk")
