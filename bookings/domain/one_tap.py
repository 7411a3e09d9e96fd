"""What a signed link in a message may do with a booking, through the same functions as every other door.

A link speaks of the booking as it was in its message: ``stamp`` is the booking's sequence of then. Whatever changed it
since (an answer, a move, an end) makes the link a thing of the past, so nobody accepts a time that they have not read.
"""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from accounts.models import User
from bookings import permissions
from bookings.domain import cancellation, lifecycle
from bookings.models import Booking
from bookings.states import Action, BookingState, Side
from petplace.db import retried
from petplace.errors import DomainError, InvalidTransition, NotAllowed

ACTIONS = {"accept": Action.ACCEPT, "decline": Action.DECLINE, "coming": Action.COMING, "cancel": Action.CANCEL}
VERBS = tuple(ACTIONS)
_PLAIN: dict[str, Callable[..., Booking]] = {"accept": lifecycle.accept, "coming": lifecycle.say_coming}
_REASONED: dict[str, Callable[..., Booking]] = {"decline": lifecycle.decline, "cancel": lifecycle.cancel}


def expires_at(booking: Booking) -> datetime:
    """Return until when a link about ``booking`` can be good: a request to its due time, all else to the start."""
    if booking.state == BookingState.PENDING and booking.due_at is not None:
        return min(booking.due_at, booking.ends_at)
    return booking.starts_at


def is_open(booking: Booking, verb: str, *, by: User, now: datetime) -> bool:
    """Forecast whether ``by`` can take the step at ``now``: for the page, before anything is locked."""
    if verb == "coming" and lifecycle.has_said_coming(booking):
        return False
    return ACTIONS[verb] in permissions.allowed_actions(by, booking, now=now)


@retried
def act(
    booking_uid: UUID, verb: str, *, stamp: int, by: User, now: datetime, reason: str = "", refund: int | None = None
) -> Booking:
    """Do what the link says, once. Locks the booking, then looks whether it is still the one that was spoken of.

    ``refund`` is what the page promised for a cancellation. Raises ``link_changed`` when the booking has changed since,
    ``refund_changed`` when a deadline has passed between looking and posting, and whatever the step itself objects.
    """
    booking = Booking.objects.filter(uid=booking_uid).first()
    if booking is None:
        raise NotAllowed
    lifecycle.lock(booking)
    if booking.sequence != stamp:
        raise InvalidTransition("This booking has changed since the message was sent.", code="link_changed")
    if refund is not None and refund != cancellation.refund_due(booking, now, Side.OWNER):
        raise DomainError("What comes back has changed meanwhile. Please look again.", code="refund_changed")
    if verb in _REASONED:
        return _REASONED[verb](booking, by=by, now=now, reason=reason)
    return _PLAIN[verb](booking, by=by, now=now)
