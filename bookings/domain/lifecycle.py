"""The steps in the life of a booking after it was placed. Nothing else changes its state (with ``reservation``).

Each step is one transaction: lock the booking's row -> read it again -> find the row in ``states.TRANSITIONS`` -> write
-> event -> notifications and invoice. Whoever gets the lock first wins; the others find another state and get
InvalidTransition (409). The instance that was passed in is read anew and returned.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from bookings import permissions
from bookings.domain import allocations, cancellation, events, talks
from bookings.models import Booking, BookingEvent
from bookings.models.booking import BookingQuerySet
from bookings.states import (
    FINAL_STATES,
    Action,
    BookingState,
    CancelReason,
    Side,
    is_allowed,
    sources,
)
from bookings.validators import clean_reason
from payments.domain import charges, invoices
from payments.models import InvoiceKind
from petplace.db import retried
from petplace.errors import DomainError, InvalidTransition, NotAllowed

ANSWER_WITHIN = timedelta(hours=settings.REQUEST_ANSWER_HOURS)
ANSWER_BEFORE_START = timedelta(hours=1)
FORGOTTEN_AFTER_START = timedelta(hours=24)
COMPLETE_AFTER_END = timedelta(days=2)
ROUNDS_TOGETHER = 2  # see begin
# While nobody can pay, a hold is kept a little longer each time it runs out.
MORE_TIME = timedelta(minutes=5)
MOST_MORE_TIME = timedelta(hours=2)
CANCEL_REASONS = {
    Side.OWNER: CancelReason.BY_OWNER,
    Side.PROVIDER: CancelReason.BY_PROVIDER,
    Side.STAFF: CancelReason.BY_STAFF,
}


@dataclass(frozen=True)
class Step:
    """A step that may be made: the booking is locked, and the table has a row for its state and this side."""

    action: Action
    side: Side
    source: BookingState
    by: User | None


@retried
def accept(booking: Booking, *, by: User, now: datetime, reason: str = "") -> Booking:
    """Accept a request. Raises InvalidTransition when it was answered, withdrawn or has run out.

    What was authorized for it is captured: the call to the gateway comes after the transaction.
    """
    step = begin(booking, Action.ACCEPT, by=by)
    if booking.due_at is not None and booking.due_at <= now:
        raise InvalidTransition("The time to answer this request is over.", code="request_expired")
    if not booking.provider.is_public:
        raise DomainError("This provider takes no bookings at present.", code="provider_unavailable")
    booking.state, booking.due_at = BookingState.CONFIRMED, None
    if booking.invoice is not None:
        charges.want_capture(booking.invoice, now=now)
        booking.invoice.refresh_from_db()
    return finish(booking, step, now=now, reason=clean_reason(reason))


@retried
def decline(booking: Booking, *, by: User, now: datetime, reason: str = "") -> Booking:
    """Decline a request, with a reason that the owner reads. Nothing is owed then."""
    reason = clean_reason(reason, is_required=True)
    step = begin(booking, Action.DECLINE, by=by)
    booking.state, booking.due_at = BookingState.DECLINED, None
    detail = _give_back(booking, booking.total, "Declined by the provider", now)
    return finish(booking, step, now=now, reason=reason, detail=detail)


@retried
def cancel(booking: Booking, *, by: User, now: datetime, reason: str = "") -> Booking:
    """Cancel before the visit. The owner gets back what the terms say for ``now``; any other side gives back all."""
    reason = clean_reason(reason)
    step = begin(booking, Action.CANCEL, by=by)
    return _cancel(booking, step, CANCEL_REASONS[step.side], now=now, reason=reason)


@retried
def expire(booking: Booking, *, now: datetime) -> Booking:
    """End a hold that was not finished, or a request that was not answered, in time."""
    step = begin(booking, Action.EXPIRE, by=None)
    forgotten = step.source == BookingState.PENDING and booking.starts_at + FORGOTTEN_AFTER_START <= now
    if not forgotten and (booking.due_at is None or booking.due_at > now):
        raise InvalidTransition("It has not run out yet.", code="not_due")
    is_hold = step.source == BookingState.HELD
    cause = CancelReason.HOLD_EXPIRED if is_hold else CancelReason.REQUEST_EXPIRED
    return _cancel(booking, step, cause, now=now, reason="")


@retried
def start(booking: Booking, *, by: User, now: datetime, reason: str = "") -> Booking:
    """Start the visit, not earlier than one hour before its time. It completes itself two days after its end."""
    step = begin(booking, Action.START, by=by)
    if now < booking.starts_at - permissions.START_EARLY:
        raise DomainError("A visit can be started one hour before its time at the earliest.", code="too_early")
    booking.state, booking.due_at = BookingState.IN_PROGRESS, booking.ends_at + COMPLETE_AFTER_END
    return finish(booking, step, now=now, reason=clean_reason(reason))


@retried
def say_coming(booking: Booking, *, by: User, now: datetime) -> Booking:
    """Answer the reminder: the owner will come. Said once for each time of the booking; again changes nothing.

    It is an event and a word to the team: state, sequence and reminders stay as they are.
    """
    step = begin(booking, Action.COMING, by=by)
    if not booking.starts_at - permissions.COMING_EARLY <= now < booking.starts_at:
        raise DomainError("This can be said in the last two days before the visit.", code="too_early")
    if has_said_coming(booking):
        return booking
    detail = {"sequence": booking.sequence}
    event = events.record(booking, step.action, from_state=step.source, side=step.side, by=by, now=now, detail=detail)
    talks.follow(booking, event, now=now)
    events.tell(booking, event, now=now)
    return booking


def has_said_coming(booking: Booking, story: Iterable[BookingEvent] | None = None) -> bool:
    """Whether the owner has said it for the booking's present time. ``story`` are its events, where they are loaded."""
    return any(
        event.action == Action.COMING and event.detail.get("sequence") == booking.sequence
        for event in (booking.events.all() if story is None else story)
    )


@retried
def complete(
    booking: Booking, *, by: User | None, now: datetime, reason: str = "", is_paid: bool | None = None
) -> Booking:
    """Finish the visit: what is paid of it is earned. ``by`` None is the system, when it is due.

    ``is_paid`` says whether what is still owed was taken at the visit. None is as it was agreed: it was, unless all had
    to be paid before. What was not stays owed, and can be paid online or recorded later.
    """
    step = begin(booking, Action.COMPLETE, by=by)
    if by is None and (booking.due_at is None or booking.due_at > now):
        raise InvalidTransition("It is not due yet.", code="not_due")
    booking.state, booking.due_at = BookingState.COMPLETED, None
    if booking.invoice is not None:
        if booking.quote.is_paid_at_visit if is_paid is None else is_paid:
            invoices.settle(booking.invoice, now=now, by=by)
        booking.invoice = invoices.earn(booking.invoice, now=now, payout_due_at=payout_due_at(booking))
    return finish(booking, step, now=now, reason=clean_reason(reason))


@retried
def report_no_show(booking: Booking, *, by: User, now: datetime, reason: str = "") -> Booking:
    """Say, after the start, that nobody came. The terms say what is still to be paid."""
    step = begin(booking, Action.NO_SHOW, by=by)
    if now < booking.starts_at:
        raise DomainError("This can be reported after the start.", code="too_early")
    booking.state, booking.due_at = BookingState.NO_SHOW, None
    refund = cancellation.Terms.from_json(booking.terms).no_show.refund_amount
    detail = _give_back(booking, refund, "Nobody came", now, payout_due_at=payout_due_at(booking))
    return finish(booking, step, now=now, reason=clean_reason(reason), detail=detail)


@retried
def give_up(booking: Booking, *, now: datetime, reason: str) -> Booking:
    """End a hold that was paid but cannot be placed any more, or a request whose payment is lost, by the system.

    Everything goes back. ``reason`` is what the owner reads.
    """
    step = begin(booking, Action.EXPIRE, by=None)
    cause = CancelReason.HOLD_EXPIRED if step.source == BookingState.HELD else CancelReason.REQUEST_EXPIRED
    return _cancel(booking, step, cause, now=now, reason=reason)


@retried
def keep_waiting(booking: Booking, *, now: datetime) -> bool:
    """Give a hold that has run out unpaid five more minutes because paying is paused; say whether it was given.

    The owner is told. After two hours it ends all the same: somebody else may want the time.
    """
    lock(booking)
    if not booking.is_held or not booking.quote.prepay_amount or booking.due_at is None or booking.due_at > now:
        return False
    began = booking.events.filter(action=Action.HOLD).latest("pk").at
    if now + MORE_TIME > began + MOST_MORE_TIME:
        return False
    booking.due_at = now + MORE_TIME
    booking.save(update_fields=["due_at", "updated_at"])
    events.tell_more_time(booking, now=now)
    return True


def payout_due_at(booking: Booking) -> datetime:
    """Return when the provider's money for it is due, unless somebody complains."""
    return booking.ends_at + invoices.PAYOUT_AFTER


def begin(booking: Booking, action: Action, *, by: User | None) -> Step:
    """Lock the booking, read it again, and check that ``by`` (None: the system) may take ``action`` in its state.

    Raises NotAllowed when the action is not theirs in any state, InvalidTransition when not in this one.

    Of many at once those who lose are not kept in a queue: who finds the row locked waits for the end of that
    transaction with all others (``FOR SHARE``), looks, and tries again only if the action is still possible. After two
    such rounds it queues.
    """
    teams = frozenset[int]() if by is None else permissions.teams_of(by, booking)
    for _ in range(ROUNDS_TOGETHER):
        if _lock_at_once(booking):
            return _step(booking, action, by, teams)
        savepoint = transaction.savepoint()
        booking.state = _state_when_free(booking)
        _step(booking, action, by, teams)
        transaction.savepoint_rollback(savepoint)
    lock(booking)
    return _step(booking, action, by, teams)


def lock(booking: Booking) -> None:
    """Hold the booking's row until the end of the transaction, and read it again with what every step needs."""
    rows = _rows()
    if not settings.DISABLE_BOOKING_LOCKS:
        rows = rows.select_for_update(of=("self",), no_key=True)
    booking.refresh_from_db(from_queryset=rows)


def _lock_at_once(booking: Booking) -> bool:
    """Do as ``lock``, unless another transaction holds the row."""
    if settings.DISABLE_BOOKING_LOCKS:
        lock(booking)
        return True
    try:
        booking.refresh_from_db(from_queryset=_rows().select_for_update(of=("self",), no_key=True, skip_locked=True))
    except Booking.DoesNotExist:
        return False
    return True


def _state_when_free(booking: Booking) -> BookingState:
    """Wait until nobody holds the row, and return the state that it has then."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM bookings_booking WHERE id = %s FOR SHARE", [booking.pk])
        row: tuple[str] = cursor.fetchone()
    return BookingState(row[0])


def _rows() -> BookingQuerySet:
    return Booking.objects.select_related(
        "service__branch", "service__provider", "provider", "owner", "invoice", "quote", "conversation"
    )


def _step(booking: Booking, action: Action, by: User | None, teams: frozenset[int]) -> Step:
    sides = (Side.SYSTEM,) if by is None else permissions.acting_sides(by, booking, teams=teams)
    theirs = [side for side in sides if permissions.is_sides_action(action, side)]
    if not theirs:
        raise NotAllowed
    source = BookingState(booking.state)
    for side in theirs:
        if source in sources(action, side):
            return Step(action, side, source, by)
    raise InvalidTransition(f"This is not possible: the booking's state is “{source.label}”.")


def finish(
    booking: Booking,
    step: Step,
    *,
    now: datetime,
    reason: str = "",
    detail: dict[str, Any] | None = None,
    changed: tuple[str, ...] = (),
    old_starts_at: datetime | None = None,
) -> Booking:
    """Write the new state with its event and what people are told; give the resources free when it is a final one."""
    if not is_allowed(step.action, step.source, booking.state, step.side):
        raise AssertionError(f"{step} to {booking.state} is not in the table")
    if step.source != BookingState.HELD:
        booking.sequence += 1
    booking.save(update_fields=["state", "cancel_reason", "due_at", "sequence", "updated_at", *changed])
    if booking.state in FINAL_STATES:
        allocations.release(booking)
    event = events.record(
        booking, step.action, from_state=step.source, side=step.side, by=step.by, now=now, reason=reason, detail=detail
    )
    talks.follow(booking, event, now=now)
    events.tell(booking, event, now=now, old_starts_at=old_starts_at)
    return booking


def answer_until(starts_at: datetime, now: datetime) -> datetime:
    """Return when a request runs out: after 24 hours or one hour before the start, whichever is first.

    One that is made in the last hour can be answered until the start.
    """
    latest = starts_at - ANSWER_BEFORE_START
    return min(now + ANSWER_WITHIN, latest if latest > now else starts_at)


def _cancel(booking: Booking, step: Step, cause: CancelReason, *, now: datetime, reason: str) -> Booking:
    # What is only held was never promised: nothing of it is kept.
    is_hold = step.source == BookingState.HELD
    refund = booking.total if is_hold else cancellation.refund_due(booking, now, step.side)
    booking.state, booking.cancel_reason, booking.due_at = BookingState.CANCELLED, cause, None
    detail = _give_back(booking, refund, cause.label, now)
    return finish(booking, step, now=now, reason=reason, detail=detail)


def _give_back(
    booking: Booking, refund: int, why: str, now: datetime, *, payout_due_at: datetime | None = None
) -> dict[str, Any]:
    """Reduce what is asked for to what is kept, and return the figures for the event.

    ``refund`` is the part of the price that is not asked for any more, ``paid_back`` what of it was paid and goes back,
    ``released`` what was only authorized.
    """
    if booking.invoice is None:
        return {}
    kept = min(booking.total - refund, _claim(booking))
    done = invoices.keep_only(booking.invoice, keep=kept, reason=why, now=now, payout_due_at=payout_due_at)
    booking.invoice = done.invoice
    figures = {"refund": booking.total - kept, "kept": kept, "currency": booking.currency}
    moved = {"paid_back": done.refund, "released": done.released}
    return figures | {name: amount for name, amount in moved.items() if amount}


def _claim(booking: Booking) -> int:
    """Return what is asked for in all: less than the price when staff gave a part of it back."""
    assert booking.invoice is not None
    family = invoices.family_of(booking.invoice)
    return sum(one.claim for one in family if one.kind in (InvoiceKind.SALE, InvoiceKind.EXTRA))
