"""What mails about bookings add when they are sent: facts, money, one-tap links, the calendar file."""

from datetime import datetime
from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone

from bookings import feeds, kinds, permissions
from bookings.domain import cancellation, one_tap, revealing, texts
from bookings.models import Booking
from bookings.states import FINAL_STATES, Action, BookingState
from messaging import links
from messaging import texts as say
from messaging.channels.base import Action as Button
from messaging.channels.base import Attachment
from messaging.domain import rendering
from messaging.domain.rendering import Text
from messaging.models import Notification
from petplace.money import format_money

LABELS = {"accept": "Accept", "decline": "Decline", "coming": "I will be there", "cancel": "Cancel it"}
CALENDAR = "text/calendar"
TEAM = frozenset(kind.name for kind in (*kinds.TEAM, *kinds.TEAM_MONEY))
# Those that put the visit into a calendar, move it there, or strike it out.
WITH_CALENDAR = (
    "booking_booked", "booking_revived", "booking_accept", "booking_reschedule", "booking_cancel", "booking_cancelled",
)  # fmt: skip
PRICED = frozenset({"booking_booked", "booking_revived", "booking_accept", "booking_reschedule"})
ENDS = frozenset(kind.name for kind in (*kinds.OWNER, *kinds.TEAM) if kind.template == "booking_over")


def connect() -> None:
    """Register all this with the renderer; called once, when the app is ready."""
    for kind in (*kinds.OWNER, *kinds.OWNER_MONEY, *kinds.TEAM, *kinds.TEAM_MONEY):
        rendering.register_text(kind.name, words)
    for verb in one_tap.VERBS:
        rendering.register_action(verb, partial(button, verb))
    rendering.register_action("reschedule", move_button)
    for name in WITH_CALENDAR:
        rendering.register_attachments(name, calendar)


def words(notification: Notification) -> Text:
    """Return the text with the facts of the booking as they are now."""
    booking = _booking(notification)
    context: dict[str, Any] = {}
    if booking is not None:
        is_team = notification.kind in TEAM
        context = {
            "facts": _facts(booking, notification, is_team=is_team),
            "when": say.span(booking.starts_at, booking.ends_at, notification.user, booking.zone),
            "brief": say.brief(booking.starts_at, notification.user, booking.zone),
            "lines": _lines(booking, notification.kind),
            "lead": _lead(booking, notification),
            "note": _note(booking, notification),
            "link_label": "Write a review" if notification.kind == kinds.REVIEW_REQUEST else "See the booking",
        }
    return Text(notification.title, notification.body, notification.short, context)


def button(verb: str, notification: Notification) -> Button | None:
    """Sign the link for ``verb``, or None when it is not (or no longer) possible, or the booking has changed since."""
    booking, now = _booking(notification), timezone.now()
    if booking is None or _stamp(notification) != booking.sequence:
        return None
    until = one_tap.expires_at(booking)
    if now >= until or not one_tap.is_open(booking, verb, by=notification.user, now=now):
        return None
    token = links.make(notification.user, verb, notification.topic, stamp=booking.sequence, expires_at=until)
    return Button(LABELS[verb], links.absolute(reverse("bookings:link", args=[token])), verb)


def move_button(notification: Notification) -> Button | None:
    """Lead to the page on which another time is chosen: that takes more than a tap."""
    booking = _booking(notification)
    if booking is None or Action.RESCHEDULE not in permissions.allowed_actions(
        notification.user, booking, now=timezone.now()
    ):
        return None
    return Button("Move it", links.absolute(reverse("bookings:move", args=[booking.reference])), "reschedule")


def calendar(notification: Notification) -> list[Attachment]:
    booking = _booking(notification)
    if booking is None:
        return []
    return [Attachment(f"{booking.reference}.ics", feeds.render_one(booking, now=timezone.now()), CALENDAR)]


def _booking(notification: Notification) -> Booking | None:
    """Return what it is about, read once for text, buttons and files of one message."""
    known = notification.__dict__
    if "_booking" not in known:
        uid = notification.topic.removeprefix("booking:")
        found = Booking.objects.with_everything().prefetch_related("events", "quote__lines", "invoice__lines")
        known["_booking"] = found.filter(uid=uid).first() if uid != notification.topic else None
    booking: Booking | None = known["_booking"]
    return booking


def _stamp(notification: Notification) -> int | None:
    """Return the sequence of the booking of which a notification tells: it is part of its key."""
    parts = notification.key.split(":")
    return int(parts[2]) if len(parts) > 2 and parts[2].isdecimal() else None


def _facts(booking: Booking, notification: Notification, *, is_team: bool) -> list[tuple[str, str]]:
    reader, branch = notification.user, booking.service.branch
    pets = list(booking.pets.all())
    facts = [
        ("What", booking.service.name),
        ("When", say.span(booking.starts_at, booking.ends_at, reader, booking.zone)),
    ]
    if is_team:
        kept = ", ".join(f"{pet.name} ({pet.get_species_display().lower()})" for pet in pets)
        facts += [("Pet" if len(pets) == 1 else "Pets", kept), ("Owner", booking.owner.get_full_name())]
        facts += [("Branch", branch.name), ("Note", booking.note)]
    else:
        has_address = revealing.tells_place(booking, now=timezone.now())
        facts += [("Where", branch.address if has_address else branch.city or branch.name)]
        facts += [("Pet" if len(pets) == 1 else "Pets", texts.listed([pet.name for pet in pets]))]
        facts += [("Provider", booking.provider.name)]
    if notification.kind not in PRICED:
        facts += [("Price", format_money(booking.total, booking.currency))]
    if notification.kind == kinds.REVIEW_REQUEST:
        return [(label, value) for label, value in facts if label in ("What", "When", "Pet", "Pets")]
    facts += [("State", booking.get_state_display()), ("Reference", booking.reference)]
    return [(label, value) for label, value in facts if value]


def _lines(booking: Booking, kind: str) -> list[tuple[str, str, bool]]:
    """Return the price by its lines, or for an end what is kept and what goes back."""

    def money(amount: int) -> str:
        return format_money(amount, booking.currency)

    if kind in PRICED:
        bill = booking.invoice or booking.quote
        lines = [(line.description, money(line.amount), False) for line in bill.lines.all()]
        return [*lines, ("In all", money(bill.total), True)]
    if kind not in ENDS or booking.state not in FINAL_STATES:
        return []
    detail: dict[str, Any] = next(
        (event.detail for event in list(booking.events.all())[::-1] if "kept" in event.detail), {}
    )
    moved = [
        ("Goes back to where it came from", detail.get("paid_back", 0)),
        ("Reserved on the card, and let go", detail.get("released", 0)),
    ]
    lines = [("By the cancellation terms stays", money(detail.get("kept", 0)), False)]
    lines += [(label, money(amount), True) for label, amount in moved if amount]
    return [("Price", money(booking.total), False), *lines] if detail.get("kept") or len(lines) > 1 else []


def _lead(booking: Booking, notification: Notification) -> str:
    """Return the first sentence where the facts below say the rest; '' for the notification's own text."""
    kind, provider = notification.kind, booking.provider.name
    if kind in ("booking_accept", "booking_booked") and booking.state == BookingState.CONFIRMED:
        return f"Your booking with {provider} is confirmed. The calendar file puts it into your own calendar."
    if kind == "team_requested" and booking.due_at is not None:
        due = say.when(booking.due_at, notification.user, booking.zone)
        return f"{booking.owner.get_full_name()} asks for {booking.service.name}. Please answer until {due}."
    if kind == kinds.REMINDER:
        return f"In two days it is time. One tap tells {provider} that you will come."
    if kind == kinds.REMINDER_SOON:
        return f"It is soon. {provider} expects you."
    return ""


def _note(booking: Booking, notification: Notification) -> str:
    if notification.kind in PRICED and booking.is_live:
        rows = [f"{row.text[:1].lower()}{row.text[1:]}" for row in _rows(booking, timezone.now())]
        return f"If plans change: {'; '.join(rows)}."
    if notification.kind in ("team_requested", "team_moved_request", kinds.NUDGE) and booking.is_pending:
        return "If nobody answers in time, the request runs out and the owner looks elsewhere."
    return ""


def _rows(booking: Booking, now: datetime) -> list[cancellation.Deadline]:
    """Return the rows of the refund table that can still come to pass."""
    return [row for row in cancellation.Terms.from_json(booking.terms).rows if row.until is None or now < row.until]
