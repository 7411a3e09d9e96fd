"""A booking as the templates' components want it: timeline, refund table, days of free times."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from bookings.domain import cancellation
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState, Side

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


def _label(event: BookingEvent) -> str:
    if event.action == Action.PLACE:
        return "Booked" if event.to_state == BookingState.CONFIRMED else "Requested"
    if event.action == Action.EXPIRE:
        return "Not finished in time" if event.from_state == BookingState.HELD else "Not answered in time"
    if event.action == Action.RESCHEDULE and event.from_state != event.to_state:
        return "Moved, waiting for an answer again"
    return STORY[Action(event.action)]


def refund_rows(terms: cancellation.Terms, *, now: datetime | None = None) -> list[dict[str, Any]]:
    """Return the rows of the refund table; the one that counts at ``now`` is marked."""
    rows, is_found = [], now is None
    for row in terms.rows:
        is_now = not is_found and (row.until is None or now <= row.until)
        is_found = is_found or is_now
        rows.append(
            {
                "until": row.until,
                "label": row.text,
                "amount": row.refund_amount,
                "percent": row.percent,
                "is_now": is_now,
            }
        )
    return rows


def day_label(day: date) -> str:
    return f"{day:%a, %b} {day.day}"
