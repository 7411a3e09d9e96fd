"""Giving money back by hand, and what the gateway answers."""

from datetime import datetime

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.domain import converging, crediting, families, returning, series
from payments.gateways.base import RefundSeen
from payments.models import Payment, Refund
from payments.models.charge import RefundOrigin
from petplace.db import retried
from petplace.errors import InvalidInput, InvalidTransition


@retried
def request(payment: Payment, *, amount: int, by: User | None, reason: str, now: datetime) -> Refund:
    """Give ``amount`` of a captured payment back; what was not paid twice is credited on the invoice.

    Raises InvalidInput, InvalidTransition, returning.TooMuchToRefundError and returning.DisputedError. Side effect: a
    call to the gateway after the transaction.
    """
    if amount <= 0:
        raise InvalidInput("Say how much is to be given back.", fields={"amount": ["Must be more than nothing."]})
    family = families.lock(payment.invoice)
    payment = families.lock_payment(payment)
    invoice = family.member(payment.invoice_id)
    if not payment.is_captured:
        raise InvalidTransition("Nothing was taken by this payment yet.")
    refund = returning.ask(payment, invoice, amount=amount, origin=RefundOrigin.STAFF, reason=reason, by=by, now=now)
    before = invoice.outstanding
    converging.count(family)
    short = invoice.outstanding - before
    if short > 0:
        series.issue(invoice, now=now)
        crediting.credit(invoice, amount=short, reason=reason, now=now)
    converging.settle(family, now=now)
    audit.record(
        AuditAction.REFUND,
        by=by,
        target=invoice,
        before={"outstanding": before},
        after={"refund": str(refund.uid), "amount": amount, "currency": invoice.currency},
        reason=reason,
        now=now,
    )
    return refund


@retried
def record(refund: Refund, seen: RefundSeen, *, now: datetime) -> Refund:
    """Take over the gateway's answer to our own refund.

    Somebody may have refunded as much at the gateway while our answer was on its way, and the two were taken for one:
    then ours gets its own ref here, and the next look at the gateway finds the other (``calls`` takes it at once).
    """
    family = families.lock(refund.payment.invoice)
    payment = families.lock_payment(refund.payment)
    invoice = family.member(payment.invoice_id)
    refund = payment.refunds.get(pk=refund.pk)
    if refund.is_failed:
        return refund  # given up in the meantime; the next look at the gateway finds it
    if not payment.refunds.filter(ref=seen.ref).exclude(pk=refund.pk).exists():
        returning.advance(refund, payment, invoice, seen, now=now)
    converging.settle(family, now=now)
    return refund


@retried
def fail(refund: Refund, *, why: str, now: datetime) -> Refund:
    """Record that the gateway refused a refund for good."""
    family = families.lock(refund.payment.invoice)
    payment = families.lock_payment(refund.payment)
    refund = payment.refunds.get(pk=refund.pk)
    returning.fail(refund, payment, family.member(payment.invoice_id), why=why, now=now)
    converging.settle(family, now=now)
    return refund
