"""Play money: a payment service that lives in our own database, for demos, development and tests.

It behaves like the real ones where that matters: it is asked from outside transactions, honors idempotency keys, lets
the payer pay on a page of its own (``/sandbox/pay/<ref>/``), and tells us by signed webhooks that it posts over HTTP,
late, twice or out of order if the settings say so. The functions after the class are what its payers and its
dashboard do.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse

from payments.gateways import history, sandbox_webhooks
from payments.gateways.base import (
    Charge,
    ChargeRequest,
    DisputeSeen,
    Event,
    GatewayRefused,
    GatewayUnknown,
    Movement,
    RefundSeen,
    Transfer,
)
from payments.models.sandbox import (
    SandboxAccount,
    SandboxCharge,
    SandboxDispute,
    SandboxRefund,
    SandboxTransfer,
    new_ref,
)

M = TypeVar("M", bound=models.Model)

DISPUTE_FEE = 1500  # minor units
DISPUTE_DAYS = 7

# What a test card does, in the order in which the page lists them.
CARDS = {
    "tok_visa": "Pays",
    "tok_declined": "Is declined",
    "tok_insufficient_funds": "Has too little money",
    "tok_3ds": "Asks for 3-D Secure",
    "tok_disputed": "Pays, and disputes the payment afterwards",
}
_FAILURES = {
    "tok_declined": ("card_declined", "The card was declined. Please try another card."),
    "tok_insufficient_funds": ("insufficient_funds", "There is not enough money on this card. Please try another."),
}
_CHALLENGE_FAILED = ("authentication_failed", "The bank could not confirm that it is you. Please try again.")
_MESSAGES = dict([*_FAILURES.values(), _CHALLENGE_FAILED])


class SandboxGateway:
    name = "sandbox"
    label = "Test card"
    methods: tuple[str, ...] = ("card",)

    def supports(self, currency: str) -> bool:
        return True

    # --- Charges --------------------------------------------------------------------------------

    def create(self, request: ChargeRequest, *, key: str) -> Charge:
        if request.amount <= 0:
            raise GatewayRefused("The amount must be above zero.", code="amount_too_small")
        charge = _once(
            SandboxCharge,
            key=key,
            same={"request": asdict(request)},
            ref=new_ref("sbx"),
            amount=request.amount,
            currency=request.currency,
            is_manual=request.capture == "manual",
            description=request.description[:1000],
            metadata=request.metadata,
            return_url=request.return_url,
            created_at=history.now(),
        )
        return _seen(charge)

    def retrieve(self, ref: str) -> Charge:
        return _seen(_found(SandboxCharge.objects.all(), ref))

    @transaction.atomic
    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        charge = _locked(ref)
        if charge.state == "captured" and charge.captured_amount == amount:
            return _seen(charge)
        if charge.state != "authorized" or not 0 < amount <= charge.amount:
            raise GatewayRefused(f"This cannot be captured: it is {charge.state}.", code="not_authorized")
        _take(charge, amount)
        return _seen(charge)

    @transaction.atomic
    def void(self, ref: str, *, key: str) -> Charge:
        charge = _locked(ref)
        if charge.state == "captured":
            raise GatewayRefused("What was captured is refunded, not voided.", code="already_captured")
        if charge.state != "canceled":
            _move(charge, "canceled")
        return _seen(charge)

    # --- Refunds and disputes -------------------------------------------------------------------

    @transaction.atomic
    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        charge = _locked(ref)
        made = charge.refunds.filter(key=key).first()
        if made is None:
            if charge.disputes.filter(state__in=("open", "submitted", "lost")).exists():
                raise GatewayRefused("The payment is disputed.", code="charge_disputed")
            made = _give_back(charge, amount, key=key, reason=reason)
        elif made.amount != amount:
            raise GatewayRefused("This key was used for another refund.", code="idempotency_key_reused")
        return _refund_seen(made)

    @transaction.atomic
    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        dispute = _found(SandboxDispute.objects.select_for_update(of=("self",)).select_related("charge"), dispute_ref)
        if dispute.state in ("inquiry", "open"):
            dispute.state, dispute.evidence = "submitted", evidence
            dispute.save(update_fields=["state", "evidence"])
            sandbox_webhooks.tell("dispute.updated", dispute.charge)

    # --- Providers ------------------------------------------------------------------------------

    @transaction.atomic
    def transfer(self, account_ref: str, *, amount: int, currency: str, key: str, description: str) -> Transfer:
        account = _found(SandboxAccount.objects.select_for_update(), account_ref)
        sent = _once(
            SandboxTransfer,
            key=key,
            same={"account_id": account.pk, "amount": amount, "currency": currency},
            ref=new_ref("sbxtr"),
            state="paid" if account.is_ready else "failed",
            failure="" if account.is_ready else "The account is not ready to take money.",
            description=description[:1000],
            created_at=history.now(),
        )
        return Transfer(
            ref=sent.ref,
            amount=sent.amount,
            currency=sent.currency,
            state="paid" if sent.state == "paid" else "failed",
            failure=sent.failure,
        )

    def create_account(self, *, email: str, country: str, key: str) -> str:
        same = {"email": email, "country": country}
        return _once(SandboxAccount, key=key, same=same, ref=new_ref("sbxacct")).ref

    def onboarding_url(self, account_ref: str, *, return_url: str, refresh_url: str) -> str:
        account = _found(SandboxAccount.objects.all(), account_ref)
        SandboxAccount.objects.filter(pk=account.pk).update(return_url=return_url)
        return _origin(return_url) + reverse("sandbox:connect", args=[account.ref])

    def account_ready(self, account_ref: str) -> bool:
        return _found(SandboxAccount.objects.all(), account_ref).is_ready

    # --- Reconciliation -------------------------------------------------------------------------

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        for charge in SandboxCharge.objects.filter(captured_at__gte=since, captured_at__lt=until):
            assert charge.captured_at is not None
            yield Movement(
                "charge", f"{charge.ref}:in", charge.captured_amount, charge.currency, charge.captured_at, charge.ref
            )
        refunds = SandboxRefund.objects.select_related("charge")
        for refund in refunds.filter(created_at__gte=since, created_at__lt=until):
            currency = refund.charge.currency
            yield Movement("refund", f"{refund.ref}:out", -refund.amount, currency, refund.created_at, refund.ref)
        for refund in refunds.filter(failed_at__gte=since, failed_at__lt=until):
            assert refund.failed_at is not None
            currency = refund.charge.currency
            yield Movement("refund", f"{refund.ref}:back", refund.amount, currency, refund.failed_at, refund.ref)
        disputes = SandboxDispute.objects.select_related("charge").exclude(fee=0)
        for dispute in disputes.filter(created_at__gte=since, created_at__lt=until):
            at, currency = dispute.created_at, dispute.charge.currency
            yield Movement("dispute", f"{dispute.ref}:out", -dispute.amount, currency, at, dispute.ref)
            yield Movement("fee", f"{dispute.ref}:fee", -dispute.fee, currency, at, dispute.ref)
        for dispute in disputes.filter(state="won", closed_at__gte=since, closed_at__lt=until):
            assert dispute.closed_at is not None
            currency = dispute.charge.currency
            yield Movement(
                "dispute_reversal", f"{dispute.ref}:back", dispute.amount, currency, dispute.closed_at, dispute.ref
            )
        transfers = SandboxTransfer.objects.filter(state="paid", created_at__gte=since, created_at__lt=until)
        for sent in transfers:
            yield Movement("transfer", f"{sent.ref}:out", -sent.amount, sent.currency, sent.created_at, sent.ref)

    # --- Webhooks -------------------------------------------------------------------------------

    def parse_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
        return sandbox_webhooks.parse(body, headers, now=now)


# --- What payers do -----------------------------------------------------------------------------


@transaction.atomic
def pay(ref: str, *, token: str) -> Charge:
    """Pay with the test card that ``token`` stands for. Nothing happens to a payment that is no longer to be made."""
    if token not in CARDS:
        raise GatewayRefused("There is no such test card.", code="unknown_token")
    charge = _locked(ref)
    if charge.state == "requires_payment":
        charge.card = token
        charge.failure_code = ""
        if token in _FAILURES:
            _fail(charge, _FAILURES[token][0])
        elif charge.card == "tok_3ds":
            _move(charge, "requires_action")
        else:
            _approve(charge)
    return _seen(charge)


@transaction.atomic
def answer_challenge(ref: str, *, is_approved: bool) -> Charge:
    """Pass or fail the 3-D Secure step."""
    charge = _locked(ref)
    if charge.state == "requires_action":
        if is_approved:
            _approve(charge)
        else:
            _move(charge, "requires_payment", told=False)
            _fail(charge, _CHALLENGE_FAILED[0])
    return _seen(charge)


def finish_onboarding(ref: str) -> SandboxAccount:
    account = _found(SandboxAccount.objects.all(), ref)
    account.is_ready = True
    account.save(update_fields=["is_ready"])
    return account


def charge_of(ref: str) -> SandboxCharge:
    """Return the row that the pay page shows."""
    return _found(SandboxCharge.objects.all(), ref)


def account_of(ref: str) -> SandboxAccount:
    return _found(SandboxAccount.objects.all(), ref)


# --- What the gateway's own dashboard does ------------------------------------------------------


@transaction.atomic
def refund_in_dashboard(ref: str, *, amount: int) -> RefundSeen:
    """Give money back without our site having asked for it."""
    charge = _locked(ref)
    return _refund_seen(_give_back(charge, amount, key=new_ref("dashboard"), reason="From the dashboard"))


@transaction.atomic
def fail_refund(refund_ref: str) -> None:
    """Let a refund fail that had been reported as done: the payer's bank sent it back."""
    refund = _found(SandboxRefund.objects.all(), refund_ref)
    charge = _locked(refund.charge.ref)
    changed = SandboxRefund.objects.filter(pk=refund.pk, state="succeeded").update(
        state="failed", failed_at=history.now()
    )
    if changed:
        charge.refunded_amount -= refund.amount
        charge.save(update_fields=["refunded_amount"])
        sandbox_webhooks.tell("refund.failed", charge)


@transaction.atomic
def open_dispute(ref: str, *, amount: int | None = None, is_inquiry: bool = False) -> str:
    """Dispute a captured payment, whole if no ``amount`` is given; return the dispute's ref."""
    charge = _locked(ref)
    if charge.state != "captured":
        raise GatewayRefused("Only what was captured can be disputed.", code="not_captured")
    return _dispute(charge, amount=amount, is_inquiry=is_inquiry).ref


@transaction.atomic
def close_dispute(dispute_ref: str, *, is_won: bool) -> None:
    dispute = _found(SandboxDispute.objects.select_for_update(of=("self",)).select_related("charge"), dispute_ref)
    if dispute.closed_at is None:
        dispute.state, dispute.closed_at = ("won" if is_won else "lost"), history.now()
        dispute.save(update_fields=["state", "closed_at"])
        sandbox_webhooks.tell("dispute.closed", dispute.charge)


# --- Rows ---------------------------------------------------------------------------------------


def _once(model: type[M], *, key: str, same: dict[str, Any], **values: Any) -> M:
    """Return the row of ``key``, made now or before. One made for something else is a misuse of the key."""
    row, _ = model._default_manager.get_or_create(key=key, defaults={**same, **values})
    if any(getattr(row, name) != value for name, value in same.items()):
        raise GatewayRefused("This key was used for something else.", code="idempotency_key_reused")
    return row


def _found(rows: "models.QuerySet[M]", ref: str) -> M:
    row = rows.filter(ref=ref).first()
    if row is None:
        raise GatewayUnknown("The sandbox does not know this reference.", code="resource_missing")
    return row


def _locked(ref: str) -> SandboxCharge:
    return _found(SandboxCharge.objects.select_for_update(), ref)


def _approve(charge: SandboxCharge) -> None:
    if charge.is_manual:
        _move(charge, "authorized")
    else:
        _take(charge, charge.amount)


def _take(charge: SandboxCharge, amount: int) -> None:
    charge.captured_amount, charge.captured_at = amount, history.now()
    _move(charge, "captured")
    if charge.card == "tok_disputed":
        _dispute(charge, amount=None, is_inquiry=False)


def _fail(charge: SandboxCharge, code: str) -> None:
    charge.failure_code = code
    charge.save(update_fields=["card", "failure_code"])
    sandbox_webhooks.tell("charge.failed", charge)


def _move(charge: SandboxCharge, state: str, *, told: bool = True) -> None:
    charge.state = state
    charge.save(update_fields=["state", "card", "failure_code", "captured_amount", "captured_at"])
    if told:
        sandbox_webhooks.tell(f"charge.{state}", charge)


def _give_back(charge: SandboxCharge, amount: int, *, key: str, reason: str) -> SandboxRefund:
    if not 0 < amount <= charge.captured_amount - charge.refunded_amount:
        raise GatewayRefused("This is more than what is left of the payment.", code="refund_too_large")
    charge.refunded_amount += amount
    charge.save(update_fields=["refunded_amount"])
    refund = charge.refunds.create(
        ref=new_ref("sbxre"), key=key, amount=amount, reason=reason[:500], created_at=history.now()
    )
    sandbox_webhooks.tell("refund.created", charge)
    return refund


def _dispute(charge: SandboxCharge, *, amount: int | None, is_inquiry: bool) -> SandboxDispute:
    now = history.now()
    dispute = charge.disputes.create(
        ref=new_ref("sbxdp"),
        amount=charge.captured_amount if amount is None else amount,
        fee=0 if is_inquiry else DISPUTE_FEE,
        state="inquiry" if is_inquiry else "open",
        reason="fraudulent",
        due_at=now + timedelta(days=DISPUTE_DAYS),
        created_at=now,
    )
    sandbox_webhooks.tell("dispute.created", charge)
    return dispute


def _seen(charge: SandboxCharge) -> Charge:
    is_payable = charge.state in ("requires_payment", "requires_action")
    return Charge(
        ref=charge.ref,
        state=charge.state,  # type: ignore[arg-type]
        amount=charge.amount,
        currency=charge.currency,
        authorized=charge.amount if charge.state in ("authorized", "captured") else 0,
        captured=charge.captured_amount,
        redirect_url=_origin(charge.return_url) + reverse("sandbox:pay", args=[charge.ref]) if is_payable else "",
        failure_code=charge.failure_code,
        failure_message=_MESSAGES.get(charge.failure_code, ""),
        metadata=charge.metadata,
        refunds=tuple(_refund_seen(refund) for refund in charge.refunds.order_by("pk")),
        disputes=tuple(_dispute_seen(dispute) for dispute in charge.disputes.order_by("pk")),
    )


def _refund_seen(refund: SandboxRefund) -> RefundSeen:
    return RefundSeen(ref=refund.ref, amount=refund.amount, state=refund.state)  # type: ignore[arg-type]


def _dispute_seen(dispute: SandboxDispute) -> DisputeSeen:
    return DisputeSeen(
        ref=dispute.ref,
        amount=dispute.amount,
        fee=dispute.fee,
        state=dispute.state,  # type: ignore[arg-type]
        reason=dispute.reason,
        due_at=dispute.due_at.astimezone(UTC),
        is_refundable=dispute.state == "inquiry",
    )


def _origin(url: str) -> str:
    """Return the site's address as the payer knows it, so that they come back with the session they left with."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else settings.SITE_URL.rstrip("/")
