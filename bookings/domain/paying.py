"""Bookings and their money: what happens to a booking when a payment for it moves. Registered with the payments floor.

``payments`` locks the booking by ``lock`` before any row of its own, so that whoever holds a booking's invoice or
payment holds the booking too. Taking a time again therefore may wait for owner and resources with the invoice in hand:
nobody who holds those waits for an invoice of a booking that is not theirs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import prefetch_related_objects

from accounts.models import User
from bookings.domain import events, lifecycle, reservation
from bookings.models import Booking
from bookings.states import Action, BookingState, CancelReason
from messaging.models import Notification
from payments.domain import charges
from payments.models import Invoice, InvoiceKind, Payment
from payments.models.charge import Wanted
from petplace.errors import DomainError, InvalidTransition, NotAllowed

LOST = "The payment could not be kept."
SHOWN_STEPS = 30


@dataclass(frozen=True)
class Standing:
    """How the money of a booking stands, in minor units. ``payable`` are the invoices that can be paid online now."""

    paid: int = 0
    authorized: int = 0
    refunded: int = 0
    outstanding: int = 0
    tips: int = 0
    due_now: int = 0
    payable: list[Invoice] = field(default_factory=list)
    family: list[Invoice] = field(default_factory=list)
    payout_due_at: datetime | None = None

    @property
    def has_moved(self) -> bool:
        return bool(self.paid or self.authorized or self.refunded)


def standing(booking: Booking) -> Standing:
    """Add up what is paid, authorized, refunded and owed of a booking's invoices, tips apart."""
    sale = booking.invoice
    if sale is None:
        return Standing()
    prefetch_related_objects([sale], "payments", "children__payments")
    family = [sale, *(one for one in sale.children.all() if not one.is_credit_note)]
    bills = [one for one in family if not one.is_tip]
    online = [payment for one in bills for payment in one.payments.all()]
    payable = [one for one in bills if due(one) and (one is not sale or _is_asked_for(booking, sale))]
    return Standing(
        paid=sum(one.paid_amount for one in bills),
        authorized=sum(payment.amount for payment in online if _is_kept(payment)),
        refunded=sum(payment.refunded_amount for payment in online),
        outstanding=sum(one.outstanding for one in bills if one.is_open),
        tips=sum(one.paid_amount for one in family if one.is_tip),
        due_now=sum(due(one) for one in payable),
        payable=payable,
        family=family,
        payout_due_at=sale.payout_due_at,
    )


def _is_asked_for(booking: Booking, sale: Invoice) -> bool:
    """Whether the price itself is to be paid online now. What is paid at the visit is not asked for before its end."""
    if sale.is_draft:
        return booking.is_held
    return not booking.is_live or _secured(sale) < booking.quote.prepay_amount


def due(invoice: Invoice) -> int:
    """Say what ``charges.due_now`` says, from rows that were loaded."""
    if invoice.is_void or invoice.is_credit_note:
        return 0
    return max((invoice.prepay_amount if invoice.is_draft else invoice.claim) - _secured(invoice), 0)


def _secured(invoice: Invoice) -> int:
    return invoice.paid_amount + sum(one.amount for one in invoice.payments.all() if _is_kept(one))


def _is_kept(payment: Payment) -> bool:
    return payment.is_authorized and not payment.flagged and payment.wanted != Wanted.VOID


def start(
    booking: Booking,
    *,
    by: User,
    now: datetime,
    return_url: Callable[[Invoice], str],
    invoice: Invoice | None = None,
    gateway: str | None = None,
) -> charges.Started:
    """Begin to pay what is due of a booking, or of one of its invoices (an extra charge, a tip), outside a transaction.

    Raises InvalidTransition with ``hold_expired`` when the time to pay is over, NothingDueError, NotAllowed for anybody
    but the owner, and what the gateway raises.
    """
    if booking.owner_id != by.pk:
        raise NotAllowed
    found = standing(booking)
    chosen = invoice or next(iter(found.payable), None)
    if chosen is None or chosen.pk not in [one.pk for one in found.family]:
        raise charges.NothingDueError
    if booking.is_held and booking.due_at is not None and booking.due_at <= now:
        raise InvalidTransition("Your time to finish this booking is over. Please book again.", code="hold_expired")
    return charges.start(chosen, by=by, gateway=gateway, now=now, return_url=return_url(chosen))


# --- Hooks ----------------------------------------------------------------------------------------


def lock(sale: Invoice) -> None:
    """Hold the booking of ``sale`` until the end of the transaction."""
    if not settings.DISABLE_BOOKING_LOCKS:
        list(Booking.objects.select_for_update(of=("self",), no_key=True).filter(invoice=sale).values_list("pk"))


def on_paid(invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Hear that a payment was authorized or captured: place a hold, take one that ran out again, or say that it goes
    back. Called at least once, in the payment's transaction."""
    booking = _booking_of(invoice)
    if booking is None:
        return
    if invoice.kind != InvoiceKind.SALE:
        if payment.is_captured:
            events.tell_paid(booking, invoice, payment, now=now)
    elif booking.is_held:
        _place(booking, payment, now)
    elif invoice.is_void:
        if booking.cancel_reason != CancelReason.HOLD_EXPIRED or not _take_again(booking, payment, now):
            events.tell_too_late(booking, payment, now=now)
    elif payment.is_captured and not payment.authorized_at:
        events.tell_paid(booking, invoice, payment, now=now)


def on_failed(invoice: Invoice, payment: Payment, now: datetime) -> None:
    """Hear that an authorization is lost: a request ends with it, for a confirmed booking its owner is asked again."""
    booking = _booking_of(invoice)
    if booking is None or invoice.kind != InvoiceKind.SALE:
        return
    if booking.is_pending and charges.secured(invoice) < booking.quote.prepay_amount:
        lifecycle.give_up(booking, now=now, reason=LOST)
    elif booking.is_live:
        events.tell_payment_lost(booking, payment, now=now)


def deadline(sale: Invoice) -> datetime | None:
    """Return until when a hold must be paid."""
    return Booking.objects.filter(invoice=sale, state=BookingState.HELD).values_list("due_at", flat=True).first()


def url(sale: Invoice) -> str:
    booking = Booking.objects.filter(invoice=sale).first()
    return booking.get_absolute_url() if booking is not None else ""


def describe(sale: Invoice) -> dict[str, Any]:
    """Return what speaks for us in a dispute: what was booked, the timeline, when the visit began and ended."""
    booking = Booking.objects.select_related("service", "provider").filter(invoice=sale).first()
    if booking is None:
        return {}
    story = list(booking.events.order_by("pk")[:SHOWN_STEPS])
    began, ended = (_at(story, action) for action in (Action.START, Action.COMPLETE))
    return {
        "booking": f"{booking.reference}: {booking.service.name} with {booking.provider.name}",
        "time": f"{booking.starts_at:%Y-%m-%d %H:%M} to {booking.ends_at:%Y-%m-%d %H:%M} UTC",
        "timeline": "\n".join(
            f"{one.at:%Y-%m-%d %H:%M} UTC: {one.action} by {one.side}, {one.to_state}" for one in story
        ),
        "visit_started": began,
        "visit_finished": ended,
        "notifications": str(Notification.objects.filter(topic=f"booking:{booking.uid}").count()),
        "terms": "; ".join(row["text"] for row in booking.terms["rows"]),
    }


def _at(story: Iterable[Any], action: str) -> str:
    return next((f"{one.at:%Y-%m-%d %H:%M} UTC" for one in story if one.action == action), "not recorded")


def _booking_of(invoice: Invoice) -> Booking | None:
    """Return the booking of a family, read again under the lock that ``lock`` has taken."""
    booking = Booking.objects.filter(invoice_id=invoice.root_id).first()
    if booking is not None:
        lifecycle.lock(booking)
    return booking


def _place(booking: Booking, payment: Payment, now: datetime) -> None:
    if not _is_secured(booking, payment):
        return
    try:
        with transaction.atomic():
            reservation.place_paid(booking, now=now)
    except DomainError as error:
        lifecycle.give_up(booking, now=now, reason=error.message)
        events.tell_too_late(booking, payment, now=now)


def _take_again(booking: Booking, payment: Payment, now: datetime) -> bool:
    if not _is_secured(booking, payment):
        return False
    try:
        with transaction.atomic():
            reservation.take_again(booking, now=now)
    except DomainError:
        return False
    return True


def _is_secured(booking: Booking, payment: Payment) -> bool:
    """Whether enough is paid or authorized. A late authorization counts also while it is about to be released."""
    assert booking.invoice is not None
    late = payment.amount if payment.is_authorized and payment.wanted == Wanted.VOID and not payment.flagged else 0
    return charges.secured(booking.invoice) + late >= booking.quote.prepay_amount
