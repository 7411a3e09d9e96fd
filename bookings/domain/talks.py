"""The conversation of a booking: opened when it is placed, told of every step, closed two weeks after the visit.

No names and no words of people stand in its lines: they stay when an account is closed.
"""

from datetime import datetime, timedelta

from django.urls import reverse

from accounts.models import User
from bookings.domain import texts
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, CancelReason, Side
from messaging.about import About
from messaging.choices import Side as TalkSide
from messaging.domain import conversations
from messaging.models import Conversation
from messaging.permissions import blocking_sides
from petplace.errors import DomainError
from providers.models import Provider

OPEN_AFTER_END = timedelta(days=14)
# From these on, both sides may know each other's phone number.
AGREED = frozenset({BookingState.CONFIRMED, BookingState.IN_PROGRESS, BookingState.COMPLETED, BookingState.NO_SHOW})
ENDED = frozenset({BookingState.CANCELLED, BookingState.DECLINED})
PLACING = frozenset({Action.HOLD, Action.PLACE, Action.REVIVE})


def refuse_blocked(owner: User, provider: Provider) -> None:
    """Raise DomainError ``blocked`` when one of the two wants to hear nothing more of the other."""
    blocking = blocking_sides(provider.pk, owner.pk)
    if TalkSide.OWNER in blocking:
        raise DomainError(f"You have blocked {provider.name}. Unblock them in your messages to book.", code="blocked")
    if blocking:
        raise DomainError("This provider takes no bookings from you.", code="blocked")


def open_with(booking: Booking, *, now: datetime) -> None:
    """Open the conversation of a booking that is being placed; the caller saves ``booking.conversation``."""
    if booking.conversation_id is not None:
        return
    what = "Booked" if booking.is_confirmed else "Request sent"
    booking.conversation = conversations.open_for(
        booking.provider,
        booking.owner,
        subject=f"{booking.service.name}, {booking.reference}",
        event=f"{what}: {booking.service.name}, {texts.when(booking.starts_at, booking.zone)}.",
        now=now,
        closes_at=closes_at(booking, now),
        is_open_contact=booking.state in AGREED,
    )


def follow(booking: Booking, event: BookingEvent, *, now: datetime) -> None:
    """Write a step that has been made into the conversation, and when it closes from now on."""
    if booking.conversation_id is None or event.action in PLACING:
        return
    assert booking.conversation is not None
    conversations.say(
        booking.conversation,
        text=_line(booking, event),
        now=now,
        closes_at=closes_at(booking, now),
        is_open_contact=True if booking.state in AGREED else None,
    )


def closes_at(booking: Booking, now: datetime) -> datetime | None:
    """Return when nothing can be written any more: 14 days after the visit, or after it was called off."""
    if booking.state in ENDED:
        return now + OPEN_AFTER_END
    return booking.ends_at + OPEN_AFTER_END if booking.state in AGREED else None


def describe(conversation: Conversation, side: str) -> About | None:
    """Say for the page of a conversation which booking it is about."""
    booking = Booking.objects.select_related("provider", "service").filter(conversation=conversation).first()
    if booking is None:
        return None
    is_team = side == TalkSide.PROVIDER
    return About(
        label=f"{booking.service.name}, {booking.reference}",
        url=reverse("provider:booking", args=[booking.provider.slug, booking.reference])
        if is_team
        else booking.get_absolute_url(),
        text=texts.when(booking.starts_at, booking.zone),
        state=booking.state,
        state_label=booking.get_state_display(),
    )


def _line(booking: Booking, event: BookingEvent) -> str:
    when = texts.when(booking.starts_at, booking.zone)
    if event.action == Action.RESCHEDULE:
        asked = booking.is_pending and event.side == Side.OWNER
        return f"A move to {when} was asked for." if asked else f"Moved to {when}."
    if event.action == Action.CANCEL:
        return f"{CancelReason(booking.cancel_reason).label}."
    if event.action == Action.EXPIRE:
        return "The request has ended." if event.reason else "The request was not answered in time."
    return {
        Action.ACCEPT: f"Confirmed by the provider: {when}. Phone numbers and e-mail addresses are shown from now on.",
        Action.DECLINE: "Declined by the provider.",
        Action.COMING: "The owner confirmed that they will come.",
        Action.START: "The visit has started.",
        Action.COMPLETE: "The visit is done.",
        Action.NO_SHOW: "The provider reported that nobody came.",
    }[Action(event.action)]
