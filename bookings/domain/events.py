"""The history of a booking, and what people are told about it. Rows only, in the transaction of the change itself."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.urls import reverse

from accounts.models import User
from bookings.domain import texts
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, CancelReason, Side
from messaging import domain as messaging
from payments.models import InvoiceState
from petplace.money import format_money
from providers.choices import MembershipRole

REMINDER = "booking_reminder"
REMIND_BEFORE = (timedelta(hours=48), timedelta(hours=3))


@dataclass(frozen=True)
class Said:
    """One thing to say to one side; the words in braces are filled in by ``_words``."""

    title: str
    body: str


_NEW = "{pets}, {when}. {service} for {owner}."
_YOURS = "{service} with {provider} for {pets}, {when}."
TO_OWNER = {
    "requested": Said("Request sent to {provider}", _YOURS + " The provider has until {due} to answer."),
    "booked": Said("Booked: {service}", _YOURS + " {total} to pay at the visit."),
    "accept": Said("{provider} accepted", _YOURS + " {total} to pay at the visit."),
    "decline": Said("{provider} declined", _YOURS + " The reason: {reason} Nothing is to be paid."),
    "hold_expired": Said("Your kept time has run out", _YOURS + " The booking was not finished in time."),
    "request_expired": Said("{provider} did not answer in time", _YOURS + " Nothing is to be paid."),
    "cancel": Said("Cancelled: {service}", _YOURS + " {cancelled_by}{reason} {kept}"),
    "reschedule": Said("Moved: {service}", "{service} with {provider} for {pets} is now {when}. It was {old_when}."),
    "moved_request": Said(
        "Move requested from {provider}",
        "{service} for {pets} would be {when} instead of {old_when}. The provider has until {due} to answer.",
    ),
    "start": Said("{service} has started", "{provider} has started the visit of {pets}."),
    "complete": Said("{service} is done", "The visit of {pets} with {provider} is over. {total} in all. How was it?"),
    "no_show": Said("{provider} reports that nobody came", _YOURS + " {kept}"),
}
TO_PROVIDER = {
    "requested": Said("New request: {service}", _NEW + " Please answer until {due}."),
    "booked": Said("New booking: {service}", _NEW),
    "accept": Said("Accepted: {service}", _NEW),
    "request_expired": Said("Request expired: {service}", _NEW + " It was not answered in time."),
    "cancel": Said("Cancelled: {service}", _NEW + " {cancelled_by}{reason} {kept}"),
    "reschedule": Said("Moved: {service}", "{service} of {owner} for {pets} is now {when}. It was {old_when}."),
    "moved_request": Said(
        "Request to move: {service}",
        "{owner} asks for {when} instead of {old_when}, for {pets}. Please answer until {due}.",
    ),
}


def record(
    booking: Booking,
    action: str,
    *,
    from_state: str,
    side: str,
    by: User | None,
    now: datetime,
    reason: str = "",
    detail: dict[str, Any] | None = None,
) -> BookingEvent:
    """Write the event row of a step that has just been made."""
    return BookingEvent.objects.create(
        booking=booking,
        action=action,
        from_state=from_state,
        to_state=booking.state,
        side=side,
        by=by,
        reason=reason,
        detail=detail or {},
        at=now,
    )


def tell(booking: Booking, event: BookingEvent, *, now: datetime, old_starts_at: datetime | None = None) -> None:
    """Write the notifications of ``event``: to the owner and to the team, once each, in each reader's time zone.

    Reminders follow the booking: written when it is confirmed, taken back when it is moved or ends.
    """
    if event.from_state == BookingState.CONFIRMED:
        messaging.cancel(topic=_about(booking), kind=REMINDER, now=now)
    topic = _topic(event, booking)
    if topic is None:
        return
    pets = texts.listed([pet.name for pet in booking.pets.all()])
    notices = [
        messaging.Notice(
            reader,
            f"booking_{topic}",
            key=f"{_about(booking)}:{booking.sequence}:{topic}",
            topic=_about(booking),
            title=said.title.format_map(words),
            body=" ".join(said.body.format_map(words).split()),
            url=url,
        )
        for reader, said, url in _readers(booking, topic)
        for words in [_words(booking, event, pets, ZoneInfo(reader.time_zone), old_starts_at)]
    ]
    messaging.notify_all([*notices, *_reminders(booking, pets, now)], now=now)


def _readers(booking: Booking, topic: str) -> Iterator[tuple[User, Said, str]]:
    if topic in TO_OWNER:
        yield booking.owner, TO_OWNER[topic], booking.get_absolute_url()
    if topic in TO_PROVIDER:
        url = provider_url(booking)
        for member in team(booking):
            if member.pk != booking.owner_id:
                yield member, TO_PROVIDER[topic], url


def team(booking: Booking) -> Iterable[User]:
    """Return the managers of the provider, and the people who are allocated."""
    return (
        User.objects.filter(is_active=True)
        .filter(
            Q(memberships__provider_id=booking.provider_id, memberships__role=MembershipRole.MANAGER)
            | Q(resources__allocations__booking_id=booking.pk, memberships__provider_id=booking.provider_id)
        )
        .order_by("pk")
        .distinct()
    )


def provider_url(booking: Booking) -> str:
    return reverse("provider:booking", args=[booking.provider.slug, booking.reference])


def _about(booking: Booking) -> str:
    return f"booking:{booking.uid}"


def _topic(event: BookingEvent, booking: Booking) -> str | None:
    if event.action == Action.PLACE:
        return "requested" if booking.state == BookingState.PENDING else "booked"
    if event.action == Action.EXPIRE:
        return str(booking.cancel_reason)
    if event.action == Action.RESCHEDULE and booking.state == BookingState.PENDING and event.side == Side.OWNER:
        return "moved_request"
    if event.action == Action.HOLD or event.from_state == BookingState.HELD:
        return None  # a hold is the owner's own business, and on the owner's screen
    return str(event.action)


def _words(booking: Booking, event: BookingEvent, pets: str, person: ZoneInfo, old: datetime | None) -> dict[str, str]:
    place = booking.zone
    return {
        "service": booking.service.name,
        "provider": booking.provider.name,
        "owner": booking.owner.get_full_name(),
        "pets": pets,
        "when": texts.when_for(booking.starts_at, place, person),
        "old_when": texts.when_for(old, place, person) if old else "",
        "due": texts.when_for(booking.due_at, place, person) if booking.due_at else "",
        "total": format_money(booking.total, booking.currency),
        "reason": _sentence(event.reason),
        "cancelled_by": f"{CancelReason(booking.cancel_reason).label}. " if booking.cancel_reason else "",
        "kept": _kept(booking),
    }


def _sentence(reason: str) -> str:
    return reason if not reason or reason.endswith((".", "!", "?")) else f"{reason}."


def _kept(booking: Booking) -> str:
    invoice = booking.invoice
    if invoice is None or invoice.state == InvoiceState.VOID:
        return "Nothing is to be paid."
    return f"{format_money(invoice.total, invoice.currency)} is to be paid by the cancellation terms."


def _reminders(booking: Booking, pets: str, now: datetime) -> Iterator[messaging.Notice]:
    if booking.state != BookingState.CONFIRMED:
        return
    when = texts.when_for(booking.starts_at, booking.zone, ZoneInfo(booking.owner.time_zone))
    for before in REMIND_BEFORE:
        due_at = booking.starts_at - before
        if due_at <= now:
            continue
        yield messaging.Notice(
            booking.owner,
            REMINDER,
            key=f"{_about(booking)}:{booking.sequence}:reminder_{int(before.total_seconds()) // 3600}h",
            topic=_about(booking),
            title=f"Coming up: {booking.service.name}",
            body=f"{booking.service.name} with {booking.provider.name} for {pets}, {when}.",
            url=booking.get_absolute_url(),
            due_at=due_at,
            useless_after=booking.starts_at,
        )
