"""Making the calls that transactions have decided on: lease a row, call with no transaction open, record the answer.

A call is made at least once and has one effect, because it carries the key of its row. After an answer that never came
the outcome is unknown: the same key is sent again, with growing pauses, until there is one. A worker that dies leaves
its lease to run out.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, transaction

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.domain import alerts, charges, payouts, refunds
from payments.gateways import registry
from payments.gateways.base import GatewayDeclined, GatewayPaused, GatewayRefused, GatewayUnavailable
from payments.models import CallKind, GatewayCall, Payment
from payments.models.charge import Wanted
from payments.states import CallState, PaymentState
from petplace.errors import InvalidTransition

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)  # longer than a call with its repeats can take
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=10)
PAUSE = timedelta(seconds=30)
LOUD_AFTER = 20  # attempts, about two and a half hours


@dataclass
class Outcome:
    """What one pass did."""

    done: int = 0
    later: int = 0
    failed: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name}" for field in fields(self))


def run_due(*, now: datetime, seconds: float = 20.0, limit: int = 200) -> Outcome:
    """Make the calls that are due, oldest first. Safe to run many times at once."""
    outcome = Outcome()
    deadline = time.monotonic() + seconds
    while limit > 0 and time.monotonic() < deadline and (call := _lease(now)) is not None:
        limit -= 1
        _make(call, now, outcome)
    return outcome


@transaction.atomic
def send_again(call: GatewayCall, *, by: User, now: datetime) -> GatewayCall:
    """Make a call at once that waits or has failed, under its old key. A failed refund or transfer needs a new one."""
    call = GatewayCall.objects.select_for_update().get(pk=call.pk)
    if call.state == CallState.DONE:
        raise InvalidTransition("This call was made already.")
    if call.is_failed and call.kind in (CallKind.REFUND, CallKind.TRANSFER):
        raise InvalidTransition("This was refused for good. Please start it anew.")
    before = {"state": call.state, "attempts": call.attempts}
    call.state, call.due_at, call.leased_until = CallState.WAITING, now, None
    call.save(update_fields=["state", "due_at", "leased_until"])
    after = {"state": call.state, "kind": call.kind}
    audit.record(AuditAction.CALL_RETRY, by=by, target=call, before=before, after=after, now=now)
    return call


@transaction.atomic
def _lease(now: datetime) -> GatewayCall | None:
    due = GatewayCall.objects.due(now).order_by("due_at", "pk")
    call = (due if settings.DISABLE_PAYMENT_LOCKS else due.select_for_update(skip_locked=True, of=("self",))).first()
    if call is None:
        return None
    call.attempts += 1
    call.leased_until = now + LEASE
    call.save(update_fields=["attempts", "leased_until"])
    return call


def _make(call: GatewayCall, now: datetime, outcome: Outcome) -> None:
    try:
        note = ACTS[CallKind(call.kind)](call, now)
    except DatabaseError:
        raise  # the lease runs out, and the same key is sent again
    except GatewayUnavailable as error:
        _wait(call, error, now)
        outcome.later += 1
    except (GatewayDeclined, GatewayRefused) as error:
        _refused(call, error, now)
        outcome.failed += 1
    except Exception as error:
        logger.exception("Gateway call %s could not be made", call.key)
        _wait(call, error, now)
        outcome.later += 1
    else:
        _finish(call, CallState.DONE, now, note)
        outcome.done += 1


def _capture(call: GatewayCall, now: datetime) -> str:
    payment = call.payment
    assert payment is not None
    if payment.state != PaymentState.AUTHORIZED or payment.wanted != Wanted.CAPTURE:
        return "Not wanted any more."
    gateway = registry.get(call.gateway)
    amount = call.amount or payment.amount
    charge = gateway.capture(payment.ref or "", amount=amount, currency=payment.currency, key=call.key)
    charges.apply(payment, charge, now=now)
    return ""


def _void(call: GatewayCall, now: datetime) -> str:
    payment = call.payment
    assert payment is not None
    if payment.wanted != Wanted.VOID or payment.is_captured or payment.ref is None:
        return "Not wanted any more."
    charges.void(payment, key=call.key, now=now)
    return ""


def _refund(call: GatewayCall, now: datetime) -> str:
    refund = call.refund
    assert refund is not None
    if refund.is_failed:
        return "Not wanted any more."
    payment = refund.payment
    seen = registry.get(call.gateway).refund(
        payment.ref or "", amount=refund.amount, currency=payment.currency, key=call.key, reason=refund.reason
    )
    refunds.record(refund, seen, now=now)
    if refund.ref not in (None, seen.ref):  # another one was taken for ours
        charges.sync(payment, now=now)
    return ""


def _transfer(call: GatewayCall, now: datetime) -> str:
    payout = call.payout
    assert payout is not None
    if payout.is_paid:
        return "Not wanted any more."
    transfer = registry.get(call.gateway).transfer(
        payout.account.ref, amount=payout.amount, currency=payout.currency, key=call.key, description=str(payout)
    )
    payouts.record(payout, transfer, now=now)
    if transfer.state == "pending":
        raise GatewayUnavailable("The gateway has not sent it yet.")
    return transfer.failure


def _evidence(call: GatewayCall, now: datetime) -> str:
    dispute = call.dispute
    assert dispute is not None
    if dispute.is_open:
        registry.get(call.gateway).submit_evidence(dispute.ref, dispute.evidence, key=call.key)
    return ""


ACTS: dict[CallKind, Callable[[GatewayCall, datetime], str]] = {
    CallKind.CAPTURE: _capture,
    CallKind.VOID: _void,
    CallKind.REFUND: _refund,
    CallKind.TRANSFER: _transfer,
    CallKind.EVIDENCE: _evidence,
}


def _refused(call: GatewayCall, error: GatewayDeclined | GatewayRefused, now: datetime) -> None:
    """A final no. The row that wanted it hears of it first, then the gateway is asked how things stand there."""
    if call.refund is not None:
        refunds.fail(call.refund, why=error.message, now=now)
    if call.payout is not None:
        payouts.refuse(call.payout, why=error.message, now=now)
    _finish(call, CallState.FAILED, now, f"{error.code}: {error.message}")
    payment = call.payment or (call.refund.payment if call.refund is not None else None)
    if payment is not None:
        _look(call, payment, now)
    if call.kind in (CallKind.CAPTURE, CallKind.EVIDENCE):
        alerts.staff(
            "call_failed", key=f"call_failed:{call.uid}", title=f"{call.get_kind_display()} was refused",
            body=f"{call.key}: {error.message}", now=now,
        )  # fmt: skip


def _look(call: GatewayCall, payment: Payment, now: datetime) -> None:
    try:
        charges.sync(payment, now=now)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("After %s was refused the payment could not be brought up to date", call.key)


def _wait(call: GatewayCall, error: Exception, now: datetime) -> None:
    """Try again later, twice as long as the last time. A pause of the breaker is no attempt."""
    wait = (
        PAUSE if isinstance(error, GatewayPaused) else min(FIRST_WAIT * 2 ** min(call.attempts - 1, 10), LONGEST_WAIT)
    )
    text = f"{type(error).__name__}: {error}"[:1000]
    GatewayCall.objects.filter(pk=call.pk, state=CallState.WAITING, attempts=call.attempts).update(
        due_at=now + wait, leased_until=None, last_error=text
    )
    if call.attempts == LOUD_AFTER:
        alerts.staff(
            "call_waits", key=f"call_waits:{call.uid}", title="A gateway call does not get through",
            body=f"{call.key}: {text}", now=now,
        )  # fmt: skip


def _finish(call: GatewayCall, state: CallState, now: datetime, note: str) -> None:
    GatewayCall.objects.filter(pk=call.pk, state=CallState.WAITING).update(
        state=state, done_at=now, leased_until=None, last_error=note[:1000]
    )
