"""What must be true of money is seen when it is not: each figure is changed behind the domain's back."""

import pytest
from django.db import connection

from payments.domain import invoices
from payments.models import Invoice
from tests.payments.money import DAY, NOW, broken, hear, paid, sale

pytestmark = pytest.mark.django_db

COUNTED = "an invoice's paid amount is what its payments say"
FUNDS = "of an earned invoice nothing but an overpayment is left in the customers' funds, of another all that was paid"
STATE = "a paid invoice has nothing outstanding, an open one has"
RETURNED = "no payment gives back more than it took"


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


@pytest.fixture
def sold(fake, provider, payer):
    """One that is earned, one that is not, and one whose payment was lost to the payer's bank."""
    earned, ahead, disputed = (paid(fake, sale(provider, payer)) for _ in range(3))
    invoices.earn(earned.invoice, now=NOW, payout_due_at=NOW + DAY)
    ref = fake.open_dispute(disputed.ref)
    fake.close_dispute(ref, is_won=False)
    hear(fake)
    return [Invoice.objects.get(pk=payment.invoice_id) for payment in (earned, ahead, disputed)]


def test_books_of_the_domain_are_whole(sold):
    assert [invoice.paid_amount for invoice in sold] == [10_000, 10_000, 0]
    assert broken() == []


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("UPDATE payments_invoice SET paid_amount = paid_amount + 1 WHERE id = {id}", COUNTED),
        ("UPDATE payments_payment SET refunded_amount = 1 WHERE invoice_id = {id}", RETURNED),
    ],
)
def test_a_figure_that_was_changed_is_found(sold, change, found, number):
    execute(change.format(id=sold[number].pk))

    assert found in "\n".join(broken())


def test_money_that_the_ledger_does_not_know_is_found(sold):
    execute(f"UPDATE payments_payment SET captured_amount = captured_amount - 1 WHERE invoice_id = {sold[1].pk}")

    found = "\n".join(broken())
    assert COUNTED in found
    assert FUNDS in found


def test_a_state_that_its_figures_do_not_bear_is_found(sold):
    execute(f"UPDATE payments_invoice SET state = 'open' WHERE id = {sold[1].pk}")

    assert STATE in "\n".join(broken())
