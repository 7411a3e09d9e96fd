"""Invoices: written from a price's lines, issued with a number when money or work is on them, and then never changed.

Less is a credit note, more an extra invoice. A sale and its children are one family, locked together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from accounts.models import User
from payments.domain import cash, converging, crediting, families, promos, series
from payments.models import Invoice, InvoiceKind, InvoiceLine, InvoiceState, LineKind, Payment
from payments.models.charge import RefundOrigin
from payments.models.terms import WHOLE_BP
from payments.states import PaymentState
from petplace.db import retried
from petplace.errors import InvalidInput, InvalidTransition, NotAllowed
from petplace.money import allocate, format_money, half_up
from providers.models import Provider

PAYOUT_AFTER = timedelta(days=settings.PAYOUT_DAYS)
MAX_EXTRA = 1_000_000_00  # minor units; a guard against slips of the finger


@dataclass(frozen=True)
class Line:
    """One explained amount of a price, in minor units. ``amount`` is ``quantity`` times ``unit_amount``."""

    kind: LineKind
    description: str
    quantity: int
    unit_amount: int

    @property
    def amount(self) -> int:
        return self.quantity * self.unit_amount


@dataclass(frozen=True)
class InvoiceTerms:
    """What is inside a total: ``tax_amount`` and ``owner_fee``; and beside it: the provider's ``commission`` and the
    platform's ``subsidy``. ``capture_method`` manual takes the money only when the work is accepted."""

    tax_rate_bp: int = 0
    is_tax_inclusive: bool = False
    tax_amount: int = 0
    owner_fee: int = 0
    commission: int = 0
    subsidy: int = 0
    capture_method: Literal["automatic", "manual"] = "automatic"


@dataclass(frozen=True)
class Kept:
    """What became of a family: ``refund`` goes back of what was paid, ``released`` was only authorized, ``kept`` is the
    claim, of which ``outstanding`` is still to be paid. ``invoice`` is the sale as it is now."""

    refund: int
    kept: int
    outstanding: int
    released: int
    invoice: Invoice


NO_TERMS = InvoiceTerms()


def total_of(lines: Iterable[Line]) -> int:
    return sum(line.amount for line in lines)


@transaction.atomic(savepoint=False)
def write(
    *,
    provider: Provider,
    payer: User,
    subject: str,
    currency: str,
    lines: Iterable[Line],
    due_at: datetime,
    state: InvoiceState = InvoiceState.OPEN,
    prepay_amount: int = 0,
    terms: InvoiceTerms = NO_TERMS,
) -> Invoice:
    """Write a sale; its total is the sum of ``lines`` (minor units of ``currency``).

    ``state`` is open (owed) or draft (a hold or a request); of a draft ``prepay_amount`` can be paid.
    """
    lines = list(lines)
    invoice = Invoice.objects.create(
        provider=provider, payer=payer, subject=subject, currency=currency, total=total_of(lines), due_at=due_at,
        state=state, prepay_amount=prepay_amount, **_columns(terms),
    )  # fmt: skip
    _append(invoice, lines)
    return invoice


@retried
def open_draft(invoice: Invoice, *, now: datetime) -> Invoice:
    """From now on a draft is owed (the booking is placed and is paid at the visit, or in part)."""
    family = families.lock(invoice)
    own = family.member(invoice.pk)
    converging.open_draft(own)
    converging.settle(family, now=now)
    return own


@retried
def rewrite(
    invoice: Invoice,
    *,
    lines: Iterable[Line],
    due_at: datetime,
    now: datetime,
    prepay_amount: int = 0,
    terms: InvoiceTerms = NO_TERMS,
    reason: str = "The price has changed",
) -> Invoice:
    """Put a new price onto a sale whose subject was re-quoted (a moved booking); ``now`` matters when it was issued.

    Without a number its lines are replaced. With one the difference is a credit note (the newest extra charge first) or
    an extra invoice; what was paid too much goes back. Raises InvalidTransition for a void one.
    """
    lines = list(lines)
    family = families.lock(invoice)
    sale = family.sale
    if sale.is_void or (sale.is_paid and not sale.is_issued):
        raise InvalidTransition(f"The invoice is {sale.get_state_display().lower()} and cannot be changed.")
    if sale.is_issued:
        _rewrite_issued(family, lines, due_at, terms, reason, now)
    else:
        sale.lines.all().delete()
        _append(sale, lines)
        sale.total, sale.due_at = total_of(lines), due_at
        sale.prepay_amount = prepay_amount
        columns = _columns(terms)
        columns.pop("capture_method")
        for name, value in columns.items():
            setattr(sale, name, value)
        sale.save(update_fields=["total", "due_at", "prepay_amount", *columns])
    converging.settle(family, now=now, cause=converging.Cause(RefundOrigin.POLICY, reason))
    return sale


@retried
def keep_only(
    invoice: Invoice, *, keep: int, reason: str, now: datetime, payout_due_at: datetime | None = None
) -> Kept:
    """End a family whose work does not take place: its claim becomes ``keep`` minor units.

    What is paid counts first, so that nobody is refunded on one invoice and dunned on another. Without a number an
    invoice gets a line that says why, or is void; with one it gets a credit note. What is authorized is captured as far
    as it is kept and else released; what was paid beyond is refunded. A fee that is kept is earned (paid out at
    ``payout_due_at``, two days from now by default); when nothing is kept a promo code can be used again. Raises
    ValueError for more than the claim. Side effects: calls to the gateway after the transaction. Safe to repeat.
    """
    family = families.lock(invoice)
    sale, claimants = family.sale, family.claimants
    claim = sum(one.claim for one in claimants)
    if not 0 <= keep <= claim:
        raise ValueError(f"cannot keep {keep} of {claim}")
    authorized = converging.authorized(family)
    for one, share in zip(claimants, _shares(claimants, keep), strict=True):
        crediting.lower(one, to=share, reason=reason, now=now)
        if share:
            converging.open_draft(one)
    if not keep and sale.earned_at is None:
        promos.release(sale, now=now)
    elif keep and sale.earned_at is None:
        _set_earned(sale, now, payout_due_at or now + PAYOUT_AFTER)
    captured = sum(converging.capture(one, now=now) for one in claimants if one.claim)
    refund = converging.settle(family, now=now, cause=converging.Cause(RefundOrigin.POLICY, reason))
    outstanding = sum(one.outstanding for one in claimants)
    return Kept(refund, keep, outstanding, max(authorized - captured, 0), sale)


@retried
def settle(invoice: Invoice, *, now: datetime, by: User | None = None) -> Invoice:
    """Take what is still owed of a sale and its extra charges as paid in cash at the visit. Void ones are left."""
    family = families.lock(invoice)
    for one in family.claimants:
        if one.is_void:
            continue
        converging.open_draft(one)
        if one.outstanding:
            cash.take(one, amount=one.outstanding, by=by, now=now)
        elif one.is_open:  # of nothing
            one.state, one.paid_at = InvoiceState.PAID, now
            one.save(update_fields=["state", "paid_at"])
    converging.settle(family, now=now)
    return family.sale


@retried
def record_cash(invoice: Invoice, *, amount: int, by: User, now: datetime) -> Payment:
    """Record that a debt was paid to the provider in cash, in part or in whole."""
    family = families.lock(invoice)
    own = family.member(invoice.pk)
    if not own.is_open:
        raise InvalidTransition("Nothing is owed on this invoice.")
    if not 0 < amount <= own.outstanding:
        most = format_money(own.outstanding, own.currency)
        raise InvalidInput(f"Between nothing and {most} is owed.", fields={"amount": [f"At most {most} is owed."]})
    payment = cash.take(own, amount=amount, by=by, now=now)
    converging.settle(family, now=now)
    return payment


@retried
def issue(invoice: Invoice, *, now: datetime) -> Invoice:
    """Give an invoice its number. From then on its lines do not change."""
    own = families.lock(invoice).member(invoice.pk)
    if own.is_void:
        raise InvalidTransition("A void invoice gets no number.")
    series.issue(own, now=now)
    return own


@retried
def earn(invoice: Invoice, *, now: datetime, payout_due_at: datetime) -> Invoice:
    """The work is done: issue the sale and its extra charges, and recognize what is paid of them, now and from now on.

    The first call counts. Nothing happens to a void one.
    """
    family = families.lock(invoice)
    if family.sale.is_void:
        return family.sale
    if family.sale.earned_at is None:
        converging.open_draft(family.sale)
        _set_earned(family.sale, now, payout_due_at)
    converging.settle(family, now=now)
    return family.sale


@retried
def revive(invoice: Invoice, *, now: datetime) -> Invoice:
    """Take a sale back that was voided before it had a number: its payment came late, and the time is still free.

    Raises InvalidTransition, and PromoError when its promo code was used up in the meantime.
    """
    sale = families.lock(invoice).sale
    if not sale.is_void or sale.is_issued:
        raise InvalidTransition("This invoice cannot be taken up again.")
    promos.restore(sale, now=now)
    sale.state, sale.voided_at = InvoiceState.DRAFT if sale.prepay_amount else InvoiceState.OPEN, None
    sale.save(update_fields=["state", "voided_at"])
    return sale


@retried
def charge_extra(invoice: Invoice, *, description: str, amount: int, by: User, now: datetime) -> Invoice:
    """Write an extra charge to a sale: tax inside ``amount``, commission at the sale's rate. Due at once."""
    if not 0 < amount <= MAX_EXTRA:
        raise InvalidInput("Say how much is to be paid.", fields={"amount": ["Must be more than nothing."]})
    if not description.strip():
        raise InvalidInput("Say what it is for.", fields={"description": ["Say what it is for."]})
    family = families.lock(invoice)
    sale = family.sale
    if sale.is_void or sale.is_draft:
        raise InvalidTransition("Nothing can be added to this invoice.")
    tax = half_up(amount * sale.tax_rate_bp, WHOLE_BP + sale.tax_rate_bp)
    base = sale.total - sale.owner_fee - sale.tax_amount + sale.subsidy
    commission = half_up(sale.commission * (amount - tax), base) if base else 0
    terms = InvoiceTerms(sale.tax_rate_bp, True, tax, 0, min(commission, amount - tax))
    line = Line(LineKind.EXTRA, description.strip()[:250], 1, amount)
    extra = _child(sale, InvoiceKind.EXTRA, [line], now, terms)
    family.children.append(extra)
    converging.settle(family, now=now)
    return extra


@retried
def tip(invoice: Invoice, *, amount: int, by: User, now: datetime, tip_until: datetime) -> Invoice:
    """Write a tip that ``by`` is about to pay: all of it goes to the provider. One that is not paid yet is changed.

    Raises NotAllowed for anyone but the payer, InvalidTransition after ``tip_until`` or before the work is done.
    """
    if not 0 < amount <= MAX_EXTRA:
        raise InvalidInput("Say how much you want to give.", fields={"amount": ["Must be more than nothing."]})
    family = families.lock(invoice)
    sale = family.sale
    if sale.payer_id != by.pk:
        raise NotAllowed
    if sale.earned_at is None or now > tip_until:
        raise InvalidTransition("A tip can be given after the visit, for two weeks.", code="tip_not_now")
    line = Line(LineKind.TIP, "Tip", 1, amount)
    waiting = next((one for one in family.children if one.is_tip and one.is_draft and not one.is_issued), None)
    if waiting is None:
        return _child(sale, InvoiceKind.TIP, [line], now, NO_TERMS, state=InvoiceState.DRAFT, prepay_amount=amount)
    if waiting.total != amount:
        waiting.lines.all().delete()
        _append(waiting, [line])
        waiting.total = waiting.prepay_amount = amount
        waiting.save(update_fields=["total", "prepay_amount"])
    return waiting


def family_of(invoice: Invoice) -> list[Invoice]:
    """Return the sale and its children, as they are now and without locks, for pages."""
    root = invoice.root_id
    return list(Invoice.objects.filter(Q(pk=root) | Q(parent_id=root)).order_by("pk"))


def money_on(invoice: Invoice) -> list[Payment]:
    """Return what was authorized or paid on one invoice, with what went back, the oldest first; for pages."""
    seen = invoice.payments.filter(state__in=[PaymentState.AUTHORIZED, PaymentState.CAPTURED])
    return list(seen.prefetch_related("refunds").order_by("pk"))


def _rewrite_issued(
    family: families.Family, lines: list[Line], due_at: datetime, terms: InvoiceTerms, reason: str, now: datetime
) -> None:
    sale, total = family.sale, total_of(lines)
    moved = [one for one in family.claimants if one is sale or _is_difference(one)]
    change = total - sum(one.claim for one in moved)
    sale.due_at = due_at
    sale.save(update_fields=["due_at"])
    for one in reversed(moved):
        if change >= 0:
            break
        change += crediting.lower(one, to=max(one.claim + change, 0), reason=reason, now=now)
    if change > 0:
        line = Line(LineKind.MOVED, reason, 1, change)
        family.children.append(_child(sale, InvoiceKind.EXTRA, [line], due_at, _part_of(terms, change, total)))


def _is_difference(invoice: Invoice) -> bool:
    return invoice.lines.filter(kind=LineKind.MOVED).exists()


def _part_of(terms: InvoiceTerms, part: int, total: int) -> InvoiceTerms:
    fee, tax, rest = allocate(part, (terms.owner_fee, terms.tax_amount, total - terms.owner_fee - terms.tax_amount))
    subsidy = half_up(terms.subsidy * part, total)
    commission = min(half_up(terms.commission * part, total), rest + subsidy)
    return InvoiceTerms(terms.tax_rate_bp, terms.is_tax_inclusive, tax, fee, commission, subsidy)


def _shares(claimants: list[Invoice], keep: int) -> list[int]:
    """Divide what is kept over the invoices: first where it is paid already, then in their order."""
    shares = [0] * len(claimants)
    for limit in ([min(one.paid_amount, one.claim) for one in claimants], [one.claim for one in claimants]):
        for index, most in enumerate(limit):
            more = min(max(most - shares[index], 0), keep - sum(shares))
            shares[index] += more
    return shares


def _set_earned(sale: Invoice, now: datetime, payout_due_at: datetime) -> None:
    sale.earned_at, sale.payout_due_at = now, payout_due_at
    sale.save(update_fields=["earned_at", "payout_due_at"])


def _child(
    sale: Invoice,
    kind: InvoiceKind,
    lines: list[Line],
    due_at: datetime,
    terms: InvoiceTerms,
    *,
    state: InvoiceState = InvoiceState.OPEN,
    prepay_amount: int = 0,
) -> Invoice:
    child = Invoice.objects.create(
        kind=kind, parent=sale, provider=sale.provider, payer_id=sale.payer_id, subject=sale.subject, state=state,
        currency=sale.currency, total=total_of(lines), due_at=due_at, prepay_amount=prepay_amount, **_columns(terms),
    )  # fmt: skip
    _append(child, lines)
    return child


def _columns(terms: InvoiceTerms) -> dict[str, Any]:
    return dict(vars(terms))


def _append(invoice: Invoice, lines: Iterable[Line]) -> None:
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=position,
            kind=line.kind,
            description=line.description,
            quantity=line.quantity,
            unit_amount=line.unit_amount,
            amount=line.amount,
        )
        for position, line in enumerate(lines)
    )
