"""Random lives of money, in three currencies: whatever happens in whatever order, every minor unit is accounted for.

``PETPLACE_MONEY`` is how many lives are run, at random and longer (400 take a quarter of an hour); without it fifteen
are, always the same.
"""

import contextlib
import datetime as dt
import os
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from payments.domain import calls, charges, events, invoices, payouts, reconciliation, refunds, subjects
from payments.domain.invoices import InvoiceTerms
from payments.gateways.base import GatewayError
from payments.models import (
    AccountKind,
    Dispute,
    Invoice,
    LedgerLine,
    Payment,
    Payout,
    PayoutAccount,
    ReconciliationDifference,
    Refund,
)
from petplace.errors import DomainError
from tests.factories import UserFactory, make_provider
from tests.payments.fake import NAME, FakeGateway, installed
from tests.payments.money import DAY, NOW, balances, broken, clearing, funds, hear, sale

pytestmark = pytest.mark.django_db
ASKED = int(os.environ.get("PETPLACE_MONEY", "0"))
SHARE = st.integers(0, 100)
PICK = st.integers(0, 10**6)
OVERDUE = 7 * DAY


class Money(RuleBasedStateMachine):
    """The people: a payer who clicks, a provider, staff, a bank; and a gateway whose messages come as they like."""

    world: Any = None  # provider by currency, and the payer: made once, outside the examples

    @initialize(currency=st.sampled_from(["EUR", "JPY", "KWD"]))
    def begin(self, currency: str) -> None:
        self.example = transaction.atomic()
        self.example._from_testcase = True  # not a transaction of ours: the gateway may be called in it
        self.example.__enter__()
        self.provider, self.payer = self.world(currency)
        self.currency = currency
        self.gateway = FakeGateway()
        self.patch = installed(self.gateway)
        self.patch.__enter__()
        self.subject = subjects.register(lock=lambda _: None, paid=self.paid, describe=lambda _: {})
        self.heard: list[Any] = []
        self.now = NOW

    def teardown(self) -> None:
        if not hasattr(self, "subject"):
            return
        try:
            self.come_to_rest()
        finally:
            subjects.unregister(self.subject)
            self.patch.__exit__(None, None, None)
            connection.set_rollback(True)
            self.example.__exit__(None, None, None)

    def paid(self, invoice: Invoice, payment: Payment, now: dt.datetime) -> None:
        """The place is taken again for every second one that is late."""
        if invoice.is_void and not invoice.is_issued and invoice.pk % 2:
            invoices.revive(invoice, now=now)

    # --- What people do -------------------------------------------------------------------------

    @rule(
        total=st.integers(1, 10**6), prepay=SHARE, fee=SHARE, tax=SHARE, commission=SHARE, subsidy=st.integers(0, 5000),
        is_manual=st.booleans(),
    )  # fmt: skip
    def book(self, total: int, prepay: int, fee: int, tax: int, commission: int, subsidy: int, is_manual: bool) -> None:
        owner_fee = total * fee // 300
        tax_amount = total * tax // 300
        gross = total - owner_fee - tax_amount + subsidy
        terms = InvoiceTerms(
            2000,
            False,
            tax_amount,
            owner_fee,
            gross * commission // 100,
            subsidy,
            "manual" if is_manual else "automatic",
        )
        sale(
            self.provider, self.payer, total, terms=terms, prepay=total * prepay // 100, currency=self.currency,
            due_at=self.now,
        )  # fmt: skip

    def one(self, rows: Any, pick: int) -> Any:
        found = list(rows.order_by("pk"))
        return found[pick % len(found)] if found else None

    def sale(self, pick: int) -> Invoice | None:
        return self.one(Invoice.objects.filter(kind="sale"), pick)

    def attempt(self, act: Any) -> None:
        """The domain may say no, and the gateway; neither may leave anything behind."""
        with contextlib.suppress(DomainError, GatewayError, ValueError):
            act()

    @rule(pick=PICK)
    def start(self, pick: int) -> None:
        invoice = self.one(Invoice.objects.exclude(kind="credit_note"), pick)
        if invoice:
            self.attempt(lambda: charges.start(invoice, by=self.payer, now=self.now))

    @rule(pick=PICK, is_heard=st.booleans())
    def pay(self, pick: int, is_heard: bool) -> None:
        payment = self.one(Payment.objects.exclude(ref=None), pick)
        if payment:
            self.gateway.pay(payment.ref)
            if is_heard:
                charges.sync(payment, now=self.now)

    @rule(pick=PICK, is_heard=st.booleans())
    def pay_at_once(self, pick: int, is_heard: bool) -> None:
        invoice = self.one(Invoice.objects.exclude(kind="credit_note"), pick)
        if invoice is None:
            return
        try:
            started = charges.start(invoice, by=self.payer, now=self.now)
        except (DomainError, GatewayError):
            return
        self.gateway.pay(started.charge.ref)
        if is_heard:
            charges.sync(started.payment, now=self.now)

    @rule(pick=PICK)
    def accept(self, pick: int) -> None:
        if invoice := self.sale(pick):
            charges.want_capture(invoice, now=self.now)

    @rule(pick=PICK, share=SHARE)
    def end(self, pick: int, share: int) -> None:
        if invoice := self.sale(pick):
            claim = sum(one.claim for one in invoices.family_of(invoice) if one.kind in ("sale", "extra"))
            kept = invoices.keep_only(invoice, keep=claim * share // 100, reason="Cancelled", now=self.now)
            assert kept.kept == claim * share // 100

    @rule(pick=PICK)
    def earn(self, pick: int) -> None:
        if invoice := self.sale(pick):
            invoices.earn(invoice, now=self.now, payout_due_at=self.now + 2 * DAY)

    @rule(pick=PICK)
    def take_cash(self, pick: int) -> None:
        if invoice := self.sale(pick):
            invoices.settle(invoice, now=self.now)

    @rule(pick=PICK, share=SHARE)
    def take_some_cash(self, pick: int, share: int) -> None:
        if invoice := self.sale(pick):
            amount = invoice.outstanding * share // 100
            self.attempt(lambda: invoices.record_cash(invoice, amount=amount, by=self.payer, now=self.now))

    @rule(pick=PICK, total=st.integers(1, 10**6))
    def move(self, pick: int, total: int) -> None:
        if invoice := self.sale(pick):
            line = invoices.Line("base", "Moved", 1, total)
            terms = InvoiceTerms(tax_amount=total // 7, owner_fee=total // 11, commission=total // 5)
            self.attempt(
                lambda: invoices.rewrite(
                    invoice, lines=[line], due_at=self.now, now=self.now, prepay_amount=total // 2, terms=terms
                )
            )

    @rule(pick=PICK, amount=st.integers(1, 50_000))
    def extra(self, pick: int, amount: int) -> None:
        if invoice := self.sale(pick):
            self.attempt(
                lambda: invoices.charge_extra(invoice, description="Bath", amount=amount, by=self.payer, now=self.now)
            )

    @rule(pick=PICK, amount=st.integers(1, 50_000))
    def tip(self, pick: int, amount: int) -> None:
        if invoice := self.sale(pick):
            self.attempt(lambda: invoices.tip(invoice, amount=amount, by=self.payer, now=self.now, tip_until=self.now))

    @rule(pick=PICK, share=SHARE)
    def refund(self, pick: int, share: int) -> None:
        payment = self.one(Payment.objects.filter(state="captured"), pick)
        if payment:
            amount = payment.captured_amount * share // 100
            self.attempt(lambda: refunds.request(payment, amount=amount, by=None, reason="Sorry", now=self.now))

    # --- What happens at the gateway ------------------------------------------------------------

    @rule(pick=PICK, share=SHARE, is_pending=st.booleans())
    def refund_in_dashboard(self, pick: int, share: int, is_pending: bool) -> None:
        payment = self.one(Payment.objects.filter(state="captured", gateway=NAME), pick)
        if payment:
            amount = max(self.gateway.refundable(payment.ref) * share // 100, 1)
            state = "pending" if is_pending else "succeeded"
            self.attempt(lambda: self.gateway.refund_in_dashboard(payment.ref, amount, state=state))

    @rule(pick=PICK)
    def fail_refund(self, pick: int) -> None:
        refs = [one.ref for charge in self.gateway.charges.values() for one in charge.refunds if one.state != "failed"]
        if refs:
            self.gateway.fail_refund(refs[pick % len(refs)])

    @rule(pick=PICK, share=st.integers(1, 100), is_inquiry=st.booleans())
    def dispute(self, pick: int, share: int, is_inquiry: bool) -> None:
        payment = self.one(Payment.objects.filter(state="captured", gateway=NAME), pick)
        if payment and not self.gateway.charges[payment.ref].disputes:
            amount = max(payment.captured_amount * share // 100, 1)
            self.gateway.open_dispute(payment.ref, amount=amount, is_inquiry=is_inquiry)

    @rule(pick=PICK, is_won=st.booleans())
    def decide(self, pick: int, is_won: bool) -> None:
        seen = [d for c in self.gateway.charges.values() for d in c.disputes if d.state not in ("won", "lost")]
        if seen:
            one = seen[pick % len(seen)]
            self.gateway.close_dispute(one.ref, is_won=is_won or not one.fee)  # an inquiry is not lost

    @rule()
    def drop_the_line(self) -> None:
        self.gateway.drops_line = True

    # --- What machines do -----------------------------------------------------------------------

    @rule(limit=st.integers(1, 3))
    def call(self, limit: int) -> None:
        calls.run_due(now=self.now, limit=limit)

    @precondition(lambda self: self.gateway.events)
    @rule(pick=PICK, copies=st.integers(0, 3))
    def deliver(self, pick: int, copies: int) -> None:
        """Any of the events, in any order; no copy means that it is lost."""
        event = self.gateway.events.pop(pick % len(self.gateway.events))
        self.heard.append(event)
        for _ in range(copies):
            events.store(NAME, event, now=self.now)
        events.process_due(now=self.now)

    @precondition(lambda self: self.heard)
    @rule(pick=PICK)
    def deliver_again(self, pick: int) -> None:
        events.store(NAME, self.heard[pick % len(self.heard)], now=self.now)
        events.process_due(now=self.now)

    @rule(days=st.integers(0, 3))
    def pay_out(self, days: int) -> None:
        self.now += days * DAY
        self.gateway.now = self.now
        payouts.collect_due(now=self.now)

    # --- What is always true --------------------------------------------------------------------

    @invariant()
    def is_sound(self) -> None:
        if hasattr(self, "subject"):
            assert broken() == []

    def come_to_rest(self) -> None:
        """Everything is heard in the end, or found when the books are compared. Then both sides agree to the unit."""
        self.now += OVERDUE
        self.gateway.now = self.now
        self.gateway.drops_line = False
        if self.heard:  # the rest of the events is lost
            self.gateway.events.clear()
        for _ in range(5):
            calls.run_due(now=self.now)
            for payment in Payment.objects.exclude(ref=None):
                charges.sync(payment, now=self.now)
            hear(self.gateway, now=self.now)
            self.now += OVERDUE
        reconciliation.run(NAME, since=NOW - DAY, now=self.now)
        assert list(ReconciliationDifference.objects.values_list("kind", "object_kind", "ref", "ours", "theirs")) == []
        assert broken() == []
        assert sum(balances(self.currency).values()) == 0
        # A payout is on the clearing account when it is paid; all of them are.
        assert set(Payout.objects.values_list("state", flat=True)) <= {"paid"}
        assert clearing(self.currency) == self.gateway.balance(self.currency)
        for payment in Payment.objects.filter(state="captured", gateway=NAME):
            charge = self.gateway.charges[payment.ref]
            assert payment.captured_amount == charge.captured
            assert payment.refunded_amount == sum(r.amount for r in charge.refunds if r.state != "failed")
        for invoice in Invoice.objects.exclude(kind="credit_note"):
            self.reconciles(invoice)

    def reconciles(self, invoice: Invoice) -> None:
        """Captured - refunded - lost = what is still the customer's + what the provider, the state and we got."""
        taken = sum(one.captured_amount - one.refunded_amount for one in invoice.payments.all())
        lost = sum(one.amount for one in Dispute.objects.filter(payment__invoice=invoice, state="lost"))
        got = dict.fromkeys(AccountKind, 0)
        for kind, amount in LedgerLine.objects.filter(entry__invoice=invoice, entry__kind="recognition").values_list(
            "account__kind", "amount"
        ):
            got[kind] -= amount
        shares = got["provider_payable"] + got["tax_payable"] + got["tips_payable"] + got["platform_fees"]
        assert taken - lost == funds(invoice) + shares + got["promotions"] + got["disputes"]
        assert sum(
            one.amount for one in Refund.objects.filter(payment__invoice=invoice).exclude(state="failed")
        ) <= sum(one.captured_amount for one in invoice.payments.all())


@pytest.fixture
def world(db: None) -> Any:
    with connection.cursor() as cursor:  # one transaction lasts as long as all the lives
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    payer = UserFactory()
    made = {}
    for currency in ("EUR", "JPY", "KWD"):
        provider = make_provider(currency=currency, name=f"Paws {currency}")
        PayoutAccount.objects.create(provider=provider, gateway=NAME, ref=f"acct_{currency}", is_ready=True)
        made[currency] = provider
    return lambda currency: (made[currency], payer)


def test_every_minor_unit_is_accounted_for(world: Any) -> None:
    machine = type("Machine", (Money,), {"world": staticmethod(world)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=ASKED or 15,
            stateful_step_count=40 if ASKED else 20,
            deadline=None,
            derandomize=not ASKED,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
