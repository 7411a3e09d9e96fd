"""A booking as the templates' components want it: timeline, refund table, days of free times."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from accounts.models import User
from bookings.domain import cancellation, events, paying, pricing
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, Side
from messaging.domain import told as messages_told
from messaging.domain.told import Told
from payments.models import InvoiceState
from petplace.money import format_money
from petplace.templatetags.ui import local_time_text
from providers.models import Resource, Service

# Past tense of a step, for both sides.
STORY = {
    Action.HOLD: "Time kept",
    Action.ACCEPT: "Accepted",
    Action.DECLINE: "Declined",
    Action.CANCEL: "Cancelled",
    Action.RESCHEDULE: "Moved",
    Action.START: "Visit started",
    Action.COMPLETE: "Visit finished",
    Action.NO_SHOW: "Nobody came",
    Action.COMING: "Will come",
    Action.REVIVE: "Paid late, the time was still free",
}


def timeline(booking: Booking, events: Iterable[BookingEvent]) -> list[dict[str, Any]]:
    """Return the story of ``booking``, oldest first. Sides are named, not the provider's single people."""
    names = {
        Side.OWNER: booking.owner.get_full_name(),
        Side.PROVIDER: booking.provider.name,
        Side.STAFF: "Pet Place",
        Side.SYSTEM: "",
    }
    return [
        {
            "label": _label(event),
            "at": event.at,
            "by": names[Side(event.side)],
            "reason": event.reason,
            "state": event.to_state,
        }
        for event in events
    ]


def told(booking: Booking, reader: User) -> list[Told]:
    """Return what ``reader`` was sent about it outside the app, and what became of that. Nobody sees that of others."""
    topic = events.about(booking)
    return messages_told.about(reader, [topic]).get(topic, [])


def _label(event: BookingEvent) -> str:
    if event.action == Action.PLACE:
        return "Booked" if event.to_state == BookingState.CONFIRMED else "Requested"
    if event.action == Action.EXPIRE:
        return "Not finished in time" if event.from_state == BookingState.HELD else "Not answered in time"
    if event.action == Action.RESCHEDULE and event.from_state != event.to_state:
        return "Moved, waiting for an answer again"
    return STORY[Action(event.action)]


def refund_rows(terms: cancellation.Terms, *, now: datetime | None = None) -> list[dict[str, Any]]:
    """Return the rows of the refund table, the last for not coming; the one that counts at ``now`` is marked."""
    current = terms.row(now) if now else None
    rows = [
        {
            "until": row.until,
            "label": "later" if len(terms.rows) > 1 else "at any time",
            "amount": row.refund_amount,
            "percent": row.percent,
            "is_now": row is current,
        }
        for row in terms.rows
    ]
    missing = terms.no_show
    return [*rows, {"label": "if nobody comes", "amount": missing.refund_amount, "percent": missing.percent}]


def day_label(day: date) -> str:
    return f"{day:%a, %b} {day.day}"


def price_note(service: Service, total: int) -> str:
    """Say what is paid when, before anything is booked."""
    first = pricing.prepay_amount(service, total)
    if not first:
        return "You pay at the visit. Nothing is charged now."
    if first == total:
        return "You pay when booking."
    return f"{format_money(first, service.currency)} is paid when booking, the rest at the visit."


def payment_note(booking: Booking, money: paying.Standing) -> str:
    """Say what is paid when, by the state of the invoices."""
    invoice = booking.invoice
    if invoice is None:
        return "You pay at the visit."
    if invoice.state == InvoiceState.VOID:
        return "Nothing is to be paid."
    if money.due_now:
        return f"{format_money(money.due_now, booking.currency)} is to be paid now."
    if money.authorized:
        return "Reserved on the card, and taken when the provider accepts."
    if not money.outstanding:
        return "Paid."
    if money.paid:
        return f"{format_money(money.outstanding, booking.currency)} to be paid at the visit."
    return "To be paid at the visit."


BILL_LABELS = {"sale": "The booking", "extra": "Extra charge", "tip": "Tip"}


def bills(booking: Booking, money: paying.Standing) -> list[dict[str, Any]]:
    """Return the invoices that can be paid online now, with what each is for."""
    return [
        {
            "uid": one.uid,
            "label": BILL_LABELS[one.kind],
            "text": "" if one.kind == "sale" else "; ".join(line.description for line in one.lines.all()),
            "amount": paying.due(one),
        }
        for one in money.payable
    ]


def kept_text(booking: Booking, money: paying.Standing, kept: str) -> str:
    if money.paid or money.authorized:
        return f"{booking.provider.name} keeps {kept} by the terms of this booking."
    return f"{kept} stays to be paid to {booking.provider.name}."


def payout_text(booking: Booking, money: paying.Standing) -> str:
    """Tell the provider when the money of a booking is paid out."""
    if money.payout_due_at is None:
        return ""
    complaint = getattr(booking, "complaint", None)
    if complaint is not None and complaint.is_open:
        return "The owner has complained. The payout waits until Pet Place has decided."
    return f"Paid out from {local_time_text(money.payout_due_at, booking.time_zone)} on."


def time_left(until: datetime, *, now: datetime) -> str:
    """Return ``3 h 20 min``, ``45 min`` or ``no time``."""
    minutes = int((until - now).total_seconds() // 60)
    if minutes <= 0:
        return "no time"
    hours, rest = divmod(minutes, 60)
    return " ".join(
        part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest or not hours else "") if part
    )


def waiting_text(booking: Booking) -> str:
    """Say until when a request may be answered; nothing for a booking that waits for no answer."""
    if not booking.is_pending or booking.due_at is None:
        return ""
    return f"{booking.provider.name} has until {local_time_text(booking.due_at, booking.time_zone)} to answer."


def resources(booking: Booking) -> list[Resource]:
    """Return what is kept for the booking, or was until it ended. Needs ``with_everything``."""
    return [one.resource for one in booking.allocations.all() if one.is_live or not booking.is_live]
