"""The figures of a provider: counted from the ledger, so that they cannot tell anything else."""

import datetime as dt
from typing import Any

import pytest
from django.db.models import Sum

from accounts.models import User
from payments.domain import expenses, finance, invoices, payouts, refunds
from payments.domain.invoices import InvoiceTerms, Line
from payments.models import Invoice, InvoiceState, LedgerLine, LineKind, PayoutAccount, PayoutItem
from petplace.errors import InvalidInput
from providers.models import Provider
from tests.factories import make_branch, make_provider
from tests.payments.steps import DEC, NOV, TERMS, earn, make_business, make_sale, manager_of, owe, pay
from tests.queries import queries_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _gateways(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]


@pytest.fixture
def provider() -> Provider:
    """Who earned 100.00 in November; in December a tip of 5.00, 25.00 given back, 12.00 spent."""
    provider = make_business()
    sale = make_sale(provider)
    payment = pay(sale)
    earn(sale)
    tip = invoices.tip(sale, amount=500, by=sale.payer, now=DEC, tip_until=DEC)
    pay(tip, now=DEC)
    refunds.request(payment, amount=2500, by=None, reason="Rain", now=DEC)
    spend(provider, 1200, DEC.date())
    return provider


def spend(provider: Provider, amount: int, on: dt.date, category: str = "supplies") -> None:
    expenses.add(provider, category=category, amount=amount, on=on, by=manager_of(provider), now=DEC)


def columns(figures: finance.Figures) -> tuple[int, ...]:
    return (
        figures.revenue, figures.refunds, figures.fees, figures.tax, figures.tips, figures.expenses, figures.profit,
    )  # fmt: skip


def by_label(statement: finance.Statement) -> dict[str, tuple[int, ...]]:
    return {one.label: columns(one.figures) for one in statement.periods if one.figures.has_any}


def test_months_hold_what_was_earned_in_them(provider: Provider) -> None:
    statement = finance.statement(provider, by="month", year=2026)

    assert len(statement.periods) == 12
    assert by_label(statement) == {
        "2026-11": (10_000, 0, 1000, 1597, 0, 0, 7403),
        "2026-12": (0, 2500, -250, -399, 500, 1200, -2551),
    }
    assert columns(statement.total) == (10_000, 2500, 750, 1198, 500, 1200, 4852)
    assert statement.total.returned == 2500


@pytest.mark.parametrize(
    ("by", "count", "labels"),
    [("quarter", 4, {"2026-Q4"}), ("year", 5, {"2026"}), ("month", 12, {"2026-11", "2026-12"})],
)
def test_every_grouping_sums_to_the_same(provider: Provider, by: str, count: int, labels: set[str]) -> None:
    statement = finance.statement(provider, by=by, year=2026)

    assert (len(statement.periods), set(by_label(statement))) == (count, labels)
    assert columns(statement.total) == (10_000, 2500, 750, 1198, 500, 1200, 4852)


def test_profit_is_what_the_ledger_owes_the_provider_less_tax_and_expenses(provider: Provider) -> None:
    credit = LedgerLine.objects.filter(
        account__provider=provider, account__kind__in=["provider_payable", "tips_payable"]
    ).aggregate(sum=Sum("amount"))["sum"]

    assert finance.statement(provider, by="year", year=2026).total.profit == -credit - 1200


def test_promo_codes_of_the_platform_are_revenue_and_owner_fees_are_fees() -> None:
    provider = make_business()
    lines = [Line(LineKind.BASE, "Walk", 1, 9000), Line(LineKind.DISCOUNT, "Code", 1, -1000)]
    lines += [Line(LineKind.SERVICE_FEE, "Service fee", 1, 400)]
    sale = make_sale(provider, lines=lines, prepay_amount=8400, terms=InvoiceTerms(owner_fee=400, subsidy=1000))
    pay(sale)
    earn(sale)

    assert by_label(finance.statement(provider, by="month", year=2026)) == {
        "2026-11": (9400, 0, 400, 0, 0, 0, 9000)
    }  # fmt: skip


def test_cash_at_the_visit_is_revenue_too() -> None:
    provider = make_business()
    sale = owe(provider)
    assert by_label(finance.statement(provider, by="month", year=2026)) == {}

    invoices.settle(sale, now=DEC)

    assert by_label(finance.statement(provider, by="month", year=2026)) == {"2026-12": (2500, 0, 0, 0, 0, 0, 2500)}


def test_what_went_back_before_the_visit_was_never_revenue() -> None:
    provider = make_business()
    sale = make_sale(provider)
    pay(sale)
    invoices.keep_only(sale, keep=0, reason="Cancelled", now=DEC)

    statement = finance.statement(provider, by="month", year=2026)

    assert columns(statement.total) == (0, 0, 0, 0, 0, 0, 0)
    assert statement.total.returned == 10_000


def test_months_end_by_the_clock_of_the_first_branch() -> None:
    provider = make_provider(currency="KZT")
    make_branch(provider, time_zone="Asia/Almaty", city="Almaty", country="KZ", latitude=43.2, longitude=76.9)
    sale = make_sale(provider, currency="KZT")
    late = dt.datetime(2026, 12, 31, 20, tzinfo=dt.UTC)  # 01:00 of the new year there
    pay(sale, now=late)
    earn(sale, now=late)

    assert by_label(finance.statement(provider, by="month", year=2026)) == {}
    assert set(by_label(finance.statement(provider, by="month", year=2027))) == {"2027-01"}
    assert finance.this_year(provider, late) == 2027


def test_figures_of_another_provider_are_not_counted(provider: Provider) -> None:
    other = make_business()
    sale = make_sale(other)
    pay(sale)
    earn(sale)
    spend(other, 99, DEC.date())

    assert finance.statement(provider, by="year", year=2026).total.revenue == 10_000
    assert by_label(finance.statement(make_business(), by="month", year=2026)) == {}


def test_spent_is_grouped_by_category_the_largest_first(provider: Provider) -> None:
    spend(provider, 5000, DEC.date(), "rent")
    spend(provider, 300, DEC.date())

    assert finance.statement(provider, by="year", year=2026).spent == [("rent", 5000), ("supplies", 1500)]


def test_receivables_tell_what_is_late_from_what_is_to_come(provider: Provider) -> None:
    late, part = owe(provider, due_at=NOV), owe(provider, due_at=NOV + dt.timedelta(days=3), total=4000)
    owe(provider, due_at=DEC + dt.timedelta(days=30), total=700)
    invoices.record_cash(part, amount=1500, by=manager_of(provider), now=DEC)

    found = finance.receivables(provider, now=DEC)

    assert found == finance.Receivables(due=5000, due_count=2, later=700, later_count=1, oldest_at=NOV)
    assert [one.left for one in finance.owed(provider)] == [2500, 2500, 700]
    assert finance.owed(provider).first() == late


def test_receivables_leave_out_tips_drafts_and_what_is_paid() -> None:
    provider = make_business()
    make_sale(provider)
    sale = make_sale(provider)
    pay(sale)
    earn(sale)
    invoices.tip(sale, amount=500, by=sale.payer, now=DEC, tip_until=DEC)

    assert finance.receivables(provider, now=DEC) == finance.Receivables(0, 0, 0, 0, None)


def test_payouts_ahead_keep_frozen_money_apart(provider: Provider) -> None:
    sale = make_sale(provider)
    pay(sale)
    earn(sale)
    by = manager_of(provider)
    payouts.freeze(sale, reason="The dog came back wet", by=by, now=DEC)
    payouts.freeze(sale, reason="And late", by=by, now=DEC)

    ahead = finance.payouts_ahead(provider, now=DEC)

    first = 9000 + 500 - 2250  # the first sale with its tax, its tip, less what went back
    assert (ahead.balance, ahead.waiting, ahead.frozen_amount) == (first + 9000, first, 9000)
    assert [(one.reason, one.amount) for one in ahead.frozen] == [("The dog came back wet", 9000), ("And late", 0)]
    assert ahead.next_at == NOV + dt.timedelta(days=2)
    payouts.unfreeze(sale, by=by, now=DEC)
    assert finance.payouts_ahead(provider, now=DEC).frozen == []


def test_payouts_ahead_are_less_after_a_payout(provider: Provider) -> None:
    PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref="sbxacct_1", is_ready=True)
    payouts.collect_due(now=DEC + dt.timedelta(days=3))

    ahead = finance.payouts_ahead(provider, now=DEC + dt.timedelta(days=3))

    assert (ahead.balance, ahead.waiting, ahead.next_at) == (0, 0, None)


def test_cash_taken_ahead_is_no_debt_before_the_visit() -> None:
    provider = make_business()
    sale = make_sale(provider, state=InvoiceState.OPEN, prepay_amount=0)
    invoices.record_cash(sale, amount=10_000, by=manager_of(provider), now=NOV)

    before = [finance.payouts_ahead(provider, now=NOV).balance, payouts.balance(provider, "EUR")]
    earn(sale)
    after = [finance.payouts_ahead(provider, now=NOV).balance, payouts.balance(provider, "EUR")]

    assert (before, after) == ([0, 0], [-1000, -1000])
    assert finance.payouts_ahead(provider, now=NOV).waiting == -1000  # the fee, settled with the next visits


def test_balance_is_what_the_items_of_earned_families_say(provider: Provider) -> None:
    """Beside cash ahead of another visit: a tip, a refund, an extra charge in cash, and all of it after a payout."""
    by = manager_of(provider)
    coming = make_sale(provider, state=InvoiceState.OPEN, prepay_amount=0)
    invoices.record_cash(coming, amount=10_000, by=by, now=DEC)
    sale = Invoice.objects.get(provider=provider, kind="sale", earned_at__isnull=False)
    extra = invoices.charge_extra(sale, description="Bath", amount=1200, by=by, now=DEC)
    invoices.record_cash(extra, amount=1200, by=by, now=DEC)

    owed = sum(PayoutItem.objects.filter(provider=provider).values_list("amount", flat=True))
    before = payouts.balance(provider, "EUR")
    PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref="sbxacct_1", is_ready=True)
    payout = payouts.collect_due(now=DEC + dt.timedelta(days=3))[0]

    assert (before, payout.amount) == (owed, owed)
    assert owed == 9000 + 500 - 2250 - extra.commission
    assert payouts.balance(provider, "EUR") == 0


def test_statement_asks_the_same_however_much_there_is(provider: Provider) -> None:
    def ask() -> None:
        finance.statement(provider, by="month", year=2026)
        finance.receivables(provider, now=DEC)
        finance.payouts_ahead(provider, now=DEC)

    before = len(queries_of(ask))
    for _ in range(4):
        sale = make_sale(provider)
        pay(sale)
        earn(sale)
        payouts.freeze(sale, reason="x", by=manager_of(provider), now=DEC)
        owe(provider)
        spend(provider, 5, DEC.date(), "rent")

    assert len(queries_of(ask)) == before == 10


# --- Expenses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"category": "nonsense"}, "category"),
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": expenses.MAX_AMOUNT + 1}, "amount"),
        ({"on": dt.date(1999, 12, 31)}, "on"),
        ({"on": DEC.date() + dt.timedelta(days=400)}, "on"),
        ({"note": "x" * 301}, "note"),
    ],
)
def test_expense_refuses_what_cannot_be(wrong: dict[str, Any], field: str) -> None:
    provider = make_business()
    values: dict[str, Any] = {"category": "rent", "amount": 100, "on": DEC.date()} | wrong

    with pytest.raises(InvalidInput) as refused:
        expenses.add(provider, by=manager_of(provider), now=DEC, **values)

    assert list(refused.value.fields) == [field]


def test_expense_change_keeps_what_is_left_out() -> None:
    provider = make_business()
    by: User = manager_of(provider)
    expense = expenses.add(provider, category="rent", amount=100, on=DEC.date(), note=" Hall ", by=by, now=DEC)

    expense = expenses.change(expense, amount=250, now=DEC)

    assert (expense.category, expense.amount, expense.note, expense.on) == ("rent", 250, "Hall", DEC.date())


def test_tax_terms_of_the_test_are_those_of_the_rate() -> None:
    assert TERMS.tax_amount == round(10_000 * 1900 / 11_900)
