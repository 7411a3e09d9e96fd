"""The life of a booking, in one table. Every door and test reads it; nothing else names a transition."""

from dataclasses import dataclass

from django.db import models


class BookingState(models.TextChoices):
    HELD = "held", "Kept for you"
    PENDING = "pending", "Waiting for an answer"
    CONFIRMED = "confirmed", "Confirmed"
    IN_PROGRESS = "in_progress", "Under way"
    COMPLETED = "completed", "Completed"
    DECLINED = "declined", "Declined"
    CANCELLED = "cancelled", "Cancelled"
    NO_SHOW = "no_show", "No-show"


S = BookingState
# These keep their allocations.
LIVE_STATES = frozenset({S.HELD, S.PENDING, S.CONFIRMED, S.IN_PROGRESS})
FINAL_STATES = frozenset(set(S) - LIVE_STATES)
UPCOMING_STATES = frozenset({S.PENDING, S.CONFIRMED, S.IN_PROGRESS})


class CancelReason(models.TextChoices):
    HOLD_EXPIRED = "hold_expired", "Not finished in time"
    REQUEST_EXPIRED = "request_expired", "Not answered in time"
    BY_OWNER = "by_owner", "Cancelled by the owner"
    BY_PROVIDER = "by_provider", "Cancelled by the provider"
    BY_STAFF = "by_staff", "Cancelled by Pet Place"


class Side(models.TextChoices):
    """On whose behalf a step is made."""

    OWNER = "owner", "Owner"
    PROVIDER = "provider", "Provider"
    STAFF = "staff", "Pet Place"
    SYSTEM = "system", "System"


class Action(models.TextChoices):
    HOLD = "hold", "Keep the time"
    PLACE = "place", "Book"
    ACCEPT = "accept", "Accept"
    DECLINE = "decline", "Decline"
    EXPIRE = "expire", "Expire"
    CANCEL = "cancel", "Cancel"
    RESCHEDULE = "reschedule", "Move"
    COMING = "coming", "Say that you will come"
    START = "start", "Start the visit"
    COMPLETE = "complete", "Finish the visit"
    NO_SHOW = "no_show", "Report a no-show"
    REVIVE = "revive", "Take the time again"


A = Action


@dataclass(frozen=True)
class Transition:
    """One row of the table: ``action`` by one of ``sides`` leads from ``source`` to ``target``."""

    action: Action
    source: BookingState | None  # None: the booking is new
    target: BookingState
    sides: frozenset[Side]


_OWNER = frozenset({Side.OWNER})
_PROVIDER = frozenset({Side.PROVIDER})
_SYSTEM = frozenset({Side.SYSTEM})
_PEOPLE = frozenset({Side.OWNER, Side.PROVIDER, Side.STAFF})

TRANSITIONS: tuple[Transition, ...] = (
    Transition(A.HOLD, None, S.HELD, _OWNER),
    Transition(A.PLACE, S.HELD, S.PENDING, _OWNER),  # service on request
    Transition(A.PLACE, S.HELD, S.CONFIRMED, _OWNER),  # instant service
    Transition(A.EXPIRE, S.HELD, S.CANCELLED, _SYSTEM),
    Transition(A.REVIVE, S.CANCELLED, S.PENDING, _SYSTEM),  # paid after the hold had run out, and still free
    Transition(A.REVIVE, S.CANCELLED, S.CONFIRMED, _SYSTEM),
    Transition(A.CANCEL, S.HELD, S.CANCELLED, frozenset({Side.OWNER, Side.STAFF})),
    Transition(A.ACCEPT, S.PENDING, S.CONFIRMED, _PROVIDER),
    Transition(A.DECLINE, S.PENDING, S.DECLINED, _PROVIDER),
    Transition(A.EXPIRE, S.PENDING, S.CANCELLED, _SYSTEM),
    Transition(A.CANCEL, S.PENDING, S.CANCELLED, _PEOPLE),
    Transition(A.CANCEL, S.CONFIRMED, S.CANCELLED, _PEOPLE),
    Transition(A.RESCHEDULE, S.PENDING, S.PENDING, _PEOPLE),
    Transition(A.RESCHEDULE, S.CONFIRMED, S.CONFIRMED, _PEOPLE),
    Transition(A.RESCHEDULE, S.CONFIRMED, S.PENDING, _OWNER),  # moved by the owner, on request: asks again
    Transition(A.COMING, S.CONFIRMED, S.CONFIRMED, _OWNER),  # an answer to the reminder: nothing else changes
    Transition(A.START, S.CONFIRMED, S.IN_PROGRESS, _PROVIDER),
    Transition(A.NO_SHOW, S.CONFIRMED, S.NO_SHOW, _PROVIDER),
    Transition(A.COMPLETE, S.IN_PROGRESS, S.COMPLETED, frozenset({Side.PROVIDER, Side.SYSTEM})),
)


def sources(action: str, side: str) -> frozenset[str]:
    """Return the states from which ``side`` may take ``action``."""
    return frozenset(t.source for t in TRANSITIONS if t.action == action and side in t.sides and t.source is not None)


def is_allowed(action: str, source: str | None, target: str, side: str) -> bool:
    """Whether the table has the row."""
    return any(
        t.action == action and t.source == source and t.target == target and side in t.sides for t in TRANSITIONS
    )
