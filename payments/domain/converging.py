"""Bringing a family to where its payments say that it is. The heart: everything that changes money ends here.

``settle`` looks at rows, not at what has just happened, so it may be called as often as one likes:

1. what was paid of each invoice is counted from its payments;
2. one that has money on it, or whose work is done, gets its number;
3. authorizations and attempts that nobody wants any more are released;
4. what was paid beyond the claim is given back;
5. the state follows; the earnings are recognized.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, Sum

from accounts.models import User
from payments.domain import earnings, families, returning, series
from payments.models import CallKind, Dispute, GatewayCall, Invoice, InvoiceState, Payment
from payments.models.charge import RefundOrigin, Wanted
from payments.states import LIVE_PAYMENT_STATES, CallState, DisputeState, PaymentState, RefundState


@dataclass(frozen=True)
class Cause:
    """Why money goes back, for the refund's row."""

    origin: RefundOrigin = RefundOrigin.OVERPAID
    reason: str = "Paid more than was owed"
    by: User | None = None


def settle(family: families.Family, *, now: datetime, cause: Cause | None = None) -> int:
    """Converge; the caller holds the family's locks. Returns what was asked to be given back."""
    nets = count(family)
    given_back = 0
    for invoice in family.payable:
        if not invoice.is_void and (nets[invoice.pk].captured or (family.is_earned and _is_owed(invoice))):
            series.issue(invoice, now=now)
        if not invoice.outstanding:
            release(invoice, now=now)
        if invoice.overpaid:
            given_back += _give_back(invoice, cause or _late(invoice), now)
    if given_back:
        nets = count(family)
    for invoice in family.payable:
        _follow(invoice, is_earned=family.is_earned, captured=nets[invoice.pk].captured, now=now)
        earnings.recognize(
            invoice, is_earned=family.is_earned, net=nets[invoice.pk].net, due_at=family.sale.payout_due_at, now=now
        )
    return given_back


@dataclass
class Paid:
    """What the payments of one invoice amount to."""

    captured: int = 0
    net: int = 0


def count(family: families.Family) -> dict[int, Paid]:
    """Count what is paid from the payments, and write it onto the invoices."""
    found: dict[int, Paid] = defaultdict(Paid)
    members = [invoice.pk for invoice in family]
    captured = Payment.objects.filter(invoice_id__in=members, state=PaymentState.CAPTURED)
    for pk, taken, returned in (
        captured.order_by().values_list("invoice_id").annotate(Sum("captured_amount"), Sum("refunded_amount"))
    ):
        found[pk] = Paid(taken, taken - returned)
    lost = Dispute.objects.filter(payment__invoice_id__in=members, state=DisputeState.LOST)
    for pk, amount in lost.order_by().values_list("payment__invoice_id").annotate(Sum("amount")):
        found[pk].net -= amount
    for invoice in family.payable:
        paid = max(found[invoice.pk].net, 0)
        if paid != invoice.paid_amount:
            invoice.paid_amount = paid
            invoice.save(update_fields=["paid_amount"])
    return found


def authorized(family: families.Family) -> int:
    """Return what is authorized on a family and not to be released yet."""
    held = Payment.objects.filter(invoice__in=[one.pk for one in family], state=PaymentState.AUTHORIZED)
    return int(held.exclude(wanted=Wanted.VOID).aggregate(sum=Sum("amount"))["sum"] or 0)


def release(invoice: Invoice, *, now: datetime) -> int:
    """Let go of what is authorized on ``invoice`` or could still be paid; return what was authorized."""
    released = 0
    live = Q(state__in=LIVE_PAYMENT_STATES) | Q(state=PaymentState.AUTHORIZED)
    for payment in invoice.payments.filter(live).exclude(wanted=Wanted.VOID).order_by("pk"):
        released += payment.amount if payment.is_authorized else 0
        payment.wanted = Wanted.VOID
        if payment.ref is None:
            # Nobody was ever sent to pay it. Should it be paid all the same, that goes before.
            payment.state = PaymentState.VOIDED
        else:
            call(payment, CallKind.VOID, now)
        payment.save(update_fields=["wanted", "state"])
        drop_call(payment, CallKind.CAPTURE, now)
    return released


def capture(invoice: Invoice, *, now: datetime) -> int:
    """Ask for what is authorized on ``invoice``, as far as it is owed; return how much."""
    asked, owed = 0, invoice.outstanding
    for payment in invoice.payments.filter(state=PaymentState.AUTHORIZED).order_by("pk"):
        amount = min(payment.amount, owed - asked)
        if payment.wanted == Wanted.CAPTURE:
            asked += amount
            continue
        if amount <= 0 or payment.wanted == Wanted.VOID:
            continue
        payment.wanted = Wanted.CAPTURE
        payment.save(update_fields=["wanted"])
        call(payment, CallKind.CAPTURE, now, amount=amount)
        asked += amount
    return asked


def open_draft(invoice: Invoice) -> None:
    """From now on a locked draft is owed."""
    if invoice.is_draft and not invoice.is_tip:
        invoice.state = InvoiceState.OPEN
        invoice.save(update_fields=["state"])


def call(payment: Payment, kind: CallKind, now: datetime, *, amount: int | None = None) -> None:
    GatewayCall.objects.get_or_create(
        key=f"{kind}:{payment.uid}",
        defaults={"gateway": payment.gateway, "kind": kind, "payment": payment, "amount": amount, "due_at": now},
    )


def drop_call(payment: Payment, kind: CallKind, now: datetime) -> None:
    """Take a call back that was never made."""
    payment.calls.filter(kind=kind, state=CallState.WAITING, attempts=0).update(
        state=CallState.DONE, done_at=now, last_error="Not wanted any more."
    )


def _is_owed(invoice: Invoice) -> bool:
    """A tip is a present, and a draft that nobody paid was never asked for."""
    return not invoice.is_tip and not invoice.is_draft


def _late(invoice: Invoice) -> Cause:
    if invoice.is_void:
        return Cause(RefundOrigin.LATE, "Paid after it was over")
    return Cause()


def _give_back(invoice: Invoice, cause: Cause, now: datetime) -> int:
    """Refund what is too much, the newest payment first.

    What a dispute or a failed refund blocks is left to staff: it is not handed back in cash instead, for the cash is in
    the provider's drawer, and nobody has handed it over.
    """
    captured = invoice.payments.filter(state=PaymentState.CAPTURED).order_by("-captured_at", "-pk")
    payments = [families.lock_payment(payment) for payment in captured]
    blocked = [payment for payment in payments if _is_left_to_staff(payment)]
    left, held = invoice.overpaid, sum(returning.possible(payment) for payment in blocked)
    for payment in payments:
        room = left - held if payment.is_cash else left
        amount = min(room, 0 if payment in blocked else returning.possible(payment))
        if amount > 0:
            returning.ask(
                payment, invoice, amount=amount, origin=cause.origin, reason=cause.reason, by=cause.by, now=now
            )
            left -= amount
    return invoice.overpaid - left


def _is_left_to_staff(payment: Payment) -> bool:
    return returning.is_blocked(payment) or payment.refunds.filter(state=RefundState.FAILED).exists()


def _follow(invoice: Invoice, *, is_earned: bool, captured: int, now: datetime) -> None:
    """Let the state follow the figures. Void is an end; money that came too late goes back instead."""
    if invoice.is_void:
        return
    state = invoice.state
    if invoice.total and invoice.credited_amount == invoice.total and not invoice.paid_amount:
        state = InvoiceState.VOID
    elif invoice.is_draft and not captured and not (is_earned and _is_owed(invoice)):
        return
    elif invoice.outstanding:
        state = InvoiceState.OPEN
    elif invoice.total or is_earned:
        state = InvoiceState.PAID
    if state == invoice.state:
        return
    invoice.state = state
    invoice.paid_at = now if state == InvoiceState.PAID else None
    invoice.voided_at = now if state == InvoiceState.VOID else None
    invoice.save(update_fields=["state", "paid_at", "voided_at"])
