"""The daily comparison of our ledger with the gateway's own list of what changed its balance.

Every movement there has one line here, on the gateway's clearing account: a charge, a refund out or back, a dispute's
money out or back, its fee, a transfer. What we have not heard of yet is fetched first, so that a lost event heals; the
gateway's fees are posted from its list, which is the only place where they can be seen. What is left is a difference.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from django.db import DatabaseError, transaction
from django.db.models import F, Q

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from payments.domain import alerts, charges, ledger
from payments.domain.events import payment_of_ref
from payments.gateways import registry
from payments.gateways.base import GatewayError, Movement
from payments.models import (
    AccountKind,
    DifferenceKind,
    EntryKind,
    LedgerLine,
    Payment,
    ReconciliationDifference,
    ReconciliationRun,
)
from payments.states import PaymentState
from petplace.db import retried
from petplace.errors import InvalidInput, InvalidTransition

logger = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)  # the first time; how late either side may list; how far clocks may be apart
SETTLING = timedelta(hours=1)  # what we posted in the last hour need not be in the gateway's list yet
SEARCH = 200  # payments that one run asks about at most, to find whose an unknown refund is
KINDS: dict[str, str] = {
    EntryKind.CAPTURE: "charge",
    EntryKind.REFUND: "refund",
    EntryKind.REFUND_FAILED: "refund",
    EntryKind.DISPUTE: "dispute",
    EntryKind.DISPUTE_WON: "dispute",
    EntryKind.DISPUTE_FEE: "dispute_fee",
    EntryKind.PAYOUT_PAID: "transfer",
}


@dataclass(frozen=True, order=True)
class Item:
    """One change of a balance: what it was, in or out, and the ref of the object that both sides know."""

    kind: str
    is_in: bool
    ref: str


@dataclass(frozen=True)
class Amount:
    amount: int
    currency: str


def run_daily(*, now: datetime) -> list[ReconciliationRun]:
    """Reconcile every gateway that is in use, from where its last run ended."""
    return [run(name, now=now) for name in registry.names()]


def run(gateway: str, *, now: datetime, since: datetime | None = None) -> ReconciliationRun:
    """Compare ``[since, now)``, outside any transaction. What the gateway does not answer is tried the next time.

    The day before is compared again: what was too young for the last run, and what was listed only after it.
    """
    since = since or _last_end(gateway) or now - LOOK_BACK
    row = ReconciliationRun.objects.create(gateway=gateway, since=min(since, now - SETTLING), until=now)
    try:
        movements = list(registry.get(gateway).movements(since=row.since - 2 * LOOK_BACK, until=now))
    except GatewayError as error:
        row.error = f"{type(error).__name__}: {error}"[:1000]
        row.save(update_fields=["error"])
        return row
    row.healed_count = _fetch_missing(gateway, movements, now)
    _post_fees(gateway, movements, now)
    found = _not_closed(gateway, _differences(row, movements))
    _record(row, found, now)
    row.movement_count, row.difference_count, row.finished_at = len(movements), len(found), now
    row.save(update_fields=["healed_count", "movement_count", "difference_count", "finished_at"])
    return row


def _last_end(gateway: str) -> datetime | None:
    """Return where the last run that was answered ended, else where the first one began."""
    runs = ReconciliationRun.objects.filter(gateway=gateway)
    last = runs.exclude(finished_at=None).first()
    if last is not None:
        return last.until
    return runs.order_by("pk").values_list("since", flat=True).first()


@retried
def resolve(difference: ReconciliationDifference, *, by: User, note: str, now: datetime) -> ReconciliationDifference:
    """Close a difference that a person has looked into. Raises InvalidInput without a note, and InvalidTransition."""
    note = note.strip()[:300]
    if not note:
        raise InvalidInput("Say what you found.", fields={"note": ["Say what you found."]})
    difference = ReconciliationDifference.objects.select_for_update(no_key=True).get(pk=difference.pk)
    if difference.resolved_at is not None:
        raise InvalidTransition("This difference was closed already.")
    difference.resolved_at, difference.note = now, note
    difference.save(update_fields=["resolved_at", "note"])
    after = {"kind": difference.kind, "ours": difference.ours, "theirs": difference.theirs}
    audit.record(AuditAction.RESOLVE_DIFFERENCE, by=by, target=difference, after=after, reason=note, now=now)
    return difference


def _fetch_missing(gateway: str, movements: Iterable[Movement], now: datetime) -> int:
    """Ask about the payments whose movements we have not posted. Returns how many that brought to light.

    A refund or dispute that we have not heard of does not say whose payment it is: then the captured ones are asked,
    those first that were not for the longest time.
    """
    theirs = _theirs(gateway, movements)
    missing = set(theirs) - set(_ours(gateway, refs={item.ref for item in theirs}))
    known = {payment for item in missing if (payment := payment_of_ref(gateway, item.ref)) is not None}
    for payment in known:
        _sync(payment, now)
    unknown = {item.ref for item in missing if item.kind != "charge" and payment_of_ref(gateway, item.ref) is None}
    captured = Payment.objects.filter(gateway=gateway, state=PaymentState.CAPTURED)
    for payment in captured.order_by(F("checked_at").asc(nulls_first=True), "pk")[: SEARCH if unknown else 0]:
        _sync(payment, now)
        unknown = {ref for ref in unknown if payment_of_ref(gateway, ref) is None}
        if not unknown:
            break
    return len(missing & set(_ours(gateway, refs={item.ref for item in missing})))


def _sync(payment: Payment, now: datetime) -> None:
    try:
        charges.sync(payment, now=now)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("Payment %s could not be brought up to date", payment.uid)


def _theirs(gateway: str, movements: Iterable[Movement]) -> dict[Item, Amount]:
    found: dict[Item, Amount] = {}
    for one in movements:
        kind = {"dispute_reversal": "dispute", "fee": "dispute_fee"}.get(one.kind, one.kind)
        if one.kind == "fee" and not _is_of_dispute(gateway, one):
            continue
        item = Item(kind, one.amount > 0, one.source_ref)
        before = found[item].amount if item in found else 0
        found[item] = Amount(before + one.amount, one.currency)
    return found


def _ours(
    gateway: str, *, refs: Iterable[str] | None = None, since: datetime | None = None, until: datetime | None = None
) -> dict[Item, Amount]:
    """Return what stands on the clearing account, by the refs that the gateway knows. What has none was never there."""
    lines = LedgerLine.objects.filter(
        account__kind=AccountKind.GATEWAY_CLEARING, account__detail=gateway, entry__kind__in=KINDS
    ).select_related("entry__payment", "entry__refund", "entry__dispute", "entry__payout")
    if refs is not None:
        refs = list(refs)
        lines = lines.filter(
            Q(entry__kind=EntryKind.CAPTURE, entry__payment__ref__in=refs)
            | Q(entry__refund__ref__in=refs)
            | Q(entry__dispute__ref__in=refs)
            | Q(entry__payout__ref__in=refs)
        )
    if since is not None:
        lines = lines.filter(entry__at__gte=since, entry__at__lt=until)
    found = {}
    for line in lines.order_by("pk"):
        entry = line.entry
        about = entry.refund or entry.dispute or entry.payout or entry.payment
        if about is not None and about.ref:
            item = Item(KINDS[entry.kind], line.amount > 0, about.ref)
            found[item] = Amount(line.amount, entry.currency)
    return found


def _is_of_dispute(gateway: str, movement: Movement) -> bool:
    payment = payment_of_ref(gateway, movement.source_ref)
    return payment is not None and payment.ref != movement.source_ref


def _post_fees(gateway: str, movements: Iterable[Movement], now: datetime) -> None:
    """Post what the gateway took for its service, once each."""
    for one in movements:
        if one.kind != "fee" or _is_of_dispute(gateway, one):
            continue
        payment = payment_of_ref(gateway, one.source_ref)
        with transaction.atomic():
            ledger.transfer(
                EntryKind.GATEWAY_FEE, debit=ledger.GATEWAY_FEES, credit=ledger.clearing(gateway), amount=-one.amount,
                key=f"fee:{gateway}:{one.ref}"[:120], currency=one.currency, at=one.at, payment=payment,
            )  # fmt: skip


def _differences(row: ReconciliationRun, movements: list[Movement]) -> list[ReconciliationDifference]:
    since = row.since - LOOK_BACK
    theirs = _theirs(row.gateway, movements)
    ours = _ours(row.gateway, refs={item.ref for item in theirs})
    recent = _ours(row.gateway, since=since, until=row.until - SETTLING)
    found = []
    in_window = _theirs(row.gateway, [one for one in movements if one.at >= since])
    for item in sorted({*in_window, *recent}):
        here, there = ours.get(item) or recent.get(item), theirs.get(item)
        if here is None:
            kind = DifferenceKind.MISSING_HERE
        elif there is None:
            if _confirmed(row.gateway, item, here):
                continue
            kind = DifferenceKind.MISSING_THERE
        elif here != there:
            kind = DifferenceKind.AMOUNT
        else:
            continue
        known = here or there
        assert known is not None
        found.append(
            ReconciliationDifference(
                run=row, kind=kind, object_kind=item.kind, ref=item.ref, currency=known.currency,
                ours=here.amount if here else None, theirs=there.amount if there else None,
            )
        )  # fmt: skip
    return found


def _confirmed(gateway: str, item: Item, here: Amount) -> bool:
    """Whether the gateway has it after all, at a time outside the list (we heard of it late)."""
    payment = payment_of_ref(gateway, item.ref)
    if payment is None:
        return False
    try:
        charge = registry.get(gateway).retrieve(payment.ref or "")
    except GatewayError:
        return False
    if item.kind == "charge":
        return charge.captured == here.amount
    if item.kind == "refund":
        state = "failed" if item.is_in else None
        return any(
            one.ref == item.ref and one.amount == abs(here.amount) and state in (None, one.state)
            for one in charge.refunds
        )
    return any(one.ref == item.ref for one in charge.disputes)


def _not_closed(gateway: str, found: list[ReconciliationDifference]) -> list[ReconciliationDifference]:
    """Leave out what was closed already with the same amounts. With other amounts it is another difference."""
    facts = ("kind", "object_kind", "ref", "currency", "ours", "theirs")
    closed = ReconciliationDifference.objects.filter(run__gateway=gateway, ref__in={one.ref for one in found})
    known = set(closed.exclude(resolved_at=None).values_list(*facts))
    return [one for one in found if attrgetter(*facts)(one) not in known]


def _about(difference: ReconciliationDifference) -> tuple[str, Item]:
    amount = difference.theirs if difference.ours is None else difference.ours
    return difference.kind, Item(difference.object_kind, (amount or 0) > 0, difference.ref)


def _record(row: ReconciliationRun, found: list[ReconciliationDifference], now: datetime) -> None:
    """Write what is new; what an earlier run has found is not told twice. What is gone closes itself."""
    waiting = ReconciliationDifference.objects.filter(run__gateway=row.gateway, resolved_at=None)
    known = {_about(one): one for one in waiting}
    new = [one for one in found if _about(one) not in known]
    ReconciliationDifference.objects.bulk_create(new)
    healed = _ours(row.gateway, refs={item.ref for _, item in known})
    for (kind, item), difference in known.items():
        if kind == DifferenceKind.MISSING_HERE and item in healed and healed[item].amount == difference.theirs:
            waiting.filter(pk=difference.pk).update(resolved_at=now, note="Found in the meantime.")
    if new:
        alerts.staff(
            "reconciliation", key=f"reconciliation:{row.uid}", title="The ledger and the gateway differ",
            body=f"{row.gateway}: {len(new)} new differences. They are listed in the admin.", now=now,
        )  # fmt: skip
