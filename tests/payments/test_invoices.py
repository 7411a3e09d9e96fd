"""The domain of invoices: the total is the sum of the lines, whatever happens to them."""

import datetime as dt

import pytest
from django.db import IntegrityError, transaction

from payments.domain import invoices
from payments.domain.invoices import Line
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
    invoice = invoices.rewrite(written(), lines=[Line(LineKind.BASE, "Walk", 1, 900)], due_at=LATER)

    invoice.refresh_from_db()
    assert (invoice.total, invoice.due_at) == (900, LATER)
    assert lines_of(invoice) == [(0, "base", "Walk", 1, 900, 900)]


def test_reduce_to_adds_a_line_that_says_why():
    invoice = invoices.reduce_to(written(), keep=6750, reason="Cancelled late: 50 % back", now=LATER)

    assert (invoice.total, invoice.state) == (6750, InvoiceState.OPEN)
    assert lines_of(invoice)[2] == (2, "refund", "Cancelled late: 50 % back", 1, -6750, -6750)
    assert sum(line.amount for line in invoice.lines.all()) == invoice.total


def test_reduce_to_twice_keeps_summing_up():
    invoice = invoices.reduce_to(written(), keep=6750, reason="First", now=LATER)
    invoice = invoices.reduce_to(invoice, keep=1000, reason="Second", now=LATER)

    assert sum(line.amount for line in invoice.lines.all()) == invoice.total == 1000


def test_reduce_to_nothing_voids():
    invoice = invoices.reduce_to(written(), keep=0, reason="Free", now=LATER)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.voided_at) == (InvoiceState.VOID, LATER)


def test_reduce_to_all_changes_nothing():
    invoice = invoices.reduce_to(written(), keep=13_500, reason="No refund", now=LATER)

    assert (invoice.total, invoice.lines.count()) == (13_500, 2)


@pytest.mark.parametrize("keep", [-1, 13_501])
def test_reduce_to_refuses_what_is_no_part_of_it(keep):
    with pytest.raises(ValueError, match="cannot keep"):
        invoices.reduce_to(written(), keep=keep, reason="?", now=LATER)


def test_settle_pays_once():
    invoice = invoices.settle(written(), now=NOW)

    invoices.settle(invoice, now=LATER)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_at) == (InvoiceState.PAID, NOW)


def test_settle_leaves_a_void_one():
    invoice = invoices.reduce_to(written(), keep=0, reason="Free", now=LATER)

    assert invoices.settle(invoice, now=LATER).state == InvoiceState.VOID


@pytest.mark.parametrize("state", [InvoiceState.PAID, InvoiceState.VOID])
def test_closed_invoices_do_not_change(state):
    invoice = written()
    Invoice.objects.update(state=state, paid_at=NOW)

    with pytest.raises(InvalidTransition):
        invoices.reduce_to(invoice, keep=0, reason="?", now=LATER)
    with pytest.raises(InvalidTransition):
        invoices.rewrite(invoice, lines=LINES, due_at=LATER)

    assert lines_of(invoice) == lines_of(invoice)[:2]
    assert Invoice.objects.get().total == 13_500


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
