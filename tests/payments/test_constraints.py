"""What the database refuses, whatever the code says."""

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from payments.domain import ledger, promo_codes
from payments.models import (
    AccountKind,
    CommissionRule,
    Dispute,
    EntryKind,
    Expense,
    GatewayCall,
    GatewayEvent,
    Invoice,
    InvoiceSeries,
    LedgerAccount,
    LedgerEntry,
    LedgerLine,
    Payment,
    Payout,
    PayoutAccount,
    PayoutFreeze,
    PayoutItem,
    PromoCode,
    PromoRedemption,
    ReconciliationDifference,
    ReconciliationRun,
    Refund,
)
from tests.factories import make_service
from tests.payments.money import DAY, NOW, sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def invoice(provider, payer):
    return sale(provider, payer)


@pytest.fixture
def payment(invoice):
    return Payment.objects.create(
        invoice=invoice, gateway="fake", amount=100, currency="EUR", state="captured", captured_amount=100,
        captured_at=NOW, ref="ch_1",
    )  # fmt: skip


def refused(name, act):
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        act()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"kind": "x"}, "invoice_(kind_known|children_have_parent)"),
        ({"state": "x"}, "invoice_state_known"),
        ({"credited_amount": -1}, "invoice_credit_possible"),
        ({"credited_amount": 10_001}, "invoice_credit_possible"),
        ({"paid_amount": -1}, "invoice_paid_not_negative"),
        ({"prepay_amount": 10_001}, "invoice_prepay_possible"),
        ({"tax_amount": 6000, "owner_fee": 6000}, "invoice_(parts_within_total|commission_possible)"),
        ({"tax_amount": -1}, "invoice_parts_within_total"),
        ({"commission": 10_001}, "invoice_commission_possible"),
        ({"commission": -1}, "invoice_commission_possible"),
        ({"kind": "tip"}, "invoice_children_have_parent"),
        ({"kind": "credit_note"}, "invoice_(children_have_parent|credit_note_names_other)"),
        ({"number": "2026-000001"}, "invoice_number_with_time"),
        ({"issued_at": NOW}, "invoice_number_with_time"),
        ({"earned_at": NOW}, "invoice_earned_has_due_time"),
    ],
)
def test_impossible_invoices(invoice, change, name):
    refused(name, lambda: Invoice.objects.update(**change))


def test_a_child_names_its_parent_and_a_number_is_given_once(invoice, provider, payer):
    refused("invoice_children_have_parent", lambda: Invoice.objects.update(parent=invoice))
    other = sale(provider, payer)
    Invoice.objects.filter(pk=invoice.pk).update(number="2026-000001", issued_at=NOW)
    again = Invoice.objects.filter(pk=other.pk)
    refused("invoice_number_once", lambda: again.update(number="2026-000001", issued_at=NOW))


def test_a_series_is_one_and_counts_from_one(provider):
    InvoiceSeries.objects.create(provider=provider, year=2026)
    refused("invoice_series_once", lambda: InvoiceSeries.objects.create(provider=provider, year=2026))
    refused("invoice_series_counts_from_one", lambda: InvoiceSeries.objects.update(next=0))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"amount": 0, "captured_amount": 0, "state": "new"}, "payment_amount_positive"),
        ({"state": "x", "captured_amount": 0}, "payment_state_known"),
        ({"refunded_amount": 101}, "payment_sums_possible"),
        ({"refunded_amount": -1}, "payment_sums_possible"),
        ({"captured_amount": 101}, "payment_sums_possible"),
        ({"state": "authorized"}, "payment_captured_has_amount_and_time"),
        ({"captured_at": None}, "payment_captured_has_amount_and_time"),
        ({"captured_amount": 0}, "payment_captured_has_amount_and_time"),
    ],
)
def test_impossible_payments(payment, change, name):
    refused(name, lambda: Payment.objects.update(**change))


def test_one_ref_is_one_payment_and_one_attempt_is_made_at_a_time(payment, invoice):
    fields = {"invoice": invoice, "gateway": "fake", "amount": 1, "currency": "EUR"}
    refused("payment_ref_once", lambda: Payment.objects.create(**fields, state="failed", ref="ch_1"))
    Payment.objects.create(**fields, state="processing")
    refused("payment_one_attempt_at_a_time", lambda: Payment.objects.create(**fields))


def test_impossible_refunds(payment):
    fields = {"payment": payment, "amount": 10, "origin": "staff", "key": "k"}
    Refund.objects.create(**fields, ref="re_1")
    refused("payments_refund_key", lambda: Refund.objects.create(**fields))
    again = fields | {"key": "l"}
    refused("refund_ref_once", lambda: Refund.objects.create(**again, ref="re_1"))
    for change, name in [
        ({"amount": 0}, "refund_amount_positive"),
        ({"state": "x"}, "refund_state_known"),
        ({"origin": "x"}, "refund_origin_known"),
    ]:
        refused(name, lambda change=change: Refund.objects.update(**change))


def test_impossible_disputes(payment):
    Dispute.objects.create(payment=payment, ref="dp_1", amount=10)
    refused("dispute_ref_once", lambda: Dispute.objects.create(payment=payment, ref="dp_1", amount=10))
    refused("dispute_amounts_possible", lambda: Dispute.objects.update(amount=0))
    refused("dispute_amounts_possible", lambda: Dispute.objects.update(fee=-1))
    refused("dispute_state_known", lambda: Dispute.objects.update(state="x"))


def test_impossible_events_and_calls(payment):
    event = {"gateway": "fake", "event_id": "evt_1", "kind": "x", "due_at": NOW}
    GatewayEvent.objects.create(**event)
    refused("gateway_event_once", lambda: GatewayEvent.objects.create(**event))
    refused("gateway_event_state_known", lambda: GatewayEvent.objects.update(state="x"))
    call = {"gateway": "fake", "kind": "void", "key": "k", "due_at": NOW}
    refused("gateway_call_has_object", lambda: GatewayCall.objects.create(**call))
    GatewayCall.objects.create(**call, payment=payment)
    refused("payments_gatewaycall_key", lambda: GatewayCall.objects.create(**call, payment=payment))
    refused("gateway_call_state_known", lambda: GatewayCall.objects.update(state="x"))
    refused("gateway_call_has_object", lambda: GatewayCall.objects.update(kind="refund"))


def test_impossible_payouts(provider, invoice):
    account = PayoutAccount.objects.create(provider=provider, gateway="fake", ref="acct_1")
    refused(
        "payout_account_once",
        lambda: PayoutAccount.objects.create(provider=provider, gateway="fake", ref="acct_2"),
    )
    payout = {"provider": provider, "account": account, "gateway": "fake", "currency": "EUR", "due_at": NOW}
    refused("payout_amount_positive", lambda: Payout.objects.create(**payout, amount=0))
    Payout.objects.create(**payout, amount=1, ref="tr_1")
    refused("payout_ref_once", lambda: Payout.objects.create(**payout, amount=1, ref="tr_1"))
    refused("payout_state_known", lambda: Payout.objects.update(state="x"))
    refused("payout_paid_has_time", lambda: Payout.objects.update(state="paid"))
    refused("payout_freeze_has_reason", lambda: PayoutFreeze.objects.create(invoice=invoice, reason=""))


def test_impossible_rules_of_commission(provider):
    service = make_service()
    CommissionRule.objects.create()
    refused("commission_kind_once", lambda: CommissionRule.objects.create())
    refused("commission_is_a_share", lambda: CommissionRule.objects.update(provider_bp=10_001))
    refused("commission_is_a_share", lambda: CommissionRule.objects.update(owner_bp=10_001))
    refused("commission_cap_has_currency", lambda: CommissionRule.objects.update(cap_amount=1))
    refused("commission_cap_has_currency", lambda: CommissionRule.objects.update(cap_currency="EUR"))
    refused(
        "commission_service_or_kind", lambda: CommissionRule.objects.create(service=service, provider_kind="sitter")
    )


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"amount": 100, "currency": "EUR"}, "promo_percent_or_amount"),
        ({"percent_bp": None}, "promo_percent_or_amount"),
        ({"percent_bp": 0}, "promo_percent_possible"),
        ({"percent_bp": 10_001}, "promo_percent_possible"),
        ({"percent_bp": None, "amount": 100}, "promo_amount_has_currency"),
        ({"minimum_total": 1}, "promo_minimum_has_currency"),
        ({"max_uses": 1, "used_count": 2}, "promo_within_limit"),
        ({"starts_at": NOW, "ends_at": NOW}, "promo_ends_after_start"),
    ],
)
def test_impossible_promo_codes(db, change, name):
    promo_codes.create(code="SPRING", provider=None, percent_bp=1000)

    refused(name, lambda: PromoCode.objects.update(**change))


def test_a_code_is_one_whatever_its_case_and_an_invoice_uses_one(invoice, payer):
    promo = promo_codes.create(code="SPRING", provider=None, percent_bp=1000)
    refused("promo_code_once", lambda: PromoCode.objects.create(code="spring", percent_bp=1))
    PromoRedemption.objects.create(promo=promo, user=payer, invoice=invoice)
    refused("invoice_id", lambda: PromoRedemption.objects.create(promo=promo, user=payer, invoice=invoice))


def test_impossible_expenses_and_runs(provider):
    expense = {"provider": provider, "category": "rent", "currency": "EUR", "on": NOW.date()}
    refused("expense_amount_positive", lambda: Expense.objects.create(**expense, amount=0))
    refused("expense_category_known", lambda: Expense.objects.create(**expense | {"category": "x"}, amount=1))
    refused(
        "reconciliation_ends_after_start", lambda: ReconciliationRun.objects.create(gateway="f", since=NOW, until=NOW)
    )
    run = ReconciliationRun.objects.create(gateway="fake", since=NOW, until=NOW + DAY)
    refused("difference_kind_known", lambda: ReconciliationDifference.objects.create(run=run, kind="x", ref="r"))


# --- The ledger ---------------------------------------------------------------------------------


@pytest.fixture
def entry(db):
    return ledger.transfer(
        EntryKind.CAPTURE, debit=ledger.clearing("fake"), credit=ledger.CUSTOMER_FUNDS, amount=100, key="one",
        currency="EUR", at=NOW,
    )  # fmt: skip


def now_checked():
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_an_entry_that_does_not_sum_to_zero_is_refused_at_the_commit(entry):
    def unbalanced():
        LedgerLine.objects.create(entry=entry, account=entry.lines.first().account, amount=1)
        now_checked()

    refused("does not balance", unbalanced)


def test_an_entry_without_lines_is_refused_at_the_commit(db):
    def empty():
        LedgerEntry.objects.create(kind="capture", key="two", currency="EUR", at=NOW)
        now_checked()

    refused("does not balance", empty)


def test_an_entry_keeps_to_its_currency(entry):
    def mixed():
        other = LedgerEntry.objects.create(kind="capture", key="two", currency="USD", at=NOW)
        for line in entry.lines.all():
            LedgerLine.objects.create(entry=other, account=line.account, amount=line.amount)
        now_checked()

    refused("in another currency", mixed)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE payments_ledgerentry SET memo = 'x'",
        "UPDATE payments_ledgerline SET amount = -amount",
        "DELETE FROM payments_ledgerline",
        "DELETE FROM payments_ledgerentry",
    ],
)
def test_what_is_posted_cannot_be_changed(entry, sql):
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
    assert entry.lines.count() == 2


@pytest.mark.parametrize("table", ["payments_ledgerline", "payments_ledgerentry, payments_ledgerline"])
def test_the_ledger_cannot_be_emptied_unless_a_test_run_says_so(entry, table):
    now_checked()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL petplace.test_run = 'off'")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")


def test_an_entry_is_posted_once_and_a_line_is_not_nothing(entry):
    again = {"debit": ledger.clearing("fake"), "credit": ledger.CUSTOMER_FUNDS, "currency": "EUR", "at": NOW}
    assert ledger.transfer(EntryKind.CAPTURE, amount=100, key="one", **again) is None
    assert ledger.transfer(EntryKind.CAPTURE, amount=0, key="two", **again) is None
    assert LedgerEntry.objects.count() == 1
    refused(
        "payments_ledgerentry_key", lambda: LedgerEntry.objects.create(kind="cash", key="one", currency="EUR", at=NOW)
    )
    refused("ledger_entry_kind_known", lambda: LedgerEntry.objects.create(kind="x", key="y", currency="EUR", at=NOW))
    refused("ledger_line_not_zero", lambda: LedgerLine.objects.create(entry=entry, account_id=1, amount=0))
    with pytest.raises(ValueError, match="does not balance"):
        ledger.post(EntryKind.CAPTURE, key="x", currency="EUR", lines={ledger.CUSTOMER_FUNDS: 1}, at=NOW)


def test_an_account_is_one_and_belongs_to_whom_it_should(entry, provider):
    key = {"kind": "customer_funds", "currency": "EUR"}
    refused("ledger_account_once", lambda: LedgerAccount.objects.create(**key))
    refused("ledger_account_provider_fits", lambda: LedgerAccount.objects.create(**key, provider=provider))
    refused("ledger_account_provider_fits", lambda: LedgerAccount.objects.create(kind="cash", currency="EUR"))
    refused("ledger_account_", lambda: LedgerAccount.objects.create(kind="x", currency="EUR"))


def test_an_item_is_of_one_entry_and_not_nothing(entry, invoice, provider):
    item = {"provider": provider, "invoice": invoice, "entry": entry, "currency": "EUR", "due_at": NOW}
    refused("payout_item_not_zero", lambda: PayoutItem.objects.create(**item, amount=0))
    PayoutItem.objects.create(**item, amount=1)
    refused("entry_id", lambda: PayoutItem.objects.create(**item, amount=1))
    assert ledger.balance(AccountKind.CUSTOMER_FUNDS, "EUR") == -100
