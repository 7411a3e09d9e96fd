"""Posting. The only code that writes the ledger; a posted entry never changes, a mistake gets one that reverses it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Sum

from payments.models import (
    AccountKind,
    Dispute,
    EntryKind,
    Invoice,
    LedgerAccount,
    LedgerEntry,
    LedgerLine,
    Payment,
    Payout,
    Refund,
)
from providers.models import Provider


@dataclass(frozen=True, order=True)
class Account:
    """Names an account; its row is made when it is first used. ``detail`` is the gateway of a clearing account."""

    kind: str
    provider_id: int | None = None
    detail: str = ""


CUSTOMER_FUNDS = Account(AccountKind.CUSTOMER_FUNDS)
PLATFORM_FEES = Account(AccountKind.PLATFORM_FEES)
PROMOTIONS = Account(AccountKind.PROMOTIONS)
DISPUTES = Account(AccountKind.DISPUTES)
GATEWAY_FEES = Account(AccountKind.GATEWAY_FEES)


def clearing(gateway: str) -> Account:
    return Account(AccountKind.GATEWAY_CLEARING, detail=gateway)


def of_provider(kind: AccountKind, provider_id: int) -> Account:
    return Account(kind, provider_id)


def where(payment: Payment, provider_id: int) -> Account:
    """Return where the money of a payment is: at its gateway, or in the provider's till."""
    return of_provider(AccountKind.CASH, provider_id) if payment.is_cash else clearing(payment.gateway)


def post(
    kind: EntryKind,
    *,
    key: str,
    currency: str,
    lines: Mapping[Account, int],
    at: datetime,
    memo: str = "",
    invoice: Invoice | None = None,
    payment: Payment | None = None,
    refund: Refund | None = None,
    dispute: Dispute | None = None,
    payout: Payout | None = None,
) -> LedgerEntry | None:
    """Post an entry once; with a ``key`` that was posted before, nothing happens and None is returned.

    ``lines`` maps accounts to minor units, debit positive; zeros are left out. Raises ValueError for what does not sum
    to zero (the database would refuse it at the commit). The caller holds the lock of what it posts about.
    """
    lines = {account: amount for account, amount in lines.items() if amount}
    if sum(lines.values()):
        raise ValueError(f"{key} does not balance: {lines}")
    if not lines or LedgerEntry.objects.filter(key=key).exists():
        return None
    entry = LedgerEntry.objects.create(
        kind=kind, key=key, currency=currency, at=at, memo=memo[:300], invoice=invoice, payment=payment, refund=refund,
        dispute=dispute, payout=payout,
    )  # fmt: skip
    # In one order, so that two who open the same accounts at once do not wait for each other.
    LedgerLine.objects.bulk_create(
        LedgerLine(entry=entry, account=_row(account, currency), amount=lines[account])
        for account in sorted(lines, key=lambda one: (one.kind, one.provider_id or 0, one.detail))
    )
    return entry


def transfer(
    kind: EntryKind,
    *,
    debit: Account,
    credit: Account,
    amount: int,
    key: str,
    currency: str,
    at: datetime,
    **about: Any,
) -> LedgerEntry | None:
    """Post ``amount`` from ``credit`` to ``debit``."""
    lines = {debit: amount, credit: -amount}
    return post(kind, key=key, currency=currency, lines=lines, at=at, **about)


def balance(kind: AccountKind, currency: str, *, provider: Provider | None = None, detail: str = "") -> int:
    """Return an account's balance, debit positive."""
    lines = LedgerLine.objects.filter(
        account__kind=kind, account__currency=currency, account__provider=provider, account__detail=detail
    )
    return lines.aggregate(sum=Sum("amount"))["sum"] or 0


def recognized(invoice: Invoice) -> dict[Account, int]:
    """Return what was posted as earned for an invoice so far, per account."""
    lines = LedgerLine.objects.filter(entry__invoice=invoice, entry__kind=EntryKind.RECOGNITION)
    sums = lines.order_by().values_list("account__kind", "account__provider_id").annotate(Sum("amount"))
    return {Account(kind, provider_id): amount for kind, provider_id, amount in sums}


def _row(account: Account, currency: str) -> LedgerAccount:
    key: dict[str, Any] = {"kind": account.kind, "provider_id": account.provider_id, "currency": currency}
    row, _ = LedgerAccount.objects.get_or_create(**key, detail=account.detail)
    return row
