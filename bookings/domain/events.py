"""The history of a booking, and what people are told about it. Rows only, in the transaction of the change itself."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse

from accounts.models import User
from bookings.domain import reminders, texts
from bookings.kinds import REVIEW_REQUEST
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, CancelReason, Side
from messaging import domain as messaging
from messaging import texts as say
from messaging.domain import live
from payments.models import Invoice, Payment
from petplace.money import format_money
from petplace.roles import Right
from providers.choices import MembershipRole
from providers.models import Resource

# Buttons of a message: the verbs of its one-tap links (``bookings.domain.one_tap``) and the way to the page to move it.
BUTTONS = {
    "booking_requested": ("cancel",),
    "booking_revived_request": ("cancel",),
    "booking_moved_request": ("cancel",),
    "booking_booked": ("reschedule", "cancel"),
    "booking_revived": ("reschedule", "cancel"),
    "booking_accept": ("reschedule", "cancel"),
    "booking_reschedule": ("reschedule", "cancel"),
    "team_requested": ("accept", "decline"),
    "team_revived_request": ("accept", "decline"),
    "team_moved_request": ("accept", "decline"),
}
# These ask for an answer: of no use when its time is over.
ANSWERS = frozenset(kind for kind, verbs in BUTTONS.items() if "accept" in verbs)
# Apps above are called with each step, in its transaction and under the booking's lock.
listeners: list[Callable[[Booking, BookingEvent], None]] = []


@dataclass(frozen=True)
class Said:
    """One thing to say to one side; the words in braces are filled in by ``_words``."""

    title: str
    body: str


_NEW = "{pets}, {when}. {service} for {owner}."
_YOURS = "{service} with {provider} for {pets}, {when}."
TO_OWNER = {
    "requested": Said("Request sent to {provider}", _YOURS + " The provider has until {due} to answer."),
    "booked": Said("Booked: {service}", _YOURS + " {payment}"),
    "revived": Said(
        "Booked: {service}", "Your payment came late, but the time was still free. " + _YOURS + " {payment}"
    ),
    "revived_request": Said(
        "Request sent to {provider}",
        "Your payment came late, but the time was still free. " + _YOURS + " The provider has until {due} to answer.",
    ),
    "accept": Said("{provider} accepted", _YOURS + " {payment}"),
    "decline": Said("{provider} declined", _YOURS + " The reason: {reason} {kept}"),
    "hold_expired": Said("Your kept time has run out", _YOURS + " The booking was not finished in time. {reason}"),
    "request_expired": Said("{provider} did not answer in time", _YOURS + " {kept}"),
    "request_lost": Said("Your request has ended", _YOURS + " {reason} {kept}"),
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
    "revived": Said("New booking: {service}", _NEW),
    "revived_request": Said("New request: {service}", _NEW + " Please answer until {due}."),
    "accept": Said("Accepted: {service}", _NEW),
    "request_expired": Said("Request expired: {service}", _NEW + " It was not answered in time."),
    "request_lost": Said("Request ended: {service}", _NEW + " {reason}"),
    "cancel": Said("Cancelled: {service}", _NEW + " {cancelled_by}{reason} {kept}"),
    "coming": Said("{owner} will come", _NEW),
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
    """Write the event row of a step that has just been made, and call the listeners."""
    event = BookingEvent.objects.create(
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
    for listener in listeners:
        listener(booking, event)
    return event


def tell(booking: Booking, event: BookingEvent, *, now: datetime, old_starts_at: datetime | None = None) -> None:
    """Write the notifications of ``event``: to the owner and to the team, once each, on each reader's clock.

    What is to be said later (reminders, nudges, asking for a review) is written with them, and what was to be said of
    the time before this step is taken back first.
    """
    if over := reminders.over_with(event):
        messaging.cancel(topic=about(booking), kind=over, now=now)
    topic = _topic(event, booking)
    members = [] if topic is None else list(team(booking))  # a hold is the owner's own business
    _show(booking, [booking.owner_id, *(member.pk for member in members)])
    if topic is None:
        return
    pets = texts.listed([pet.name for pet in booking.pets.all()])
    notices = [
        messaging.Notice(
            reader,
            kind,
            key=f"{about(booking)}:{booking.sequence}:{topic}",
            topic=about(booking),
            title=said.title.format_map(words),
            body=" ".join(said.body.format_map(words).split()),
            short=say.short(f"{said.title.format_map(words)}.", f"{pets}, {words['brief']}."),
            url=url,
            actions=BUTTONS.get(kind, ()),
            place_zone=booking.time_zone,
            useless_after=booking.due_at if kind in ANSWERS else None,
        )
        for reader, kind, said, url in _readers(booking, topic, event, members)
        for words in [_words(booking, event, pets, reader, old_starts_at)]
    ]
    messaging.notify_all([*notices, *reminders.notices(booking, event, pets, members, now=now)], now=now)


def _show(booking: Booking, people: list[int]) -> None:
    """Let the open pages of these people look at the booking again."""
    live.emit(people, "booking", {"reference": booking.reference, "state": booking.state})


def tell_more_time(booking: Booking, *, now: datetime) -> None:
    """Tell the owner of a hold that it is kept longer because nobody can pay at the moment. Once; the page counts."""
    _tell_owner(
        booking, "booking_more_time", "more_time", "Paying is paused, your time is kept",
        "The payment service has trouble. {service} with {provider}, {when}, stays kept for you until it is back, two "
        "hours at most.", now,
    )  # fmt: skip


def tell_too_late(booking: Booking, payment: Payment, *, now: datetime) -> None:
    """Tell the owner that a payment came when the booking was over, and that it goes back by itself."""
    amount = format_money(payment.captured_amount or payment.amount, payment.currency)
    _tell_owner(
        booking, "booking_paid_too_late", f"too_late:{payment.uid}", "Your payment goes back to you",
        f"{amount} came when {{service}} with {{provider}}, {{when}}, could not be booked any more. You get all of it "
        "back; nothing is to be done by you.", now,
    )  # fmt: skip


def tell_payment_lost(booking: Booking, payment: Payment, *, now: datetime) -> None:
    """Tell the owner of a booking that stands that its payment did not go through."""
    amount = format_money(payment.amount, payment.currency)
    _tell_owner(
        booking, "booking_payment_lost", f"lost:{payment.uid}", "Your payment did not go through",
        f"{amount} for {{service}} with {{provider}}, {{when}}, could not be taken. The booking stands; please pay it "
        "on its page.", now,
    )  # fmt: skip


def tell_paid(booking: Booking, invoice: Invoice, payment: Payment, *, now: datetime) -> None:
    """Tell the team that a tip, an extra charge or a debt was paid online."""
    amount = format_money(payment.captured_amount, payment.currency)
    title = f"A tip of {amount}" if invoice.is_tip else f"Paid: {amount}"
    body = f"{booking.owner.get_full_name()} has paid {amount} for {booking.service.name}, {booking.reference}."
    messaging.notify_all(
        [
            messaging.Notice(
                member,
                "booking_tip" if invoice.is_tip else "booking_paid",
                key=f"{about(booking)}:paid:{payment.uid}",
                topic=about(booking),
                title=title,
                body=body,
                url=provider_url(booking),
            )
            for member in team(booking)
        ],
        now=now,
    )


def tell_extra(booking: Booking, invoice: Invoice, *, now: datetime) -> None:
    """Tell the owner of an extra charge."""
    amount = format_money(invoice.total, invoice.currency)
    _tell_owner(
        booking, "booking_extra", f"extra:{invoice.uid}", f"An extra charge of {amount}",
        f"{{provider}} asks for {amount} more for {{service}}, {{when}}. What it is for is on the booking's page.", now,
    )  # fmt: skip


def tell_complaint(booking: Booking, *, now: datetime) -> None:
    """Tell Pet Place and the team that the owner says that something went wrong. No review is asked for then."""
    messaging.cancel(topic=about(booking), kind=REVIEW_REQUEST, now=now)
    title = f"Something went wrong: {booking.reference}"
    body = f"{booking.owner.get_full_name()} says that something went wrong with {booking.service.name}."
    staff = User.objects.who_may(Right.COMPLAINTS).order_by("pk")
    readers = {person.pk: (person, "/admin/bookings/complaint/") for person in staff}
    readers |= {member.pk: (member, provider_url(booking)) for member in team(booking)}
    messaging.notify_all(
        [
            messaging.Notice(
                person,
                "booking_complaint",
                key=f"{about(booking)}:complaint",
                topic=about(booking),
                title=title,
                body=f"{body} The payout waits until Pet Place has looked at it.",
                url=url,
            )
            for person, url in readers.values()
        ],
        now=now,
    )


def tell_complaint_closed(booking: Booking, answer: str, *, now: datetime) -> None:
    _tell_owner(
        booking, "booking_complaint_closed", "complaint_closed", "Pet Place has looked at your complaint",
        f"About {{service}} with {{provider}}, {{when}}: {answer.replace('{', '(').replace('}', ')')}", now,
    )  # fmt: skip


def _tell_owner(booking: Booking, kind: str, key: str, title: str, body: str, now: datetime) -> None:
    words = {
        "service": booking.service.name,
        "provider": booking.provider.name,
        "when": say.when(booking.starts_at, booking.owner, booking.zone),
    }
    messaging.notify_all(
        [
            messaging.Notice(
                booking.owner,
                kind,
                key=f"{about(booking)}:{key}",
                topic=about(booking),
                title=title,
                body=body.format_map(words),
                url=booking.get_absolute_url(),
            )
        ],
        now=now,
    )


def _readers(
    booking: Booking, topic: str, event: BookingEvent, members: Iterable[User]
) -> Iterator[tuple[User, str, Said, str]]:
    """Yield who is told of it, under which kind, in which words, and with the address of whose page."""
    if topic in TO_OWNER:
        yield booking.owner, _kind("booking", topic, event, Side.OWNER), TO_OWNER[topic], booking.get_absolute_url()
    if topic in TO_PROVIDER:
        url, kind = provider_url(booking), _kind("team", topic, event, Side.PROVIDER)
        for member in members:
            if member.pk != booking.owner_id:
                yield member, kind, TO_PROVIDER[topic], url


def _kind(who: str, topic: str, event: BookingEvent, side: Side) -> str:
    """Return the kind; whoever cancelled is told under another than those to whom it is news."""
    return f"{who}_cancelled" if topic == "cancel" and event.side != side else f"{who}_{topic}"


def team(booking: Booking) -> QuerySet[User]:
    """Return the managers of the provider, and those of its people who are allocated."""
    is_allocated = Exists(Resource.objects.filter(user=OuterRef("pk"), allocations__booking=booking))
    return User.objects.filter(
        Q(memberships__role=MembershipRole.MANAGER) | is_allocated,
        memberships__provider_id=booking.provider_id,
        is_active=True,
    ).order_by("pk")


def provider_url(booking: Booking) -> str:
    return reverse("provider:booking", args=[booking.provider.slug, booking.reference])


def about(booking: Booking) -> str:
    """Return the topic of everything that is said about it."""
    return f"booking:{booking.uid}"


def _topic(event: BookingEvent, booking: Booking) -> str | None:
    if event.action == Action.PLACE:
        return "requested" if booking.state == BookingState.PENDING else "booked"
    if event.action == Action.REVIVE:
        return "revived_request" if booking.state == BookingState.PENDING else "revived"
    if event.action == Action.EXPIRE:
        is_lost = bool(event.reason) and booking.cancel_reason == CancelReason.REQUEST_EXPIRED
        return "request_lost" if is_lost else str(booking.cancel_reason)
    if event.action == Action.RESCHEDULE and booking.state == BookingState.PENDING and event.side == Side.OWNER:
        return "moved_request"
    if event.action == Action.HOLD or event.from_state == BookingState.HELD:
        return None  # a hold is the owner's own business, and on the owner's screen
    return str(event.action)


def _words(booking: Booking, event: BookingEvent, pets: str, reader: User, old: datetime | None) -> dict[str, str]:
    place = booking.zone
    return {
        "service": booking.service.name,
        "provider": booking.provider.name,
        "owner": booking.owner.get_full_name(),
        "pets": pets,
        "when": say.when(booking.starts_at, reader, place),
        "brief": say.brief(booking.starts_at, reader, place),
        "old_when": say.when(old, reader, place) if old else "",
        "due": say.when(booking.due_at, reader, place) if booking.due_at else "",
        "total": format_money(booking.total, booking.currency),
        "reason": _sentence(event.reason),
        "cancelled_by": f"{CancelReason(booking.cancel_reason).label}. " if booking.cancel_reason else "",
        "payment": _payment(booking),
        "kept": _kept(booking, event),
    }


def _sentence(reason: str) -> str:
    return reason if not reason or reason.endswith((".", "!", "?")) else f"{reason}."


def _payment(booking: Booking) -> str:
    """Say what was paid when booking, and what is left for the visit."""
    first, rest = booking.quote.prepay_amount, booking.total - booking.quote.prepay_amount
    if not first:
        return f"{format_money(booking.total, booking.currency)} to pay at the visit."
    paid = f"{format_money(first, booking.currency)} paid when booking."
    return f"{paid} {format_money(rest, booking.currency)} to pay at the visit." if rest else paid


def _kept(booking: Booking, event: BookingEvent) -> str:
    """Say what goes back of what was paid, and what is still to be paid, at the end of a booking."""
    back, released = (int(event.detail.get(name, 0)) for name in ("paid_back", "released"))
    said = []
    if back:
        said.append(f"{format_money(back, booking.currency)} goes back to where it came from.")
    if released:
        said.append(f"{format_money(released, booking.currency)} that was reserved is let go.")
    kept = int(event.detail.get("kept", 0))
    owed = booking.invoice.outstanding if booking.invoice is not None and kept else 0
    if kept and owed == kept:
        said.append(f"{format_money(kept, booking.currency)} is to be paid by the cancellation terms.")
    elif kept:
        said.append(f"{format_money(kept, booking.currency)} is kept by the cancellation terms.")
        if owed:
            said.append(f"{format_money(owed, booking.currency)} of it is still to be paid.")
    return " ".join(said) or "Nothing is to be paid."
