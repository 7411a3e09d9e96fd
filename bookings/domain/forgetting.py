"""What bookings keep about someone who closes the account: what was booked and when, not what was written."""

from datetime import datetime

from accounts.models import User
from bookings.domain import events
from bookings.models import Booking, BookingEvent, CalendarFeed, Complaint, Incident
from messaging.domain import notifications

REMOVED = "Removed with the account."


def forget_owner(user: User, now: datetime) -> None:
    """Blank what the person wrote and stop the calendar feeds."""
    Booking.objects.filter(owner=user).update(note="", access_note="")
    BookingEvent.objects.filter(by=user).exclude(reason="").update(reason="")
    Complaint.objects.filter(by=user).update(text=REMOVED, answer="")
    Incident.objects.filter(by=user).update(text=REMOVED, resolution="")
    notifications.forget_topics([events.about(booking) for booking in Booking.objects.filter(owner=user).only("uid")])
    CalendarFeed.objects.filter(user=user).delete()
