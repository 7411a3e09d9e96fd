"""The ledger against the gateway's own list."""

import datetime as dt

import pytest

from accounts.models import AuditEntry
from payments import tasks
from payments.domain import calls, charges, invoices, reconciliation, refunds
from payments.gateways.base import Movement
from payments.models import LedgerEntry, Payment, ReconciliationDifference, ReconciliationRun, Refund
from petplace.errors import InvalidInput, InvalidTransition
from tests.factories import StaffFactory
from tests.payments.fake import NAME
from tests.payments.money import DAY, NOW, balances, broken, clearing, hear, paid, sale

pytestmark = pytest.mark.django_db
LATER = NOW + dt.timedelta(hours=6)


@pytest.fixture
def payment(fake, provider, payer):
    return paid(fake, sale(provider, payer))


def run(now=LATER):
    return reconciliation.run(NAME, now=now)


def left():
    return list(
        ReconciliationDifference.objects.filter(resolved_at=None).values_list("kind", "object_kind", "ours", "theirs")
    )


def close(difference, by, note="A test of ours"):
    return reconciliation.resolve(difference, by=by, note=note, now=LATER)


def test_books_that_agree_have_no_difference(fake, payment):
    refunds.request(payment, amount=1000, by=None, reason="Sorry", now=NOW)
    hear(fake)
    fake.close_dispute(fake.open_dispute(payment.ref, amount=500), is_won=True)
    hear(fake)

    row = run()

    assert (row.difference_count, row.healed_count, row.error, left()) == (0, 0, "", [])
    assert row.movement_count == len(fake.moves)


def test_what_no_event_told_is_fetched(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    fake.pay(started.charge.ref)

    row = run()

    assert (row.healed_count, row.difference_count, Payment.objects.get().state) == (1, 0, "captured")
    assert clearing() == fake.balance("EUR")


def test_a_refund_in_the_dashboard_that_no_event_told_is_found(fake, payment, provider, payer):
    paid(fake, sale(provider, payer))
    fake.refund_in_dashboard(payment.ref, 700)

    row = run()

    assert (row.healed_count, row.difference_count, Refund.objects.get().amount) == (1, 0, 700)
    assert (clearing(), broken()) == (fake.balance("EUR"), [])


def test_what_is_not_ours_is_shown_once_and_told_to_staff(fake, payment):
    staff = StaffFactory()
    fake.moves.append(Movement("charge", "mv_x", 4200, "EUR", NOW, "ch_stranger"))

    first = run()
    second = reconciliation.run(NAME, since=NOW - DAY, now=LATER + dt.timedelta(hours=1))

    assert (first.difference_count, second.difference_count, left()) == (1, 1, [("missing_here", "charge", None, 4200)])
    assert staff.notifications.filter(kind="reconciliation").count() == 1
    difference = close(ReconciliationDifference.objects.get(), by=staff)
    assert (difference.note, left()) == ("A test of ours", [])
    with pytest.raises(InvalidTransition):
        close(difference, by=staff)
    entry = AuditEntry.objects.get(action="resolve_difference")
    assert (entry.actor, entry.target_uid, entry.reason) == (staff, str(difference.uid), "A test of ours")
    assert entry.after == {"kind": "missing_here", "ours": None, "theirs": 4200}


@pytest.mark.parametrize("note", ["", "  \n"])
def test_a_difference_is_not_closed_without_a_word(fake, payment, note):
    fake.moves.append(Movement("charge", "mv_x", 4200, "EUR", NOW, "ch_stranger"))
    run()

    with pytest.raises(InvalidInput) as caught:
        close(ReconciliationDifference.objects.get(), by=StaffFactory(), note=note)

    assert (caught.value.fields, len(left())) == ({"note": ["Say what you found."]}, 1)
    assert not AuditEntry.objects.filter(action="resolve_difference").exists()


def test_what_the_gateway_does_not_know_is_shown(fake, payment):
    fake.moves.clear()
    fake.charges.clear()

    run()

    assert left() == [("missing_there", "charge", 10_000, None)]


def test_what_the_gateway_lists_on_another_day_is_confirmed_by_asking(fake, payment):
    fake.moves.clear()

    assert run().difference_count == 0


def test_what_was_too_young_for_one_run_is_compared_in_the_next(fake, payment):
    fake.moves.clear()
    fake.charges.clear()

    assert run(NOW + dt.timedelta(minutes=30)).difference_count == 0
    run(NOW + dt.timedelta(minutes=30) + DAY)

    assert left() == [("missing_there", "charge", 10_000, None)]


def test_what_the_gateway_lists_after_one_run_is_compared_in_the_next_and_told_once(fake, payment):
    staff = StaffFactory()
    run(NOW + dt.timedelta(minutes=40))
    fake.moves.append(Movement("charge", "mv_x", 4200, "EUR", NOW, "ch_stranger"))

    run(LATER)
    run(LATER + DAY / 2)

    assert left() == [("missing_here", "charge", None, 4200)]
    assert staff.notifications.filter(kind="reconciliation").count() == 1


@pytest.mark.parametrize("since", [None, NOW - DAY])
def test_what_staff_has_closed_is_not_opened_again(fake, payment, since):
    staff = StaffFactory()
    fake.moves.append(Movement("refund", "mv_x", -4200, "EUR", NOW, "re_stranger"))
    run()
    close(ReconciliationDifference.objects.get(), by=staff)

    row = reconciliation.run(NAME, since=since, now=LATER + DAY / 2)

    assert (row.difference_count, left(), ReconciliationDifference.objects.count()) == (0, [], 1)
    assert staff.notifications.filter(kind="reconciliation").count() == 1


def test_what_comes_after_a_closed_difference_is_another(fake, payment):
    fake.moves.append(Movement("refund", "mv_x", -4200, "EUR", NOW, "re_stranger"))
    run()
    close(ReconciliationDifference.objects.get(), by=StaffFactory())
    fake.moves.append(Movement("refund", "mv_y", 4200, "EUR", LATER, "re_stranger"))

    run(LATER + DAY / 2)

    assert left() == [("missing_here", "refund", None, 4200)]


def test_a_return_is_told_beside_its_open_refund(fake, payment):
    fake.moves.append(Movement("refund", "mv_x", -4200, "EUR", NOW, "re_stranger"))
    run()
    fake.moves.append(Movement("refund", "mv_y", 4200, "EUR", LATER, "re_stranger"))

    run(LATER + DAY / 2)

    assert sorted(left()) == [("missing_here", "refund", None, -4200), ("missing_here", "refund", None, 4200)]


def test_another_amount_is_shown(fake, payment):
    fake.moves = [Movement("charge", "mv_1", 9900, "EUR", NOW, payment.ref)]

    run()

    assert left() == [("amount", "charge", 10_000, 9900)]


def test_a_difference_closes_itself_when_it_is_gone(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    fake.pay(started.charge.ref)
    Payment.objects.update(ref=None)
    run()
    assert len(left()) == 1

    Payment.objects.update(ref=started.charge.ref)
    charges.sync(Payment.objects.get(), now=LATER)
    run(LATER + DAY / 2)

    assert left() == []
    assert ReconciliationDifference.objects.get().note == "Found in the meantime."
    assert not AuditEntry.objects.filter(action="resolve_difference").exists()


def test_fees_are_posted_from_the_list_once(fake, payment):
    fake.moves.append(Movement("fee", "mv_fee", -290, "EUR", NOW, payment.ref))

    run()
    run(LATER + dt.timedelta(hours=1))

    assert balances() == {"gateway_clearing": 9710, "customer_funds": -10_000, "gateway_fees": 290}
    assert LedgerEntry.objects.filter(kind="gateway_fee").count() == 1
    assert (fake.balance("EUR"), broken()) == (9710, [])


def test_a_gateway_that_is_away_is_asked_from_there_the_next_time(fake, payment):
    fake.is_down = True
    assert "GatewayUnavailable" in run().error
    fake.is_down = False

    row = run(LATER + DAY)

    assert (row.error, row.until - row.since) == ("", 2 * DAY)
    assert reconciliation.run_daily(now=LATER + 2 * DAY)[0].since == row.until
    assert ReconciliationRun.objects.exclude(finished_at=None).count() == 2


def test_the_tasks_do_it_all(fake, provider, payer):
    """What beat asks for, in the order of a day, with nobody else at work."""
    invoice = sale(provider, payer)
    started = charges.start(invoice, by=payer, now=NOW)
    fake.pay(started.charge.ref)
    Payment.objects.update(created_at=NOW)
    tasks.sync_stale_payments()
    assert Payment.objects.get().state == "captured"
    invoices.keep_only(invoice, keep=0, reason="Cancelled", now=NOW)
    tasks.run_calls()
    tasks.process_events()
    tasks.collect_payouts()
    tasks.reconcile()

    assert (fake.balance("EUR"), Refund.objects.get().state) == (0, "succeeded")
    assert calls.run_due(now=LATER) == calls.Outcome()
