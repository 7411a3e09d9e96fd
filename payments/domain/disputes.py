"""Disputes: what the payer's bank takes back, and what we say to it."""

from datetime import datetime
from typing import Any

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.domain import alerts, families, ledger, payouts, subjects
from payments.gateways.base import DisputeSeen
from payments.models import CallKind, Dispute, EntryKind, GatewayCall, Invoice, LedgerEntry, Payment
from payments.states import DISPUTE_RANK, FUNDS_TAKEN_STATES, DisputeState, is_further
from petplace.db import retried
from petplace.errors import InvalidTransition
from petplace.money import format_money

EVIDENCE_LENGTH = 5000


def unite(payment: Payment, sale: Invoice, invoice: Invoice, seen: tuple[DisputeSeen, ...], *, now: datetime) -> None:
    """Take over what the gateway says of disputes, forward only. The caller holds the locks of family and payment."""
    known = {dispute.ref: dispute for dispute in payment.disputes.all()}
    for one in seen:
        dispute = known.get(one.ref) or _opened(payment, sale, one, now)
        _advance(dispute, one, now)
        _post(dispute, payment, invoice, now)
        if dispute.is_open:
            payouts.freeze_for(dispute, sale)
        else:
            payouts.unfreeze_for(dispute, now)


def is_news(payment: Payment, seen: tuple[DisputeSeen, ...]) -> bool:
    """Whether there is a dispute among ``seen`` that we do not know, or not so."""
    known = {dispute.ref: dispute for dispute in payment.disputes.all()} if seen else {}
    for one in seen:
        dispute = known.get(one.ref)
        if dispute is None or is_further(DISPUTE_RANK, dispute.state, one.state) or one.fee > dispute.fee:
            return True
        if dispute.is_refundable != (one.is_refundable and dispute.is_open) or one.due_at not in (None, dispute.due_at):
            return True
    return False


@retried
def submit(dispute: Dispute, *, by: User | None, now: datetime, words: str = "") -> Dispute:
    """Answer the bank with what was collected, and ``words`` of a person. Raises InvalidTransition when it is decided.

    Side effect: a call to the gateway, made after the transaction.
    """
    families.lock(dispute.payment.invoice)
    dispute = Dispute.objects.select_for_update(of=("self",), no_key=True).select_related("payment").get(pk=dispute.pk)
    if dispute.state not in (DisputeState.INQUIRY, DisputeState.OPEN):
        raise InvalidTransition("This dispute was answered or decided already.")
    sale = Invoice.objects.get(pk=dispute.payment.invoice.root_id)
    before = {"state": dispute.state}
    dispute.evidence = collect(dispute.payment, sale) | ({"words": words[:EVIDENCE_LENGTH]} if words else {})
    dispute.submitted_at = now
    if dispute.state == DisputeState.OPEN:
        dispute.state = DisputeState.SUBMITTED
    dispute.save(update_fields=["evidence", "submitted_at", "state"])
    GatewayCall.objects.get_or_create(
        key=f"evidence:{dispute.uid}",
        defaults={
            "gateway": dispute.payment.gateway, "kind": CallKind.EVIDENCE, "dispute": dispute, "due_at": now,
        },
    )  # fmt: skip
    after = {"state": dispute.state, "amount": dispute.amount, "currency": dispute.payment.currency}
    audit.record(AuditAction.DISPUTE_ANSWER, by=by, target=dispute, before=before, after=after, now=now)
    return dispute


def collect(payment: Payment, sale: Invoice) -> dict[str, str]:
    """Return what speaks for us: the payment, and what the subject knows (timeline, messages, times of the visit)."""
    taken = format_money(payment.captured_amount, payment.currency)
    found = {
        "invoice": f"{sale.label}: {sale.subject}",
        "paid": f"{taken} on {payment.captured_at:%Y-%m-%d %H:%M} UTC",
        "refunded": format_money(payment.refunded_amount, payment.currency),
    }
    found |= {name: str(value)[:EVIDENCE_LENGTH] for name, value in subjects.describe(sale).items()}
    return found


def _opened(payment: Payment, sale: Invoice, seen: DisputeSeen, now: datetime) -> Dispute:
    state = DisputeState.INQUIRY if seen.state == "inquiry" else DisputeState.OPEN
    dispute = Dispute.objects.create(
        payment=payment, ref=seen.ref, amount=seen.amount, fee=seen.fee, state=state, reason=seen.reason[:100],
        due_at=seen.due_at, is_refundable=seen.is_refundable, evidence=collect(payment, sale),
    )  # fmt: skip
    alerts.staff(
        "dispute_opened", key=f"dispute_opened:{dispute.uid}", title="A payment is disputed",
        body=f"{sale.label}, {format_money(seen.amount, payment.currency)}: {seen.reason or 'no reason given'}. "
        "What we know was collected; please look at it and answer before the time is over.", now=now,
    )  # fmt: skip
    return dispute


def _advance(dispute: Dispute, seen: DisputeSeen, now: datetime) -> None:
    if is_further(DISPUTE_RANK, dispute.state, seen.state):
        dispute.state = DisputeState(seen.state)
        if not dispute.is_open:
            dispute.closed_at = now
    dispute.is_refundable, dispute.due_at = seen.is_refundable and dispute.is_open, seen.due_at or dispute.due_at
    dispute.fee = max(dispute.fee, seen.fee)
    dispute.save(update_fields=["state", "closed_at", "is_refundable", "due_at", "fee"])


def _post(dispute: Dispute, payment: Payment, invoice: Invoice, now: datetime) -> None:
    """Post what the state implies and is not posted yet; a fee stays with the platform.

    While the bank only asks (a refund is still possible) no money moves. One that is first seen when it is won had
    moved it back and forth if it cost a fee.
    """
    if dispute.state not in FUNDS_TAKEN_STATES or dispute.is_refundable:
        return
    clearing = ledger.clearing(payment.gateway)
    about: dict[str, Any] = {
        "currency": payment.currency, "at": now, "invoice": invoice, "payment": payment, "dispute": dispute,
    }  # fmt: skip
    is_won = dispute.state == DisputeState.WON
    taken = f"dispute:{dispute.uid}"
    if not is_won or dispute.fee:
        ledger.transfer(
            EntryKind.DISPUTE, debit=ledger.DISPUTES, credit=clearing, amount=dispute.amount, key=taken, **about
        )
    if is_won and LedgerEntry.objects.filter(key=taken).exists():
        ledger.transfer(
            EntryKind.DISPUTE_WON, debit=clearing, credit=ledger.DISPUTES, amount=dispute.amount,
            key=f"dispute-won:{dispute.uid}", **about,
        )  # fmt: skip
    if dispute.is_lost:
        ledger.transfer(
            EntryKind.DISPUTE_LOST, debit=ledger.CUSTOMER_FUNDS, credit=ledger.DISPUTES, amount=dispute.amount,
            key=f"dispute-lost:{dispute.uid}", **about,
        )  # fmt: skip
    ledger.transfer(
        EntryKind.DISPUTE_FEE, debit=ledger.DISPUTES, credit=clearing, amount=dispute.fee,
        key=f"dispute-fee:{dispute.uid}", **about,
    )  # fmt: skip
