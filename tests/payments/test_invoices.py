"""The domain of invoices: the total is the sum of the lines, whatever happens to them."""

import datetime as dt
from itertools import accumulate

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.domain import invoices
from payments.domain.invoices import InvoiceTerms, Line
from payments.models import Invoice, InvoiceLine, InvoiceState, LineKind
from petplace.errors import InvalidTransition
from tests.factories import UserFactory, make_provider

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(days=1)
LINES = (Line(LineKind.NIGHT, "Nights", 3, 4000), Line(LineKind.ADDON, "Bath", 1, 1500))


def written(**options):
    options = {"lines": LINES, "currency": "EUR", "subject": "Boarding", "due_at": NOW} | options
    return invoices.write(provider=make_provider(), payer=UserFactory(), **options)


def lines_of(invoice):
    return list(invoice.lines.values_list("position", "kind", "description", "quantity", "unit_amount", "amount"))


def test_write_sums_the_lines_and_keeps_their_order():
    invoice = written()

    assert (invoice.total, invoice.state, invoice.due_at) == (13_500, InvoiceState.OPEN, NOW)
    assert lines_of(invoice) == [(0, "night", "Nights", 3, 4000, 12_000), (1, "addon", "Bath", 1, 1500, 1500)]


def test_rewrite_replaces_lines_total_and_due_time():
    invoice = invoices.rewrite(written(), lines=[Line(LineKind.BASE, "Walk", 1, 900)], due_at=LATER, now=NOW)

    invoice.refresh_from_db()
    assert (invoice.total, invoice.due_at, invoice.number) == (900, LATER, None)
    assert lines_of(invoice) == [(0, "base", "Walk", 1, 900, 900)]


def kept(invoice, keep, reason="Cancelled late: 50 % back", now=LATER):
    return invoices.keep_only(invoice, keep=keep, reason=reason, now=now)


def test_keeping_a_part_adds_a_line_that_says_why_and_earns_it():
    result = kept(written(), 6750)

    invoice = result.invoice
    assert (result.refund, result.kept, result.outstanding, result.released) == (0, 6750, 6750, 0)
    assert (invoice.total, invoice.state, invoice.number) == (6750, InvoiceState.OPEN, "2026-000001")
    assert (invoice.earned_at, invoice.payout_due_at) == (LATER, LATER + dt.timedelta(days=2))
    assert lines_of(invoice)[2] == (2, "refund", "Cancelled late: 50 % back", 1, -6750, -6750)
    assert sum(line.amount for line in invoice.lines.all()) == invoice.total


def test_keeping_a_part_keeps_that_part_of_a_tax_on_top():
    lines = (Line(LineKind.BASE, "Care", 1, 10_000), Line(LineKind.TAX, "Tax, 19 %", 1, 1900))
    terms = InvoiceTerms(tax_rate_bp=1900, tax_amount=1900)

    invoice = kept(written(lines=lines, terms=terms), 5950).invoice

    assert (invoice.total, invoice.tax_amount) == (5950, 950)
    assert [line[1:3] + line[5:] for line in lines_of(invoice)[2:]] == [
        ("refund", "Cancelled late: 50 % back", -5000),
        ("tax", "Tax, 19 %", -950),
    ]


def credited(total, fee, tax, amounts):
    """Return total, fee and tax of each credit note over ``amounts``."""
    invoice = written(lines=[Line(LineKind.BASE, "Care", 1, total)], terms=InvoiceTerms(owner_fee=fee, tax_amount=tax))
    invoices.issue(invoice, now=NOW)
    for left in accumulate(amounts, int.__sub__, initial=total):
        kept(invoice, left)
    return list(invoice.credit_notes.order_by("pk").values_list("total", "owner_fee", "tax_amount"))


@pytest.mark.parametrize("amounts", [[5000, 5000], [3333, 3333, 3334], [1, 9999], [10_000]])
def test_credit_notes_add_up_to_the_tax_of_what_they_credit(amounts):
    notes = credited(10_000, 0, 1597, amounts)

    assert [note[0] for note in notes] == amounts
    assert sum(note[2] for note in notes) == 1597


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_credit_notes_add_up_whatever_they_are_over(data):
    total = data.draw(st.integers(1, 500))
    fee = data.draw(st.integers(0, total))
    tax = data.draw(st.integers(0, total - fee))
    amounts, left = [], total
    while left:
        amounts.append(data.draw(st.integers(max(1, left // 4), left)))
        left -= amounts[-1]

    notes = credited(total, fee, tax, amounts)

    assert [sum(column) for column in zip(*notes, strict=True)] == [total, fee, tax]
    assert all(fee + tax <= whole for whole, fee, tax in notes)


def test_keeping_less_of_what_has_a_number_writes_a_credit_note():
    invoice = kept(kept(written(), 6750).invoice, 1000, "Once more").invoice

    assert (invoice.total, invoice.credited_amount, invoice.outstanding) == (6750, 5750, 1000)
    note = invoice.credit_notes.get()
    assert (note.total, note.number, note.kind, note.parent) == (5750, "2026-000002", "credit_note", invoice)
    assert lines_of(note) == [(0, "refund", "Once more", 1, 5750, 5750)]


def test_keeping_nothing_voids():
    invoice = kept(written(), 0).invoice

    invoice.refresh_from_db()
    assert (invoice.state, invoice.voided_at, invoice.number) == (InvoiceState.VOID, LATER, None)


def test_keeping_all_changes_nothing():
    invoice = kept(written(), 13_500).invoice

    assert (invoice.total, invoice.lines.count(), invoice.credit_notes.count()) == (13_500, 2, 0)


@pytest.mark.parametrize("keep", [-1, 13_501])
def test_keeping_refuses_what_is_no_part_of_it(keep):
    with pytest.raises(ValueError, match="cannot keep"):
        kept(written(), keep)


def test_settle_pays_once():
    invoice = invoices.settle(written(), now=NOW)

    invoices.settle(invoice, now=LATER)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at, invoice.paid_amount) == (InvoiceState.PAID, NOW, 13_500)
    assert list(invoice.payments.values_list("method", "amount")) == [("cash", 13_500)]


def test_settle_of_nothing_pays_nothing():
    invoice = invoices.settle(written(lines=[]), now=NOW)

    assert (invoice.state, invoice.payments.count()) == (InvoiceState.PAID, 0)


def test_settle_leaves_a_void_one():
    assert invoices.settle(kept(written(), 0).invoice, now=LATER).state == InvoiceState.VOID


def test_a_void_one_does_not_change():
    invoice = kept(written(), 0).invoice

    with pytest.raises(InvalidTransition):
        invoices.rewrite(invoice, lines=LINES, due_at=LATER, now=LATER)
    with pytest.raises(InvalidTransition):
        invoices.issue(invoice, now=LATER)
    assert kept(invoice, 0).refund == 0


def test_database_refuses_a_line_that_does_not_multiply_out():
    invoice = written()

    with pytest.raises(IntegrityError, match="invoice_line_amount_is_product"), transaction.atomic():
        InvoiceLine.objects.filter(invoice=invoice, position=0).update(amount=1)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"total": -1}, "invoice_(total_not_negative|commission_possible)"),
        ({"state": "lost"}, "invoice_state_known"),
        ({"state": "paid"}, "invoice_paid_has_time"),
    ],
)
def test_database_refuses_impossible_invoices(change, constraint):
    written()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Invoice.objects.update(**change)


def test_database_refuses_two_lines_in_one_place():
    invoice = written()

    with pytest.raises(IntegrityError, match="invoice_line_position_once"), transaction.atomic():
        InvoiceLine.objects.filter(invoice=invoice).update(position=0)
