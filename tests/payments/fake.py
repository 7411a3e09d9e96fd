"""A payment service in memory, that remembers keys, keeps a balance, and can drop the line after it has acted."""

import datetime as dt
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from payments.gateways import registry
from payments.gateways.base import (
    PAYMENT_KEY,
    Charge,
    DisputeSeen,
    Event,
    GatewayRefused,
    GatewayUnavailable,
    Movement,
    RefundSeen,
    Transfer,
)

NAME = "fake"
FEE = 15  # of a dispute


@dataclass
class FakeGateway:
    name: str = NAME
    label: str = "Fake"
    methods: tuple[str, ...] = ("card",)
    charges: dict[str, Charge] = field(default_factory=dict)
    manual: set[str] = field(default_factory=set)
    keys: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    moves: list[Movement] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    now: dt.datetime = dt.datetime(2026, 11, 17, 8, 0, tzinfo=dt.UTC)
    is_down: bool = False
    drops_line: bool = False  # acts, then its answer is lost, once
    refuses_transfers: bool = False

    def __post_init__(self) -> None:
        self.numbers = itertools.count(1)
        self.lock = threading.RLock()  # as a real one has: the same key at the same moment acts once

    # --- What we ask of it ----------------------------------------------------------------------

    def supports(self, currency: str) -> bool:
        return currency != "XXX"

    def create(self, request, *, key):
        def act():
            ref = self._ref("ch")
            if request.capture == "manual":
                self.manual.add(ref)
            self.charges[ref] = Charge(
                ref=ref, state="requires_payment", amount=request.amount, currency=request.currency, authorized=0,
                captured=0, client_secret=f"secret-{ref}", metadata=request.metadata,
            )  # fmt: skip
            return ref

        return self.charges[self._once("create", key, act)]

    def retrieve(self, ref):
        self._guard("retrieve")
        return self._found(ref)

    def capture(self, ref, *, amount, currency, key):
        def act():
            charge = self._found(ref)
            if charge.state != "authorized":
                raise GatewayRefused(f"It is {charge.state}.")
            self._take(charge, amount)
            return ref

        return self.charges[self._once("capture", key, act)]

    def void(self, ref, *, key):
        def act():
            charge = self._found(ref)
            if charge.state == "captured":
                raise GatewayRefused("It is captured.")
            self._put(charge, "canceled", state="canceled", authorized=0)
            return ref

        return self.charges[self._once("void", key, act)]

    def refund(self, ref, *, amount, currency, key, reason=""):
        return self._once("refund", key, lambda: self._give_back(ref, amount))

    def transfer(self, account_ref, *, amount, currency, key, description):
        def act():
            if self.refuses_transfers:
                raise GatewayRefused("No such account.")
            sent = Transfer(self._ref("tr"), amount, currency, "paid")
            self._move("transfer", sent.ref, -amount, currency)
            return sent

        return self._once("transfer", key, act)

    def submit_evidence(self, dispute_ref, evidence, *, key):
        def act():
            self._dispute(dispute_ref, state="submitted")
            return evidence

        self._once("evidence", key, act)

    def movements(self, *, since, until):
        self._guard("movements")
        return iter([one for one in self.moves if since <= one.at < until])

    # --- What payers, banks and its own dashboard do --------------------------------------------

    def pay(self, ref: str) -> None:
        """The payer pays, if it is still to be paid."""
        charge = self._found(ref)
        if charge.state not in ("requires_payment", "requires_action"):
            return
        if ref in self.manual:
            self._put(charge, "authorized", state="authorized", authorized=charge.amount)
        else:
            self._take(charge, charge.amount)

    def decline(self, ref: str) -> None:
        self._put(self._found(ref), "declined", failure_code="card_declined", failure_message="Declined.")

    def refund_in_dashboard(self, ref: str, amount: int, *, state: str = "succeeded") -> RefundSeen:
        return self._give_back(ref, amount, state=state)

    def fail_refund(self, refund_ref: str) -> None:
        charge = next(one for one in self.charges.values() if refund_ref in {r.ref for r in one.refunds})
        refunds = tuple(replace(r, state="failed") if r.ref == refund_ref else r for r in charge.refunds)
        seen = next(r for r in refunds if r.ref == refund_ref)
        self._move("refund", seen.ref, seen.amount, charge.currency)
        self._put(charge, "refund.failed", refunds=refunds)

    def open_dispute(self, ref: str, *, amount: int | None = None, is_inquiry: bool = False) -> str:
        charge = self._found(ref)
        amount = amount or charge.captured
        seen = DisputeSeen(
            self._ref("dp"), amount, 0 if is_inquiry else FEE, "inquiry" if is_inquiry else "open", "fraudulent", None,
            is_inquiry,
        )  # fmt: skip
        if not is_inquiry:
            self._move("dispute", seen.ref, -amount, charge.currency)
            self._move("fee", seen.ref, -FEE, charge.currency)
        self._put(charge, "dispute.opened", disputes=(*charge.disputes, seen))
        return seen.ref

    def close_dispute(self, dispute_ref: str, *, is_won: bool) -> None:
        charge, seen = self._dispute(dispute_ref, state="won" if is_won else "lost", is_refundable=False)
        if is_won and seen.fee:
            self._move("dispute_reversal", seen.ref, seen.amount, charge.currency)

    # --- For tests ------------------------------------------------------------------------------

    def balance(self, currency: str) -> int:
        return sum(one.amount for one in self.moves if one.currency == currency)

    def refundable(self, ref: str) -> int:
        charge = self._found(ref)
        gone = sum(r.amount for r in charge.refunds if r.state != "failed")
        return charge.captured - gone - sum(d.amount for d in charge.disputes if d.state == "lost")

    def _give_back(self, ref: str, amount: int, *, state: str = "succeeded") -> RefundSeen:
        charge = self._found(ref)
        if any(not d.is_refundable and d.state in ("open", "submitted") for d in charge.disputes):
            raise GatewayRefused("It is disputed.")
        if amount > self.refundable(ref):
            raise GatewayRefused("That is more than is left.")
        seen = RefundSeen(self._ref("re"), amount, state)
        self._move("refund", seen.ref, -amount, charge.currency)
        self._put(charge, "refunded", refunds=(*charge.refunds, seen))
        return seen

    def _dispute(self, dispute_ref: str, **changes: Any) -> tuple[Charge, DisputeSeen]:
        charge = next(one for one in self.charges.values() if dispute_ref in {d.ref for d in one.disputes})
        disputes = tuple(replace(d, **changes) if d.ref == dispute_ref else d for d in charge.disputes)
        self._put(charge, "dispute.updated", disputes=disputes)
        return charge, next(d for d in disputes if d.ref == dispute_ref)

    def _take(self, charge: Charge, amount: int) -> None:
        self._move("charge", charge.ref, amount, charge.currency)
        self._put(charge, "captured", state="captured", authorized=amount, captured=amount)

    def _put(self, charge: Charge, kind: str, **changes: Any) -> None:
        self.charges[charge.ref] = replace(charge, **changes)
        uid = charge.metadata.get(PAYMENT_KEY, "")
        self.events.append(Event(self._ref("evt"), kind, charge.ref, uid, {"what": kind}, False))

    def _move(self, kind: str, ref: str, amount: int, currency: str) -> None:
        self.moves.append(Movement(kind, self._ref("mv"), amount, currency, self.now, ref))

    def _found(self, ref: str) -> Charge:
        if ref not in self.charges:
            raise GatewayRefused("There is no such charge.")
        return self.charges[ref]

    def _ref(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers)}"

    def _once(self, what: str, key: str, act: Any) -> Any:
        self._guard(what)
        with self.lock:
            if key not in self.keys:
                self.keys[key] = act()
        if self.drops_line:
            self.drops_line = False
            raise GatewayUnavailable
        return self.keys[key]

    def _guard(self, what: str) -> None:
        registry.refuse_open_transaction()
        self.asked.append(what)
        if self.is_down:
            raise GatewayUnavailable


@contextmanager
def installed(fake: FakeGateway) -> Iterator[FakeGateway]:
    """Let ``fake`` be the only gateway there is."""
    patch = pytest.MonkeyPatch()
    patch.setattr(registry, "get", lambda name: fake)
    patch.setattr(registry, "names", lambda: [NAME])
    patch.setattr(registry, "default", lambda: NAME)
    try:
        yield fake
    finally:
        patch.undo()
