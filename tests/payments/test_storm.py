"""A storm of webhooks: a thousand events, repeated and shuffled, end in the same balances as in order.

``PETPLACE_STORM=20`` shuffles with twenty seeds; the ordinary run has two, on fewer payments.
"""

import hashlib
import json
import os
import random
from collections import Counter

import pytest
from django.db import transaction

from payments.domain import charges, events, invoices
from payments.gateways import sandbox_webhooks
from payments.gateways.base import BadSignature
from payments.models import GatewayEvent, Invoice, LedgerLine, Payment
from payments.models.sandbox import SandboxEvent
from tests.factories import UserFactory, make_provider
from tests.payments.fake import FakeGateway, installed
from tests.payments.money import DAY, NOW, broken, clearing, sale

pytestmark = pytest.mark.django_db
ASKED = int(os.environ.get("PETPLACE_STORM", "0"))
SEEDS = ASKED or 2
PAYMENTS = 200 if ASKED else 5


class Storm:
    """Payments that were begun here, and everything that happened to them at the gateway without our hearing of it."""

    def __init__(self) -> None:
        self.gateway = FakeGateway()
        self.history: list[tuple[str, dict]] = []  # the state of a charge after each event
        provider, payer = make_provider(), UserFactory()
        with installed(self.gateway):
            for number in range(PAYMENTS):
                invoice = sale(provider, payer, 1000 + number)
                if number % 3 == 0:
                    invoices.open_draft(invoice, now=NOW)
                    invoices.earn(invoice, now=NOW, payout_due_at=NOW + DAY)
                ref = charges.start(invoice, by=payer, now=NOW).charge.ref
                self.happen(ref, number)
        self.events = list(self.gateway.events)
        self.final = dict(self.gateway.charges)

    def happen(self, ref: str, number: int) -> None:
        """Five events for each: paid, refunded twice, disputed, decided (or the refund fails)."""
        gateway = self.gateway
        gateway.pay(ref)
        refund = gateway.refund_in_dashboard(ref, 100 + number, state="pending" if number % 2 else "succeeded")
        gateway.refund_in_dashboard(ref, 50)
        if number % 4 == 0:
            gateway.fail_refund(refund.ref)
            gateway.refund_in_dashboard(ref, 1)
        else:
            gateway.close_dispute(gateway.open_dispute(ref, amount=200), is_won=number % 4 == 1)

    def digest(self, order: list, *, dedupes: bool = True) -> str:
        """Deliver ``order`` in batches from nothing, and return what the books say then. Nothing of it is kept."""
        with installed(self.gateway), transaction.atomic():
            transaction.get_connection().atomic_blocks[-1]._from_testcase = True
            for start in range(0, len(order), 50):
                for event in order[start : start + 50]:
                    events.store("fake", event, now=NOW)
                while events.process_due(now=NOW).looks:
                    pass
            assert set(GatewayEvent.objects.values_list("state", flat=True)) == {"processed"}
            assert broken() == []
            found = books()
            transaction.set_rollback(True)
        return found


def books() -> str:
    """Return a digest of every balance: per account, per invoice, per payment."""
    lines = Counter()
    for kind, uid, amount in LedgerLine.objects.values_list("account__kind", "entry__invoice__uid", "amount"):
        lines[f"{kind} {uid}"] += amount
    figures = {
        "lines": sorted((key, amount) for key, amount in lines.items() if amount),
        "invoices": [
            list(map(str, row))
            for row in Invoice.objects.exclude(kind="credit_note")
            .order_by("pk")
            .values_list("pk", "state", "paid_amount", "credited_amount")
        ],
        "payments": list(
            Payment.objects.order_by("pk").values_list("pk", "state", "captured_amount", "refunded_amount")
        ),
    }
    return hashlib.sha256(json.dumps(figures).encode()).hexdigest()


def shuffled(order: list, seed: int) -> list:
    """Each one to five times, in any order."""
    chance = random.Random(seed)
    copies = [event for event in order for _ in range(chance.randint(1, 5))]
    chance.shuffle(copies)
    return copies


@pytest.fixture
def storm(db: None) -> Storm:
    return Storm()


def test_any_order_ends_in_the_same_balances(storm):
    assert len(storm.events) == 5 * PAYMENTS
    in_order = storm.digest(storm.events)

    digests = {storm.digest(shuffled(storm.events, seed)) for seed in range(SEEDS)}

    assert digests == {in_order}


def test_news_of_any_age_ends_in_the_same_balances(storm):
    """Each look at the gateway may show an older state than the last: a slow answer that was overtaken."""
    in_order = storm.digest(storm.events)
    seen = snapshots(storm)

    digests = {replay(storm, seen, seed) for seed in range(SEEDS)}

    assert digests == {in_order}


@pytest.mark.control
def test_control_without_going_forward_only(storm, monkeypatch):
    """What the tests above would look like if the last news always counted and a key did not stop a second posting."""
    in_order = storm.digest(storm.events)
    from payments.domain import disputes, returning

    for module in (charges, returning, disputes):
        monkeypatch.setattr(module, "is_further", lambda rank, old, new: True)

    assert any(replay(storm, snapshots(storm), seed, is_checked=False) != in_order for seed in range(SEEDS))


def snapshots(storm: Storm) -> list:
    """Return the charge after each thing that happened to it, rebuilt by living it again."""
    again = FakeGateway()
    seen = []
    put = again._put

    def remember(charge, kind, **changes):
        put(charge, kind, **changes)
        seen.append(again.charges[charge.ref])

    again._put = remember
    for ref in storm.final:
        again.charges[ref] = storm.final[ref].__class__(
            ref=ref, state="requires_payment", amount=storm.final[ref].amount, currency="EUR", authorized=0, captured=0,
            metadata=storm.final[ref].metadata,
        )  # fmt: skip
    storm_gateway, storm.gateway = storm.gateway, again
    try:
        for number, ref in enumerate(storm.final):
            storm.happen(ref, number)
    finally:
        storm.gateway = storm_gateway
    return seen


def replay(storm: Storm, seen: list, seed: int, *, is_checked: bool = True) -> str:
    """Apply states of any age in any order, and then, as every event's own look would, the last one."""
    payments = {payment.ref: payment for payment in Payment.objects.all()}
    last = {charge.ref: charge for charge in seen}
    with installed(storm.gateway), transaction.atomic():
        for charge in [*shuffled(seen, seed), *last.values(), *([] if is_checked else shuffled(seen, seed + 1))]:
            try:
                charges.apply(payments[charge.ref], charge, now=NOW)
            except Exception:
                if is_checked:
                    raise
        found = books()
        if is_checked:
            assert broken() == []
        transaction.set_rollback(True)
    return found


# --- The door: signatures -----------------------------------------------------------------------


def test_what_is_not_signed_is_refused_and_leaves_nothing(settings):
    settings.PAYMENT_GATEWAYS = ["sandbox"]
    about = {"object": {"id": "sbx_1", "metadata": {}}}
    body = json.dumps({"id": "evt_1", "type": "charge.captured", "data": about}).encode()
    good = sandbox_webhooks.sign(body, at=NOW)
    old = sandbox_webhooks.sign(body, at=NOW - DAY)
    for header in ("", "t=1,v1=00", old, good.replace("v1", "v0"), sandbox_webhooks.sign(body + b" ", at=NOW)):
        with pytest.raises(BadSignature):
            events.receive("sandbox", body, {"Sandbox-Signature": header}, now=NOW)
    assert (GatewayEvent.objects.count(), SandboxEvent.objects.count()) == (0, 0)

    for _ in range(3):
        events.receive("sandbox", body, {"Sandbox-Signature": good}, now=NOW)
    assert GatewayEvent.objects.values_list("event_id", "state").get() == ("evt_1", "new")
    assert events.process_due(now=NOW).ignored == 1  # it is about nothing of ours


def test_a_gateway_that_is_away_lets_events_wait(storm):
    storm.gateway.is_down = True
    with installed(storm.gateway):
        events.store("fake", storm.events[0], now=NOW)
        assert events.process_due(now=NOW).failed == 1
        assert events.process_due(now=NOW).looks == 0
        storm.gateway.is_down = False
        assert events.process_due(now=NOW + DAY).processed == 1
    assert clearing() != 0


def test_a_test_event_has_no_business_in_production(storm, settings):
    settings.IS_PRODUCTION = True
    with installed(storm.gateway):
        events.store("fake", storm.events[0], now=NOW)
        GatewayEvent.objects.update(is_test=True)
        events.process_due(now=NOW)
    assert GatewayEvent.objects.get().state == "ignored"


@pytest.mark.parametrize(("uid", "ref"), [("", ""), ("not a uid", "ch_unknown")])
def test_an_event_about_nothing_of_ours_is_kept_and_ignored(storm, uid, ref):
    event = storm.events[0].__class__("evt_x", "account.updated", ref, uid, {}, False)
    events.store("fake", event, now=NOW)

    assert events.process_due(now=NOW).ignored == 1


def test_an_event_finds_its_payment_by_a_refund_or_a_dispute(storm):
    with installed(storm.gateway):
        events.store("fake", storm.events[0], now=NOW)
        events.process_due(now=NOW)
        charge = storm.final[storm.events[0].object_ref]
        for number, one in enumerate([*charge.refunds, *charge.disputes]):
            about = storm.events[0].__class__(f"evt_r{number}", "refund.updated", one.ref, "", {}, False)
            events.store("fake", about, now=NOW)
        assert events.process_due(now=NOW).processed == len([*charge.refunds, *charge.disputes])
