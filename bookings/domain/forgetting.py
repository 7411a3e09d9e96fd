"""What bookings keep about someone who closes the account: what was booked and when, not what was written."""

from datetime import datetime

from accounts.models import User
from bookings.models import Booking, CalendarFeed


def forget_owner(user: User, now: datetime) -> None:
    """Blank what the person wrote and stop the calendar feeds."""
    Booking.objects.filter(owner=user).exclude(note="").update(note="")
    CalendarFeed.objects.filter(user=user).delete()
