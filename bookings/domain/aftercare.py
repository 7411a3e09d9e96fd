"""Money after the visit: tips, extra charges, and complaints that stop a payout.

Each locks the booking first, then its invoices.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from bookings import permissions
from bookings.domain import events, lifecycle
from bookings.models import Booking, Complaint
from bookings.states import BookingState, Side
from bookings.validators import clean_complaint
from payments.domain import invoices, payouts, refunds
from payments.models import Invoice, InvoiceKind, Payment, PaymentMethod
from payments.states import PaymentState
from petplace.db import retried
from petplace.errors import InvalidInput, InvalidTransition, NotAllowed
from petplace.money import format_money
from petplace.roles import Right, may

TIP_FOR = timedelta(days=settings.TIP_DAYS)
EXTRA_FOR = timedelta(days=14)
COMPLAIN_FOR = invoices.PAYOUT_AFTER

EXTRA_STATES = frozenset({BookingState.IN_PROGRESS, BookingState.COMPLETED})
COMPLAINT_STATES = frozenset({BookingState.IN_PROGRESS, BookingState.COMPLETED, BookingState.NO_SHOW})


def allowed(booking: Booking, sides: Iterable[str], *, now: datetime) -> list[str]:
    """Return which of ``tip``, ``extra`` and ``complaint`` those sides may do now: a forecast for buttons."""
    sides = list(sides)
    asked = {"tip": can_tip, "extra": can_charge_extra, "complaint": can_complain}
    return [
        name
        for name, can in asked.items()
        if any(can(booking, side, now=now) for side in sides)
        and not (name == "complaint" and hasattr(booking, "complaint"))
    ]


def can_tip(booking: Booking, side: str, *, now: datetime) -> bool:
    return side == Side.OWNER and booking.is_completed and now <= booking.ends_at + TIP_FOR


def can_charge_extra(booking: Booking, side: str, *, now: datetime) -> bool:
    return side == Side.PROVIDER and booking.state in EXTRA_STATES and now <= booking.ends_at + EXTRA_FOR


def can_complain(booking: Booking, side: str, *, now: datetime) -> bool:
    """Say when an owner may; that there is no complaint yet is asked apart."""
    return side == Side.OWNER and booking.state in COMPLAINT_STATES and now <= booking.ends_at + COMPLAIN_FOR


@retried
def tip(booking: Booking, *, amount: int, by: User, now: datetime) -> Invoice:
    """Write a tip that the owner is about to pay online; all of it goes to the provider.

    Raises InvalidTransition before the visit is finished and 14 days after its end.
    """
    _begin(booking, by, Side.OWNER)
    if not can_tip(booking, Side.OWNER, now=now) or booking.invoice is None:
        raise InvalidTransition("A tip can be given after the visit, for two weeks.", code="tip_not_now")
    return invoices.tip(booking.invoice, amount=amount, by=by, now=now, tip_until=booking.ends_at + TIP_FOR)


@retried
def charge_extra(booking: Booking, *, amount: int, description: str, by: User, now: datetime) -> Invoice:
    """Ask the owner for more than was agreed: from the start of the visit until 14 days after its end."""
    _begin(booking, by, Side.PROVIDER)
    if not can_charge_extra(booking, Side.PROVIDER, now=now) or booking.invoice is None:
        raise InvalidTransition(
            "An extra charge can be added from the start of the visit until two weeks after its end.",
            code="extra_not_now",
        )
    extra = invoices.charge_extra(booking.invoice, description=description, amount=amount, by=by, now=now)
    events.tell_extra(booking, extra, now=now)
    return extra


@retried
def complain(booking: Booking, *, text: str, by: User, now: datetime) -> Complaint:
    """Say that something went wrong, within two days after the end: the provider is not paid until it is decided."""
    text = clean_complaint(text, field="text")
    _begin(booking, by, Side.OWNER)
    if not can_complain(booking, Side.OWNER, now=now) or booking.invoice is None:
        raise InvalidTransition(
            "You can tell us until two days after the end of the visit. Please write to us.", code="complaint_not_now"
        )
    if Complaint.objects.filter(booking=booking).exists():
        raise InvalidTransition("You have told us already. We are looking at it.", code="complaint_made")
    complaint = Complaint.objects.create(booking=booking, by=by, text=text, made_at=now)
    payouts.freeze(booking.invoice, reason=f"Complaint about {booking.reference}", by=by, now=now)
    events.tell_complaint(booking, now=now)
    return complaint


@retried
def close_complaint(complaint: Complaint, *, by: User, answer: str, now: datetime, refund_amount: int = 0) -> Complaint:
    """Decide a complaint (staff): give ``refund_amount`` of what was paid online back, and let the rest be paid out."""
    if not may(by, Right.COMPLAINTS) or (refund_amount and not may(by, Right.REFUNDS)):
        raise NotAllowed
    answer = clean_complaint(answer, field="answer")
    booking = complaint.booking
    lifecycle.lock(booking)
    complaint.refresh_from_db()
    if not complaint.is_open:
        raise InvalidTransition("This complaint is closed already.")
    assert booking.invoice is not None
    _give_back(booking, refund_amount, by=by, now=now)
    complaint.answer, complaint.refund_amount = answer, refund_amount
    complaint.closed_at, complaint.closed_by = now, by
    complaint.save(update_fields=["answer", "refund_amount", "closed_at", "closed_by"])
    payouts.unfreeze(booking.invoice, by=by, now=now)
    after = {"refund": refund_amount, "currency": booking.currency, "booking": booking.reference}
    audit.record(AuditAction.RESOLVE_COMPLAINT, by=by, target=complaint, after=after, now=now)
    events.tell_complaint_closed(booking, answer, now=now)
    return complaint


def refundable(booking: Booking) -> int:
    """Return what was paid online for a booking, tips apart, and not given back yet."""
    sums = _paid_online(booking).aggregate(taken=Sum("captured_amount"), returned=Sum("refunded_amount"))
    return int(sums["taken"] or 0) - int(sums["returned"] or 0)


def _give_back(booking: Booking, amount: int, *, by: User, now: datetime) -> None:
    if not 0 <= amount <= refundable(booking):
        most = format_money(refundable(booking), booking.currency)
        raise InvalidInput(f"At most {most} can be given back.", fields={"refund_amount": [f"At most {most}."]})
    for payment in _paid_online(booking).order_by("-captured_at", "-pk"):
        part = min(amount, payment.refundable_amount)
        if part:
            refunds.request(payment, amount=part, by=by, reason=f"Complaint about {booking.reference}", now=now)
        amount -= part


def _paid_online(booking: Booking) -> QuerySet[Payment]:
    family = Invoice.objects.filter(Q(pk=booking.invoice_id) | Q(parent_id=booking.invoice_id))
    return Payment.objects.filter(
        invoice__in=family.exclude(kind=InvoiceKind.TIP).values("pk"), state=PaymentState.CAPTURED
    ).exclude(method=PaymentMethod.CASH)


def _begin(booking: Booking, by: User, side: Side) -> None:
    lifecycle.lock(booking)
    if side not in permissions.sides_of(by, booking):
        raise NotAllowed
