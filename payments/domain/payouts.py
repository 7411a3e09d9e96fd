"""Paying providers what they have earned, when it is due and nobody has complained."""

import logging
from collections import defaultdict
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Q, Sum

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.domain import alerts, ledger
from payments.gateways import registry
from payments.gateways.base import Transfer
from payments.models import (
    AccountKind,
    CallKind,
    Dispute,
    EntryKind,
    GatewayCall,
    Invoice,
    LedgerLine,
    Payout,
    PayoutAccount,
    PayoutApproval,
    PayoutFreeze,
    PayoutItem,
)
from payments.models.ledger import PROVIDER_SIDE
from payments.states import PayoutState
from petplace.db import ConflictError, retried
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.money import exponent, format_money
from petplace.roles import Right, may
from providers.models import Provider
from providers.permissions import role_of

logger = logging.getLogger(__name__)

FIRST_WAIT = timedelta(hours=1)
LONGEST_WAIT = timedelta(days=1)
MAX_ATTEMPTS = 8  # with these waits about four days
APPROVALS = 2  # of a large payout, by different people


def collect_due(*, now: datetime, limit: int = 500) -> list[Payout]:
    """Make a payout, and the call for it, for every provider and currency with a positive sum of due items.

    Money waits while no account of the provider is ready that takes its currency; of several the newest gets it. Each
    provider is a transaction of its own; safe to run twice and many at once.
    """
    waiting = PayoutItem.objects.due(now).filter(provider__payout_accounts__is_ready=True)
    made: list[Payout] = []
    for pk in waiting.order_by("provider_id").values_list("provider_id", flat=True).distinct()[:limit]:
        try:
            made += _collect(pk, now=now)
        except ConflictError:
            logger.info("The payouts of provider %s are being made by somebody else", pk)
        except DatabaseError:
            raise  # the next run goes on
        except Exception:
            logger.exception("The payouts of provider %s could not be made", pk)
    return made


@retried
def record(payout: Payout, transfer: Transfer, *, now: datetime) -> Payout:
    """Take over the gateway's answer to a transfer."""
    payout = _locked(payout)
    if payout.is_paid:
        return payout
    payout.ref = transfer.ref or payout.ref
    if transfer.state == "failed":
        return _refused(payout, transfer.failure or "The gateway could not send it.", now)
    if transfer.state == "paid":
        payout.state, payout.paid_at, payout.last_error = PayoutState.PAID, now, ""
        ledger.transfer(
            EntryKind.PAYOUT_PAID, debit=ledger.of_provider(AccountKind.PAYOUTS_IN_TRANSIT, payout.provider_id),
            credit=ledger.clearing(payout.gateway), amount=payout.amount, key=f"payout-paid:{payout.uid}",
            currency=payout.currency, at=now, payout=payout,
        )  # fmt: skip
    payout.save(update_fields=["ref", "state", "paid_at", "last_error"])
    return payout


@retried
def refuse(payout: Payout, *, why: str, now: datetime) -> Payout:
    """Record that the gateway refused a transfer for good; it is tried again later, under another key."""
    payout = _locked(payout)
    return payout if payout.is_paid else _refused(payout, why, now)


@retried
def approve(payout: Payout, *, by: User, now: datetime) -> Payout:
    """Let a large payout go, as one of two administrators; with the second it is sent.

    Raises NotAllowed for who may not, or belongs to the provider; InvalidTransition for one that does not wait;
    DomainError ``already_approved`` for the second time of the same person.
    """
    if not may(by, Right.PAYOUTS):
        raise NotAllowed
    payout = _locked(payout)
    if role_of(by, payout.provider) is not None:
        raise NotAllowed("You belong to this provider: somebody else must approve it.")
    if not payout.is_to_approve:
        raise InvalidTransition("Only a payout that waits for approval can be approved.")
    _, is_new = PayoutApproval.objects.get_or_create(payout=payout, by=by, defaults={"at": now})
    if not is_new:
        raise DomainError("You have approved it. Somebody else must do so too.", code="already_approved")
    count = payout.approvals.count()
    audit.record(
        AuditAction.PAYOUT_APPROVE,
        by=by,
        target=payout,
        after={"approvals": count, "amount": payout.amount, "currency": payout.currency},
        now=now,
    )
    if count >= payout.approvals_needed:
        payout.state, payout.due_at = PayoutState.WAITING, now
        payout.save(update_fields=["state", "due_at"])
        _call(payout, now)
    return payout


@retried
def send_again(payout: Payout, *, by: User, now: datetime) -> Payout:
    """Give a failed payout another round of attempts."""
    payout = _locked(payout)
    if not payout.is_failed:
        raise InvalidTransition("Only a payout that failed can be sent again.")
    payout.state, payout.due_at = PayoutState.WAITING, now
    payout.save(update_fields=["state", "due_at"])
    _call(payout, now)
    audit.record(
        AuditAction.PAYOUT_RETRY,
        by=by,
        target=payout,
        before={"state": PayoutState.FAILED, "attempts": payout.attempts},
        after={"state": payout.state, "amount": payout.amount, "currency": payout.currency},
        now=now,
    )
    return payout


@retried
def freeze(invoice: Invoice, *, reason: str, by: User, now: datetime, until: datetime | None = None) -> PayoutFreeze:
    """Keep back what the family of ``invoice`` earned: somebody complained. What is under way is not called back."""
    if not reason.strip():
        raise InvalidInput("Say why.", fields={"reason": ["Say why."]})
    audit.record(AuditAction.PAYOUT_HOLD, by=by, target=invoice, after={"until": until}, reason=reason, now=now)
    return PayoutFreeze.objects.create(invoice_id=invoice.root_id, reason=reason.strip()[:300], by=by, until=until)


@retried
def unfreeze(invoice: Invoice, *, by: User, now: datetime) -> int:
    """Lift the freezes that people put on a family. One of a dispute ends with the dispute."""
    lifted = PayoutFreeze.objects.active(now).filter(invoice_id=invoice.root_id, dispute=None).update(until=now)
    audit.record(AuditAction.PAYOUT_RELEASE, by=by, target=invoice, after={"lifted": lifted}, now=now)
    return lifted


def freeze_for(dispute: Dispute, sale: Invoice) -> None:
    PayoutFreeze.objects.get_or_create(dispute=dispute, defaults={"invoice": sale, "reason": f"Dispute {dispute.ref}"})


def unfreeze_for(dispute: Dispute, now: datetime) -> None:
    PayoutFreeze.objects.active(now).filter(dispute=dispute).update(until=now)


def balance(provider: Provider, currency: str) -> int:
    """Return what the platform owes ``provider`` in all, due or not; negative when the provider owes the platform.

    Cash that was taken ahead counts from when the work is done, together with what that earns.
    """
    is_earned = Q(entry__invoice__earned_at__isnull=False) | Q(entry__invoice__parent__earned_at__isnull=False)
    lines = LedgerLine.objects.filter(
        is_earned | Q(entry__kind=EntryKind.PAYOUT),
        account__provider=provider, account__kind__in=PROVIDER_SIDE, account__currency=currency,
    )  # fmt: skip
    return -int(lines.aggregate(sum=Sum("amount"))["sum"] or 0)


@retried
def _collect(provider_id: int, *, now: datetime) -> list[Payout]:
    """The lock is on the provider's accounts: two who do this at once come one after the other."""
    accounts = PayoutAccount.objects.filter(provider_id=provider_id).order_by("pk")
    if not settings.DISABLE_PAYMENT_LOCKS:
        accounts = accounts.select_for_update(no_key=True)
    ready = [one for one in reversed(accounts) if one.is_ready]
    by_currency: dict[str, list[PayoutItem]] = defaultdict(list)
    for item in PayoutItem.objects.due(now).filter(provider_id=provider_id).order_by("pk"):
        by_currency[item.currency].append(item)
    made = []
    for currency, items in sorted(by_currency.items()):
        account = next((one for one in ready if registry.takes(one.gateway, currency)), None)
        if account is not None and sum(item.amount for item in items) > 0:
            made.append(_pay(account, currency, items, now))
    return made


def _pay(account: PayoutAccount, currency: str, items: list[PayoutItem], now: datetime) -> Payout:
    amount = sum(item.amount for item in items)
    is_large = _is_large(amount, currency)
    payout = Payout.objects.create(
        provider_id=account.provider_id, account=account, gateway=account.gateway, currency=currency, amount=amount,
        due_at=now, state=PayoutState.TO_APPROVE if is_large else PayoutState.WAITING,
        approvals_needed=APPROVALS if is_large else 0,
    )  # fmt: skip
    taken = PayoutItem.objects.filter(pk__in=[item.pk for item in items])
    if not settings.DISABLE_PAYMENT_LOCKS:
        taken = taken.filter(payout=None)
    if taken.update(payout=payout) != len(items):
        raise ConflictError
    sums = LedgerLine.objects.filter(entry__payout_item__payout=payout, account__kind__in=PROVIDER_SIDE)
    lines = {
        ledger.of_provider(AccountKind(kind), account.provider_id): -total
        for kind, total in sums.order_by().values_list("account__kind").annotate(Sum("amount"))
    }
    lines[ledger.of_provider(AccountKind.PAYOUTS_IN_TRANSIT, account.provider_id)] = -amount
    ledger.post(EntryKind.PAYOUT, key=f"payout:{payout.uid}", currency=currency, lines=lines, at=now, payout=payout)
    if is_large:
        alerts.staff(
            "payout_to_approve", key=f"payout_to_approve:{payout.uid}", title="A large payout waits for two people",
            body=f"{account.provider}: {format_money(amount, currency)}", now=now,
        )  # fmt: skip
    else:
        _call(payout, now)
    return payout


def _is_large(amount: int, currency: str) -> bool:
    most = settings.LARGE_PAYOUTS.get(currency, settings.LARGE_PAYOUTS.get("*"))
    return most is not None and amount > most * 10 ** exponent(currency)


def _call(payout: Payout, due_at: datetime) -> None:
    GatewayCall.objects.create(
        gateway=payout.gateway, kind=CallKind.TRANSFER, payout=payout, amount=payout.amount, due_at=due_at,
        key=f"payout:{payout.uid}:{payout.calls.count() + 1}",
    )  # fmt: skip


def _refused(payout: Payout, why: str, now: datetime) -> Payout:
    """A gateway remembers a refusal under its key, so that the next attempt is a new call."""
    payout.attempts += 1
    payout.last_error = why[:1000]
    if payout.attempts % MAX_ATTEMPTS:
        payout.due_at = now + min(FIRST_WAIT * 2 ** (payout.attempts % MAX_ATTEMPTS - 1), LONGEST_WAIT)
        _call(payout, payout.due_at)
    else:
        payout.state = PayoutState.FAILED
        alerts.staff(
            "payout_failed", key=f"payout_failed:{payout.uid}:{payout.attempts}", title="A payout failed",
            body=f"{payout.provider}: {why}", now=now,
        )  # fmt: skip
    payout.save(update_fields=["ref", "attempts", "last_error", "state", "due_at"])
    return payout


def _locked(payout: Payout) -> Payout:
    PayoutAccount.objects.select_for_update(no_key=True).get(pk=payout.account_id)
    return Payout.objects.select_related("provider").get(pk=payout.pk)
