"""A provider's figures, from the ledger, the invoices and the expenses, in a constant number of queries.

What counts is what was *earned* (recognized in the ledger), in the month in which it was, by the clock of the
provider's first branch. For each period

    profit = revenue - refunds - fees - tax + tips - expenses

where revenue is what owners (and the platform's promo codes) paid for work that was done, refunds what was taken off
it again afterwards, fees the platform's share of either side. Money that went back before any work was done was never
revenue and is counted apart (``returned``).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncMonth

from payments.domain import payouts
from payments.models import AccountKind, EntryKind, Expense, Invoice, LedgerLine, PayoutFreeze, PayoutItem
from providers.models import Branch, Provider

GROUPINGS = ("month", "quarter", "year")
YEARS_SHOWN = 5
FIRST_YEAR, LAST_YEAR = 2000, 2199

EARNED = """
SELECT month, is_tip, is_back, sum(provider), sum(tax), sum(fees)
FROM (
  SELECT month, is_tip, provider, tax, fees, provider + tax + fees < 0 AS is_back
  FROM (
    SELECT date_trunc('month', entry.at AT TIME ZONE %(zone)s)::date AS month, invoice.kind = 'tip' AS is_tip,
      -coalesce(sum(line.amount) FILTER (WHERE account.kind IN ('provider_payable', 'tips_payable')), 0) AS provider,
      -coalesce(sum(line.amount) FILTER (WHERE account.kind = 'tax_payable'), 0) AS tax,
      -coalesce(sum(line.amount) FILTER (WHERE account.kind = 'platform_fees'), 0) AS fees
    FROM payments_ledgerentry entry
    JOIN payments_invoice invoice ON invoice.id = entry.invoice_id
    JOIN payments_ledgerline line ON line.entry_id = entry.id
    JOIN payments_ledgeraccount account ON account.id = line.account_id
    WHERE entry.kind = 'recognition' AND invoice.provider_id = %(provider)s AND entry.currency = %(currency)s
      AND entry.at >= %(start)s AND entry.at < %(end)s
    GROUP BY 1, 2, entry.id
  ) AS by_entry
) AS signed
GROUP BY 1, 2, 3
"""


@dataclass
class Figures:
    """Minor units of the provider's currency."""

    revenue: int = 0
    refunds: int = 0
    fees: int = 0
    tax: int = 0
    tips: int = 0
    expenses: int = 0
    returned: int = 0

    @property
    def profit(self) -> int:
        return self.revenue - self.refunds - self.fees - self.tax + self.tips - self.expenses

    @property
    def has_any(self) -> bool:
        return any(getattr(self, field.name) for field in fields(self))

    def add(self, other: "Figures") -> None:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class Period:
    """``label`` is ``2026-11``, ``2026-Q4`` or ``2026``; ``end`` is the day after the last one."""

    label: str
    title: str
    start: date
    end: date
    figures: Figures


@dataclass(frozen=True)
class Statement:
    by: str
    year: int
    currency: str
    zone: tzinfo
    start: date
    end: date
    periods: list[Period]
    total: Figures
    spent: list[tuple[str, int]]  # category, minor units, the largest first


@dataclass(frozen=True)
class Receivables:
    """What owners owe: ``due`` is late or due today, ``later`` is for visits that are still to come."""

    due: int
    due_count: int
    later: int
    later_count: int
    oldest_at: datetime | None


@dataclass(frozen=True)
class Frozen:
    """Earnings that are kept back, and why."""

    invoice: Invoice
    reason: str
    since: datetime
    amount: int


@dataclass(frozen=True)
class PayoutOutlook:
    """``balance`` is what the platform owes for done work in all, ``waiting`` is in no payout yet, ``next_at`` is when
    the next of it is due, ``frozen`` is kept back."""

    balance: int
    waiting: int
    next_at: datetime | None
    frozen: list[Frozen]

    @property
    def frozen_amount(self) -> int:
        return sum(one.amount for one in self.frozen)


def zone_of(provider: Provider) -> tzinfo:
    """Return the zone of the provider's first branch, UTC without one: as for the numbers of invoices."""
    branch = Branch.objects.filter(provider=provider).order_by("pk").first()
    return branch.zone if branch else UTC


def statement(provider: Provider, *, by: str, year: int) -> Statement:
    """Return the figures of ``year`` by month or quarter, or of the five years to ``year``. Five queries."""
    zone = zone_of(provider)
    first_year = year - YEARS_SHOWN + 1 if by == "year" else year
    start, end = date(first_year, 1, 1), date(year + 1, 1, 1)
    months: dict[date, Figures] = defaultdict(Figures)
    _add_earned(months, provider, zone, start, end)
    _add_returned(months, provider, zone, start, end)
    _add_expenses(months, provider, start, end)
    periods = list(_periods(by, first_year, year))
    total = Figures()
    for month, figures in sorted(months.items()):
        next(one for one in periods if one.start <= month < one.end).figures.add(figures)
        total.add(figures)
    spent = _spent(provider, start, end)
    return Statement(by, year, provider.currency, zone, start, end, periods, total, spent)


def owed(provider: Provider) -> "QuerySet[Invoice]":
    """Return the invoices on which owners owe something, those that are due longest first."""
    left = F("total") - F("credited_amount") - F("paid_amount")
    mine = Invoice.objects.filter(provider=provider).owed().annotate(left=left).filter(left__gt=0)
    return mine.with_parties().order_by("due_at", "pk")


def receivables(provider: Provider, *, now: datetime) -> Receivables:
    """Return what is owed to ``provider`` in its currency. One query."""
    due = Q(due_at__lte=now)
    found = (
        owed(provider)
        .select_related(None)
        .filter(currency=provider.currency)
        .order_by()
        .aggregate(
            due=Sum("left", filter=due), due_count=Count("pk", filter=due),
            later=Sum("left", filter=~due), later_count=Count("pk", filter=~due),
        )
    )  # fmt: skip
    oldest = owed(provider).filter(due).values_list("due_at", flat=True).first()
    return Receivables(found["due"] or 0, found["due_count"], found["later"] or 0, found["later_count"], oldest)


def payouts_ahead(provider: Provider, *, now: datetime) -> PayoutOutlook:
    """Return what is still to be paid out to ``provider`` in its currency, and what is kept back. Three queries."""
    currency = provider.currency
    freezes = list(
        PayoutFreeze.objects.active(now).filter(invoice__provider=provider).select_related("invoice").order_by("pk")
    )
    held: dict[int, int] = defaultdict(int)
    waiting, next_at = 0, None
    frozen = {one.invoice_id for one in freezes}
    items = PayoutItem.objects.waiting().filter(provider=provider, currency=currency).order_by("due_at")
    for root, own, amount, due_at in items.values_list("invoice__parent_id", "invoice_id", "amount", "due_at"):
        if (root or own) in frozen:
            held[root or own] += amount
            continue
        waiting += amount
        next_at = next_at or due_at
    seen: set[int] = set()
    kept = []
    for one in freezes:  # two complaints about one visit keep its money back once
        amount = 0 if one.invoice_id in seen else held[one.invoice_id]
        seen.add(one.invoice_id)
        kept.append(Frozen(one.invoice, one.reason, one.created_at, amount))
    return PayoutOutlook(payouts.balance(provider, currency), waiting, next_at, kept)


def this_year(provider: Provider, now: datetime) -> int:
    return now.astimezone(zone_of(provider)).year


def _add_earned(months: dict[date, Figures], provider: Provider, zone: tzinfo, start: date, end: date) -> None:
    values: dict[str, Any] = {
        "zone": str(zone), "provider": provider.pk, "currency": provider.currency,
        "start": _instant(start, zone), "end": _instant(end, zone),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(EARNED, values)
        for month, is_tip, is_back, own, tax, fees in cursor.fetchall():
            figures = months[month]
            gross = int(own + tax + fees)
            if is_tip:
                figures.tips += gross
                continue
            if is_back:
                figures.refunds -= gross
            else:
                figures.revenue += gross
            figures.tax += int(tax)
            figures.fees += int(fees)


def _add_returned(months: dict[date, Figures], provider: Provider, zone: tzinfo, start: date, end: date) -> None:
    lines = (
        LedgerLine.objects.filter(
            entry__invoice__provider=provider, entry__kind__in=[EntryKind.REFUND, EntryKind.REFUND_FAILED],
            entry__currency=provider.currency, account__kind=AccountKind.CUSTOMER_FUNDS,
            entry__at__gte=_instant(start, zone), entry__at__lt=_instant(end, zone),
        )
        .order_by()
        .values_list(TruncMonth("entry__at", tzinfo=zone))
        .annotate(Sum("amount"))
    )  # fmt: skip
    for month, amount in lines:
        months[month.date()].returned += int(amount)


def _add_expenses(months: dict[date, Figures], provider: Provider, start: date, end: date) -> None:
    rows = _expenses(provider, start, end).order_by().values_list(TruncMonth("on")).annotate(Sum("amount"))
    for month, amount in rows:
        months[month].expenses += int(amount)


def _spent(provider: Provider, start: date, end: date) -> list[tuple[str, int]]:
    rows = _expenses(provider, start, end).order_by().values_list("category").annotate(Sum("amount"))
    return sorted(((str(name), int(amount)) for name, amount in rows), key=lambda row: (-row[1], row[0]))


def _expenses(provider: Provider, start: date, end: date) -> "QuerySet[Expense]":
    return Expense.objects.filter(provider=provider, currency=provider.currency, on__gte=start, on__lt=end)


def _instant(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _periods(by: str, first: int, last: int) -> Iterable[Period]:
    for year in range(first, last + 1):
        if by == "year":
            yield Period(str(year), str(year), date(year, 1, 1), date(year + 1, 1, 1), Figures())
            continue
        length = 3 if by == "quarter" else 1
        for month in range(1, 13, length):
            start, after = date(year, month, 1), month + length
            end = date(year, after, 1) if after <= 12 else date(year + 1, 1, 1)
            quarter = f"Q{(month + 2) // 3}"
            if by == "quarter":
                title = f"{start:%b} to {date(year, month + 2, 1):%b}"
                yield Period(f"{year}-{quarter}", title, start, end, Figures())
            else:
                yield Period(f"{year}-{month:02d}", f"{start:%B}", start, end, Figures())
