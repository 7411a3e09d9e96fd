"""Payments: begun here, then only ever brought to where the gateway says that they are."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum

from accounts.models import User
from payments.domain import alerts, converging, crediting, disputes, families, ledger, returning, series, subjects
from payments.gateways import registry
from payments.gateways.base import (
    PAYMENT_KEY,
    Charge,
    ChargeRequest,
    GatewayDeclined,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
)
from payments.models import CallKind, EntryKind, Invoice, Payment, PaymentMethod, Refund
from payments.models.charge import RefundOrigin, Wanted
from payments.models.invoice import CaptureMethod
from payments.states import LIVE_PAYMENT_STATES, PAYMENT_RANK, PaymentState, RefundState, is_further
from petplace.db import retried
from petplace.errors import DomainError, InvalidInput, NotAllowed

logger = logging.getLogger(__name__)

STATES: dict[str, PaymentState] = {
    "requires_payment": PaymentState.REQUIRES_ACTION,
    "requires_action": PaymentState.REQUIRES_ACTION,
    "processing": PaymentState.PROCESSING,
    "authorized": PaymentState.AUTHORIZED,
    "captured": PaymentState.CAPTURED,
    "canceled": PaymentState.VOIDED,
    "failed": PaymentState.FAILED,
}
ATTEMPTS = 4  # to find or make one attempt that can be paid
NEVER_SENT = "There was no answer when it was begun, and it was not tried again."


class NothingDueError(DomainError):
    code = "nothing_due"
    message = "Nothing is to be paid here now."


@dataclass(frozen=True)
class Started:
    """A payment that its payer can go on with: ``charge`` tells how."""

    payment: Payment
    charge: Charge


def secured(invoice: Invoice) -> int:
    """Return what is paid of ``invoice`` or authorized for it, in minor units."""
    held = invoice.payments.filter(state=PaymentState.AUTHORIZED, flagged=False).exclude(wanted=Wanted.VOID)
    return invoice.paid_amount + int(held.aggregate(sum=Sum("amount"))["sum"] or 0)


def due_now(invoice: Invoice) -> int:
    """Return what can be paid online now: of a draft what must be paid before booking, else what is outstanding."""
    if invoice.is_void or invoice.is_credit_note:
        return 0
    asked = invoice.prepay_amount if invoice.is_draft else invoice.claim
    return max(asked - secured(invoice), 0)


def start(invoice: Invoice, *, by: User, gateway: str | None = None, now: datetime, return_url: str = "") -> Started:
    """Begin to pay what is due of ``invoice``, or go on with the attempt that is under way.

    Must be called outside any transaction: it talks to the gateway, under a key made of the payment, so that ten
    clicks are one charge. An attempt of another amount or at another gateway is released first. Raises NothingDueError,
    NotAllowed for anyone but the payer, InvalidInput for a gateway that does not take the currency, and what the
    gateway raises; after GatewayUnavailable the same call goes on where it was.
    """
    if invoice.payer_id != by.pk:
        raise NotAllowed
    name = gateway or registry.default()
    if name not in registry.names():
        raise InvalidInput(
            "This way of paying is not offered.", fields={"gateway": ["This way of paying is not offered."]}
        )
    if not registry.get(name).supports(invoice.currency):
        raise InvalidInput(f"This way of paying does not take {invoice.currency}.", code="currency_not_supported")
    for _ in range(ATTEMPTS):
        payment = _attempt(invoice, by=by, gateway=gateway, name=name, return_url=return_url, now=now)
        if payment.wanted == Wanted.VOID:
            _replace(payment, now)
            continue
        charge = _ask(payment, now)
        payment = apply(payment, charge, now=now)
        if payment.state not in (PaymentState.VOIDED, PaymentState.FAILED):
            return Started(payment, charge)
    raise NothingDueError


def sync(payment: Payment, *, now: datetime) -> Payment:
    """Ask the gateway how a payment stands, outside any transaction, and take that over.

    One whose beginning the gateway has not answered yet stays as it is: the answer is on its way, or the payer tries
    again under the same key, or ``sync_stale`` ends it.
    """
    if payment.is_cash or payment.ref is None:
        return payment
    return apply(payment, _seen(payment), now=now)


def void(payment: Payment, *, key: str, now: datetime) -> Payment:
    """Release a payment at the gateway, outside any transaction, and take over how it stands then."""
    try:
        charge = registry.get(payment.gateway).void(payment.ref or "", key=key)
    except GatewayUnknown:
        if not payment.is_live:
            raise
        charge = _forgotten(payment)
    return apply(payment, charge, now=now)


def _seen(payment: Payment) -> Charge:
    try:
        return registry.get(payment.gateway).retrieve(payment.ref or "")
    except GatewayUnknown:
        if not payment.is_live:
            raise  # money that was held or taken is never forgotten
        return _forgotten(payment)


def _forgotten(payment: Payment) -> Charge:
    """Read as released what the gateway does not know any more: PayPal forgets orders that nobody approved."""
    return Charge(
        ref=payment.ref or "",
        state="canceled",
        amount=payment.amount,
        currency=payment.currency,
        authorized=0,
        captured=0,
        metadata={PAYMENT_KEY: str(payment.uid)},
    )


def apply(payment: Payment, charge: Charge, *, now: datetime) -> Payment:
    """Bring ``payment`` forward to ``charge``. Whatever comes twice, late or in another order ends in the same state.

    What tells nothing new, as most events do, takes no lock.
    """
    payment = Payment.objects.select_related("invoice").get(pk=payment.pk)
    if _is_news(payment, charge):
        return _apply(payment, charge, now=now)
    Payment.objects.filter(pk=payment.pk).update(checked_at=now)
    payment.checked_at = now
    return payment


@retried
def _apply(payment: Payment, charge: Charge, *, now: datetime) -> Payment:
    """Take over what is new.

    One transaction: lock subject, invoices, payment; take over state, captured amount, refunds and disputes; post them;
    tell the subject; converge. What is not ours (another amount or currency, more than was asked) is flagged and not
    believed.
    """
    family = families.lock(payment.invoice)
    payment = families.lock_payment(payment)
    invoice = family.member(payment.invoice_id)
    if not _is_news(payment, charge):  # somebody wrote it while we waited
        return payment
    payment.checked_at = now
    if not _is_ours(payment, charge):
        _flag(payment, invoice, charge, now)
        return payment
    before, was_void = payment.state, invoice.is_void
    _take_over(payment, invoice, charge, now)
    foreign: list[Refund] = []
    if payment.is_captured:
        foreign = returning.unite(payment, invoice, charge.refunds, now=now)
        disputes.unite(payment, family.sale, invoice, charge.disputes, now=now)
    if payment.state != before and (payment.is_captured or PaymentState.AUTHORIZED in (before, payment.state)):
        converging.count(family)
        _tell(payment, invoice, before, now)
        family = families.lock(payment.invoice)  # the subject may have changed them
        invoice, payment = family.member(payment.invoice_id), families.lock_payment(payment)
    _release_unwanted(payment, is_revived=was_void and not invoice.is_void, now=now)
    converging.count(family)
    _credit_foreign(payment, invoice, foreign, now)
    converging.settle(family, now=now)
    payment.refresh_from_db()
    return payment


@retried
def want_capture(invoice: Invoice, *, now: datetime) -> int:
    """Capture what is authorized of a sale, as far as it is owed; the work is accepted, so a draft is owed from now on.

    Returns how much is asked for. Side effect: calls to the gateway after the transaction. Safe to repeat.
    """
    family = families.lock(invoice)
    own = family.member(invoice.pk)
    if own.is_void:
        return 0
    converging.open_draft(own)
    return converging.capture(own, now=now)


@retried
def want_void(invoice: Invoice, *, now: datetime) -> int:
    """Release what is authorized and every attempt that could still be paid. Returns what was authorized."""
    family = families.lock(invoice)
    return converging.release(family.member(invoice.pk), now=now)


def sync_stale(*, now: datetime, limit: int = 100) -> int:
    """Ask about payments of which no event has told for a while: what a lost event would have said is seen here.

    The pause between two questions grows with the age of the payment: old authorizations are asked about rarely.
    """
    young, old = now - timedelta(minutes=2), now - timedelta(hours=1)
    never = Q(checked_at=None)
    waiting = Payment.objects.unsettled().filter(
        Q(never, created_at__lte=young)
        | Q(created_at__gt=old, checked_at__lte=young)
        | Q(created_at__lte=old, checked_at__lte=old)
    )
    done = 0
    for payment in waiting.order_by("checked_at", "pk")[:limit]:
        try:
            sync(payment, now=now)
            done += 1
        except GatewayUnavailable:
            logger.warning("Payment %s: the gateway does not answer", payment.uid)
        except Exception:
            logger.exception("Payment %s could not be brought up to date", payment.uid)
            Payment.objects.filter(pk=payment.pk).update(checked_at=now)
    for payment in Payment.objects.filter(state=PaymentState.NEW, ref=None, created_at__lte=old).order_by("pk")[:limit]:
        _settle_unsent(payment, now=now)
    return done


@retried
def _attempt(invoice: Invoice, *, by: User, gateway: str | None, name: str, return_url: str, now: datetime) -> Payment:
    """Return the attempt to go on with: the one under way, one to be released first (``wanted`` void), or a new one."""
    family = families.lock(invoice)
    own = family.member(invoice.pk)
    due = due_now(own)
    live = own.payments.filter(state__in=LIVE_PAYMENT_STATES).order_by("pk").first()
    if live is not None:
        is_same = live.amount == due and (gateway is None or live.gateway == gateway) and not live.wanted
        if not is_same:
            live.wanted = Wanted.VOID
            if live.ref is None:
                live.state = PaymentState.VOIDED
            live.save(update_fields=["wanted", "state"])
        if is_same or live.ref is not None:
            return live
    if not due:
        raise NothingDueError
    is_manual = own.is_draft and own.capture_method == CaptureMethod.MANUAL
    return Payment.objects.create(
        invoice=own, gateway=name, amount=due, currency=own.currency, by=by, return_url=return_url[:500],
        method=PaymentMethod.PAYPAL if name == "paypal" else PaymentMethod.CARD,
        capture_method=CaptureMethod.MANUAL if is_manual else CaptureMethod.AUTOMATIC,
    )  # fmt: skip


def _replace(payment: Payment, now: datetime) -> None:
    """Release an attempt that another one replaces; if it was paid in the meantime that is what counts."""
    try:
        void(payment, key=f"void:{payment.uid}", now=now)
    except GatewayRefused:
        sync(payment, now=now)


def _ask(payment: Payment, now: datetime) -> Charge:
    """Create the charge, or look at it when it was created. A final refusal ends the attempt."""
    gateway = registry.get(payment.gateway)
    try:
        if payment.ref is not None:
            return _seen(payment)
        return gateway.create(_request(payment), key=f"pay:{payment.uid}")
    except (GatewayDeclined, GatewayRefused) as error:
        _give_up(payment, error.code, error.message, now=now)
        raise


def _request(payment: Payment) -> ChargeRequest:
    invoice = payment.invoice
    return ChargeRequest(
        amount=payment.amount,
        currency=payment.currency,
        capture="manual" if payment.capture_method == CaptureMethod.MANUAL else "automatic",
        description=invoice.subject,
        metadata={PAYMENT_KEY: str(payment.uid), "invoice": str(invoice.uid)},
        return_url=payment.return_url or settings.SITE_URL,
        payer_email=invoice.payer.email,
    )


@transaction.atomic
def _give_up(payment: Payment, code: str, message: str, *, now: datetime) -> Payment:
    families.lock(payment.invoice)
    payment = families.lock_payment(payment)
    if is_further(PAYMENT_RANK, payment.state, PaymentState.FAILED):
        payment.state, payment.failure_code, payment.failure_message = PaymentState.FAILED, code[:100], message[:500]
        payment.checked_at = now
        payment.save(update_fields=["state", "failure_code", "failure_message", "checked_at"])
    return payment


def _settle_unsent(payment: Payment, *, now: datetime) -> Payment:
    """End an attempt that the gateway never answered: nobody was sent to pay it."""
    if payment.state != PaymentState.NEW:
        return payment
    return _give_up(payment, "never_sent", NEVER_SENT, now=now)


def _is_news(payment: Payment, charge: Charge) -> bool:
    """Whether ``charge`` says anything that is not written yet, or there is something left to do about it."""
    if payment.ref != charge.ref or not _is_ours(payment, charge):
        return True
    if is_further(PAYMENT_RANK, payment.state, _state(charge)) or charge.captured > payment.captured_amount:
        return True
    if payment.wanted == Wanted.VOID and (payment.is_live or payment.is_authorized):
        return True
    if not payment.is_captured and payment.failure_code != charge.failure_code[:100]:
        return True
    return returning.is_news(payment, charge.refunds) or disputes.is_news(payment, charge.disputes)


def _state(charge: Charge) -> PaymentState:
    return PaymentState.CAPTURED if charge.captured else STATES[charge.state]


def _is_ours(payment: Payment, charge: Charge) -> bool:
    return (
        payment.ref in (None, charge.ref)
        and charge.amount == payment.amount
        and charge.currency == payment.currency
        and charge.captured <= payment.amount
    )


def _flag(payment: Payment, invoice: Invoice, charge: Charge, now: datetime) -> None:
    payment.flagged = True
    payment.save(update_fields=["flagged", "checked_at"])
    alerts.staff(
        "payment_flagged", key=f"payment_flagged:{payment.uid}", title="A payment is not what was asked for",
        body=f"{invoice.label}: {payment.amount} {payment.currency} were asked for, the gateway has {charge.amount} "
        f"{charge.currency}, captured {charge.captured}. Nothing was confirmed; please look at {charge.ref}.", now=now,
    )  # fmt: skip


def _take_over(payment: Payment, invoice: Invoice, charge: Charge, now: datetime) -> None:
    target = _state(charge)
    payment.ref = charge.ref
    if not payment.is_captured:
        payment.failure_code, payment.failure_message = charge.failure_code[:100], charge.failure_message[:500]
    if is_further(PAYMENT_RANK, payment.state, target):
        payment.state = target
        if target == PaymentState.AUTHORIZED:
            payment.authorized_at = now
        if target == PaymentState.CAPTURED:
            payment.captured_at, payment.captured_amount = now, charge.captured
    # Taken in part or in parts is not what we asked for; what was taken first counts.
    is_automatic = payment.capture_method == CaptureMethod.AUTOMATIC
    expected = payment.amount if is_automatic else payment.captured_amount
    if charge.captured and charge.captured != expected:
        payment.flagged = True
    payment.save()
    if payment.is_captured:
        ledger.transfer(
            EntryKind.CAPTURE, debit=ledger.clearing(payment.gateway), credit=ledger.CUSTOMER_FUNDS,
            amount=payment.captured_amount, key=f"capture:{payment.uid}", currency=payment.currency, at=now,
            invoice=invoice, payment=payment,
        )  # fmt: skip


def _tell(payment: Payment, invoice: Invoice, before: str, now: datetime) -> None:
    """Tell the subject what it waits for; the invoice's figures are written already.

    An authorization that is to be released is nobody's news, unless it came late and the subject may still want it.
    """
    if payment.is_captured or (payment.is_authorized and (payment.wanted != Wanted.VOID or invoice.is_void)):
        subjects.paid(invoice, payment, now)
    elif before == PaymentState.AUTHORIZED and payment.wanted != Wanted.VOID:
        subjects.failed(invoice, payment, now)


def _release_unwanted(payment: Payment, *, is_revived: bool, now: datetime) -> None:
    """See to it that what is not wanted is released at the gateway, now that it is known there."""
    if payment.wanted != Wanted.VOID or not (payment.is_live or payment.is_authorized or payment.ref is None):
        return
    if is_revived and payment.is_authorized:
        payment.wanted = ""
        payment.save(update_fields=["wanted"])
        converging.drop_call(payment, CallKind.VOID, now)
    else:
        converging.call(payment, CallKind.VOID, now)


def _credit_foreign(payment: Payment, invoice: Invoice, foreign: list[Refund], now: datetime) -> None:
    """Somebody gave money back at the gateway: as far as it was not paid twice, that much less is asked for.

    One that failed counts, too: it was meant, and the money is still to be given back. If as much is given back after
    it, that is the same money. So it does not matter which of them was heard of when.
    """
    new = {refund.pk for refund in foreign}
    failed = payment.refunds.filter(origin=RefundOrigin.DASHBOARD, state=RefundState.FAILED).exclude(pk__in=new)
    again = list(failed.values_list("amount", flat=True))
    paid = invoice.paid_amount - sum(again) + sum(refund.amount for refund in foreign if not refund.is_failed)
    for refund in sorted(foreign, key=lambda one: (not one.is_failed, one.pk)):
        if refund.is_failed:
            again.append(refund.amount)
        elif refund.amount in again:
            again.remove(refund.amount)
            continue
        paid -= refund.amount
        short = max(invoice.claim - paid, 0) - max(invoice.claim - paid - refund.amount, 0)
        if short > 0:
            series.issue(invoice, now=now)
            crediting.credit(invoice, amount=short, reason="Refunded at the gateway", now=now)
