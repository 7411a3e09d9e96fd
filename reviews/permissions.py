"""Who may review."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from bookings.models import Booking
from bookings.states import BookingState


def write_until(booking: Booking) -> datetime:
    """Return the instant after which a visit can no longer be reviewed."""
    return booking.ends_at + timedelta(days=settings.REVIEW_DAYS)


def can_write(user: User | AnonymousUser, booking: Booking) -> bool:
    """Whether it is the owner's to review. If it can happen now is for ``reviews.domain`` to say."""
    return booking.owner_id == user.pk


def is_open(booking: Booking, *, now: datetime) -> bool:
    """Whether the visit can be reviewed now: over, not too long ago, and not reviewed yet.

    Asks the database for the review unless it is loaded with the booking.
    """
    return booking.state == BookingState.COMPLETED and now <= write_until(booking) and not hasattr(booking, "review")
