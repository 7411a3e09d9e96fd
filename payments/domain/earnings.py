"""Recognition: dividing what was paid for done work between provider, tax office, tips and platform.

``recognize`` compares what should have been posted with what was, and posts the difference. Whatever comes later (a
refund, a lost dispute, cash) is met by calling it again; the order does not matter, only where things stand.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from payments.domain import ledger
from payments.models import AccountKind, EntryKind, Invoice, LedgerEntry, PayoutItem
from payments.models.ledger import PROVIDER_SIDE
from petplace.money import allocate, half_up


@dataclass(frozen=True)
class Split:
    """Where a paid amount goes. ``provider`` contains the subsidy and is net of the commission."""

    provider: int
    tax: int
    platform: int
    subsidy: int


def split(invoice: Invoice, paid: int) -> Split:
    """Divide ``paid`` minor units of an invoice: exact, by largest remainder, with the terms written on it.

    The discount that the platform pays follows what is claimed, not what is paid: a provider gets it also while the
    owner still owes. The commission is taken pro rata from what the provider gets, subsidy included.
    """
    rest = invoice.total - invoice.owner_fee - invoice.tax_amount
    fee, tax, provider = allocate(paid, (invoice.owner_fee, invoice.tax_amount, rest))
    subsidy = half_up(invoice.subsidy * invoice.claim, invoice.total) if invoice.total else _whole_subsidy(invoice)
    base = rest + invoice.subsidy
    gross = provider + subsidy
    commission = half_up(invoice.commission * gross, base) if base else 0
    return Split(gross - commission, tax, fee + commission, subsidy)


def _whole_subsidy(invoice: Invoice) -> int:
    """An invoice of nothing, because the platform pays all of it."""
    return 0 if invoice.is_void else invoice.subsidy


def recognize(invoice: Invoice, *, is_earned: bool, net: int, due_at: datetime | None, now: datetime) -> None:
    """Post what is missing between the ledger and what ``invoice`` has earned. The caller holds the family's locks.

    ``net`` is what is left of the payments: captured and cash, less refunds and lost disputes. More than the claim is
    the payer's and stays in the customers' funds until it is given back; less than nothing is the platform's loss.
    """
    target = _target(invoice, is_earned=is_earned, net=net)
    posted = ledger.recognized(invoice)
    lines = {account: target.get(account, 0) - posted.get(account, 0) for account in {**target, **posted}}
    if any(lines.values()):
        number = LedgerEntry.objects.filter(invoice=invoice, kind=EntryKind.RECOGNITION).count()
        ledger.post(
            EntryKind.RECOGNITION, key=f"recognition:{invoice.uid}:{number + 1}", currency=invoice.currency,
            lines=lines, at=now, invoice=invoice,
        )  # fmt: skip
    if is_earned and due_at is not None:
        _write_items(invoice, due_at)


def _target(invoice: Invoice, *, is_earned: bool, net: int) -> dict[ledger.Account, int]:
    paid = max(min(net, invoice.claim), 0) if is_earned else 0
    loss = min(net, 0)
    target = {ledger.CUSTOMER_FUNDS: paid + loss, ledger.DISPUTES: -loss}
    if not is_earned:
        return target
    if invoice.is_tip:
        return target | {ledger.of_provider(AccountKind.TIPS_PAYABLE, invoice.provider_id): -paid}
    parts = split(invoice, paid)
    return target | {
        ledger.PROMOTIONS: parts.subsidy,
        ledger.of_provider(AccountKind.PROVIDER_PAYABLE, invoice.provider_id): -parts.provider,
        ledger.of_provider(AccountKind.TAX_PAYABLE, invoice.provider_id): -parts.tax,
        ledger.PLATFORM_FEES: -parts.platform,
    }


def _write_items(invoice: Invoice, due_at: datetime) -> None:
    """Give every entry of an earned invoice that touches the provider its item for a payout."""
    entries = (
        LedgerEntry.objects.filter(invoice=invoice, payout_item=None, lines__account__kind__in=PROVIDER_SIDE)
        .order_by("pk")
        .values_list("pk")
        .annotate(Sum("lines__amount"))
    )
    PayoutItem.objects.bulk_create(
        PayoutItem(
            provider_id=invoice.provider_id, invoice=invoice, entry_id=entry, currency=invoice.currency, amount=-amount,
            due_at=due_at,
        )
        for entry, amount in entries
        if amount
    )  # fmt: skip
