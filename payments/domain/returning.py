"""The rows of refunds, under the locks that the caller holds (family, then payment).

A refund stands in the ledger from the moment it is asked for, so that nobody gives the same money back twice, and is
reversed if it fails. ``Payment.refunded_amount`` is raised by one conditional UPDATE: it cannot pass what was captured.
"""

from datetime import datetime
from uuid import uuid4

from django.conf import settings
from django.db.models import F, Sum

from accounts.models import User
from payments.domain import alerts, ledger
from payments.gateways.base import RefundSeen
from payments.models import CallKind, EntryKind, GatewayCall, Invoice, Payment, Refund
from payments.models.charge import RefundOrigin
from payments.states import OPEN_DISPUTE_STATES, REFUND_RANK, CallState, DisputeState, RefundState, is_further
from petplace.errors import DomainError

SEEN_STATES = {"pending": RefundState.SENT, "succeeded": RefundState.SUCCEEDED, "failed": RefundState.FAILED}

FAILED_THERE = "The gateway could not give it back."


class TooMuchToRefundError(DomainError):
    code = "refund_too_much"
    message = "More cannot be given back than was paid and not refunded yet."


class DisputedError(DomainError):
    code = "payment_disputed"
    message = "The payer's bank is looking into this payment. It cannot be refunded until that is decided."


def lost(payment: Payment) -> int:
    """Return what the payer's bank took back for good."""
    found = payment.disputes.filter(state=DisputeState.LOST).aggregate(sum=Sum("amount"))
    return int(found["sum"] or 0)


def is_blocked(payment: Payment) -> bool:
    """Whether a dispute forbids a refund now. While the bank only asks, it may allow one."""
    return payment.disputes.filter(state__in=OPEN_DISPUTE_STATES, is_refundable=False).exists()


def possible(payment: Payment) -> int:
    """Return what can still be given back of ``payment``."""
    return max(payment.refundable_amount - lost(payment), 0)


def ask(
    payment: Payment,
    invoice: Invoice,
    *,
    amount: int,
    origin: RefundOrigin,
    reason: str,
    by: User | None,
    now: datetime,
) -> Refund:
    """Write a refund and the call that makes it; cash is handed back at the visit, so that it is done.

    Raises TooMuchToRefundError and DisputedError.
    """
    if amount > payment.refundable_amount:  # known without asking: of many at once, the losers hold the lock briefly
        raise TooMuchToRefundError
    if is_blocked(payment):
        raise DisputedError
    if amount > possible(payment):
        raise TooMuchToRefundError
    _reserve(payment, amount)
    uid = uuid4()
    refund = Refund.objects.create(
        uid=uid, payment=payment, amount=amount, origin=origin, reason=reason[:300], by=by, key=f"refund:{uid}",
        state=RefundState.SUCCEEDED if payment.is_cash else RefundState.WAITING,
        done_at=now if payment.is_cash else None,
    )  # fmt: skip
    _post(refund, payment, invoice, now)
    if not payment.is_cash:
        GatewayCall.objects.create(
            gateway=payment.gateway, kind=CallKind.REFUND, refund=refund, amount=amount, key=refund.key, due_at=now
        )
    return refund


def unite(payment: Payment, invoice: Invoice, seen: tuple[RefundSeen, ...], *, now: datetime) -> list[Refund]:
    """Take over what the gateway says of refunds. Returns those that somebody made there, without us."""
    known = {refund.ref: refund for refund in payment.refunds.all() if refund.ref is not None}
    foreign = []
    for one in seen:
        refund = known.get(one.ref) or _answered(payment, one)
        if refund is not None:
            advance(refund, payment, invoice, one, now=now)
        else:
            foreign.append(_foreign(payment, invoice, one, now=now))
    return foreign


def is_news(payment: Payment, seen: tuple[RefundSeen, ...]) -> bool:
    """Whether there is a refund among ``seen`` that we do not know, or not that far."""
    if not seen:
        return False
    known = dict(payment.refunds.exclude(ref=None).values_list("ref", "state"))
    return any(one.ref not in known or is_further(REFUND_RANK, known[one.ref], SEEN_STATES[one.state]) for one in seen)


def advance(refund: Refund, payment: Payment, invoice: Invoice, seen: RefundSeen, *, now: datetime) -> None:
    """Move one refund forward to what the gateway says."""
    state = SEEN_STATES[seen.state]
    refund.ref = seen.ref
    if is_further(REFUND_RANK, refund.state, state):
        if state == RefundState.FAILED:
            fail(refund, payment, invoice, why=FAILED_THERE, now=now)
            return
        refund.state = state
        if state == RefundState.SUCCEEDED:
            refund.done_at = now
    refund.save(update_fields=["ref", "state", "done_at"])


def fail(refund: Refund, payment: Payment, invoice: Invoice, *, why: str, now: datetime) -> None:
    """Take a refund back that did not work, once: the money is still ours to give back, and staff must know."""
    if refund.is_failed:
        return
    refund.state, refund.failure = RefundState.FAILED, why[:500]
    refund.save(update_fields=["ref", "state", "failure"])
    Payment.objects.filter(pk=payment.pk).update(refunded_amount=F("refunded_amount") - refund.amount)
    payment.refunded_amount -= refund.amount
    ledger.transfer(
        EntryKind.REFUND_FAILED, debit=ledger.where(payment, invoice.provider_id), credit=ledger.CUSTOMER_FUNDS,
        amount=refund.amount, key=f"refund-failed:{refund.uid}", currency=payment.currency, at=now, memo=why,
        invoice=invoice, payment=payment, refund=refund,
    )  # fmt: skip
    refund.calls.filter(state=CallState.WAITING).update(state=CallState.FAILED, done_at=now, last_error=why[:1000])
    _alert(refund, invoice, why, now)


def _alert(refund: Refund, invoice: Invoice, why: str, now: datetime) -> None:
    alerts.staff(
        "refund_failed", key=f"refund_failed:{refund.uid}", title="A refund failed",
        body=f"{invoice.label}: {why} The payer has not been told that it is done. Please look at the payment.",
        now=now,
    )  # fmt: skip


def _reserve(payment: Payment, amount: int) -> None:
    if settings.DISABLE_PAYMENT_LOCKS:  # read, check, write: what the UPDATE below is there for
        Payment.objects.filter(pk=payment.pk).update(refunded_amount=payment.refunded_amount + amount)
        payment.refunded_amount += amount
        return
    free = Payment.objects.filter(pk=payment.pk, captured_amount__gte=F("refunded_amount") + amount)
    if not free.update(refunded_amount=F("refunded_amount") + amount):
        raise TooMuchToRefundError
    payment.refunded_amount += amount


def _post(refund: Refund, payment: Payment, invoice: Invoice, now: datetime) -> None:
    ledger.transfer(
        EntryKind.REFUND, debit=ledger.CUSTOMER_FUNDS, credit=ledger.where(payment, invoice.provider_id),
        amount=refund.amount, key=f"refund:{refund.uid}", currency=payment.currency, at=now, memo=refund.reason,
        invoice=invoice, payment=payment, refund=refund,
    )  # fmt: skip


def _answered(payment: Payment, seen: RefundSeen) -> Refund | None:
    """Return the refund of ours that this must be: asked for at the gateway at least once, and no answer came yet."""
    waiting = payment.refunds.filter(ref=None, state=RefundState.WAITING, amount=seen.amount, calls__attempts__gt=0)
    return waiting.order_by("pk").first()


def _foreign(payment: Payment, invoice: Invoice, seen: RefundSeen, *, now: datetime) -> Refund:
    """Record a refund that was made at the gateway. Ours for which it leaves no room, not sent yet, has failed."""
    is_failed = seen.state == "failed"
    for ours in payment.refunds.filter(ref=None, state=RefundState.WAITING).order_by("-pk"):
        if is_failed or payment.refundable_amount >= seen.amount:
            break
        fail(ours, payment, invoice, why="The money was given back at the gateway in the meantime.", now=now)
    if not is_failed:
        _reserve(payment, seen.amount)
    refund = Refund.objects.create(
        payment=payment, amount=seen.amount, ref=seen.ref,
        failure=FAILED_THERE if is_failed else "", origin=RefundOrigin.DASHBOARD,
        reason="Refunded at the gateway",
        key=f"seen:{payment.uid}:{seen.ref}"[:100], state=SEEN_STATES[seen.state],
        done_at=now if seen.state == "succeeded" else None,
    )  # fmt: skip
    if is_failed:
        _alert(refund, invoice, FAILED_THERE, now)
    else:
        _post(refund, payment, invoice, now)
    return refund
