"""A provider that calls off a confirmed visit late: recorded by itself, for everyone to see."""

from datetime import timedelta

from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, Side
from reviews.models import LateCancellation

LATE = timedelta(days=5)


def follow(booking: Booking, event: BookingEvent) -> None:
    """Record a cancellation by the provider five days or less before the start. Called with each step of a booking."""
    is_theirs = event.action == Action.CANCEL and event.side == Side.PROVIDER
    if not is_theirs or event.from_state != BookingState.CONFIRMED or booking.starts_at - event.at > LATE:
        return
    here, there = (moment.astimezone(booking.zone).date() for moment in (event.at, booking.starts_at))
    days = min((there - here).days, LATE.days)  # over a clock change five days may touch a sixth date
    LateCancellation.objects.create(
        booking=booking,
        provider_id=booking.provider_id,
        cancelled_at=event.at,
        days_before=-1 if event.at >= booking.starts_at else days,
    )
