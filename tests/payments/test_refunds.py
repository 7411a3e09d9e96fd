"""Giving money back: by hand, at the gateway, after failures; and what disputes take."""

import pytest

from accounts.models import AuditEntry
from payments.domain import calls, charges, disputes, invoices, refunds, returning, subjects
from payments.domain.invoices import Line
from payments.gateways.base import GatewayPaused, RefundSeen
from payments.models import Dispute, GatewayCall, Invoice, LineKind, Payment, PayoutFreeze, Refund
from petplace.errors import InvalidInput, InvalidTransition
from tests.factories import StaffFactory
from tests.payments.fake import FEE
from tests.payments.money import DAY, NOW, balances, broken, hear, paid, sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def payment(fake, provider, payer):
    return paid(fake, sale(provider, payer))


def give_back(payment, amount, now=NOW):
    return refunds.request(payment, amount=amount, by=None, reason="Sorry", now=now)


def test_a_refund_is_posted_at_once_and_made_after(fake, payment):
    refund = give_back(payment, 4000)

    assert (refund.state, balances()) == ("waiting", {"gateway_clearing": 6000, "customer_funds": -6000})
    hear(fake)
    refund.refresh_from_db()
    assert (refund.state, refund.ref, refund.done_at, fake.balance("EUR")) == ("succeeded", "re_4", NOW, 6000)
    invoice = Invoice.objects.get(kind="sale")
    assert (invoice.state, invoice.paid_amount, invoice.credited_amount) == ("paid", 6000, 4000)
    assert invoice.credit_notes.get().number == "2026-000002"
    assert broken() == []


def test_all_that_is_given_back_voids(fake, payment):
    give_back(payment, 10_000)
    hear(fake)

    assert Invoice.objects.get(kind="sale").state == "void"
    assert (balances(), broken()) == ({}, [])


@pytest.mark.parametrize("first", [5000, 10_000])
def test_never_more_than_was_taken(fake, payment, first):
    give_back(payment, first)

    with pytest.raises(returning.TooMuchToRefundError):
        give_back(payment, 5001)

    assert Payment.objects.get().refunded_amount == first


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_is_no_refund(payment, amount):
    with pytest.raises(InvalidInput):
        give_back(payment, amount)


def test_only_what_was_captured(fake, provider, payer):
    with pytest.raises(InvalidTransition):
        give_back(charges.start(sale(provider, payer), by=payer, now=NOW).payment, 1)


def test_a_dropped_line_is_asked_again_and_gives_back_once(fake, payment):
    give_back(payment, 4000)
    fake.drops_line = True

    assert calls.run_due(now=NOW).later == 1
    assert calls.run_due(now=NOW + DAY).done == 1

    assert (fake.balance("EUR"), Refund.objects.get().state) == (6000, "succeeded")


def test_an_answer_that_was_lost_is_known_when_the_gateway_is_asked(fake, payment):
    """Our own refund, made there without our knowing, is not taken for somebody else's."""
    give_back(payment, 4000)
    fake.drops_line = True
    calls.run_due(now=NOW)

    charges.sync(payment, now=NOW)

    assert list(Refund.objects.values_list("origin", "state", "amount")) == [("staff", "succeeded", 4000)]
    assert calls.run_due(now=NOW + DAY).done == 1
    assert (fake.balance("EUR"), broken()) == (6000, [])


def test_the_same_amount_in_the_dashboard_meanwhile_is_told_apart(fake, payment):
    give_back(payment, 4000)
    fake.is_down = True
    calls.run_due(now=NOW)
    fake.is_down = False
    fake.refund_in_dashboard(payment.ref, 4000)
    charges.sync(payment, now=NOW)
    assert Refund.objects.count() == 1  # taken for ours

    calls.run_due(now=NOW + DAY)

    assert sorted(Refund.objects.values_list("origin", "state")) == [("dashboard", "succeeded"), ("staff", "succeeded")]
    assert (Invoice.objects.get(kind="sale").paid_amount, fake.balance("EUR")) == (2000, 2000)


def test_a_refund_in_the_dashboard_is_seen_and_credited(fake, payment):
    fake.refund_in_dashboard(payment.ref, 2500)

    hear(fake)

    invoice = Invoice.objects.get(kind="sale")
    assert (Refund.objects.get().origin, invoice.state, invoice.credited_amount) == ("dashboard", "paid", 2500)
    assert (balances(), broken()) == ({"gateway_clearing": 7500, "customer_funds": -7500}, [])


def test_ours_gives_way_to_one_in_the_dashboard(fake, payment):
    StaffFactory()
    ours = give_back(payment, 6000)
    fake.refund_in_dashboard(payment.ref, 6000)

    hear(fake)

    ours.refresh_from_db()
    assert (ours.state, GatewayCall.objects.get().state) == ("failed", "failed")
    assert (Payment.objects.get().refunded_amount, fake.balance("EUR"), broken()) == (6000, 4000, [])


def test_a_refund_that_the_gateway_refuses_is_reversed_and_told(fake, payment):
    staff = StaffFactory()
    refund = give_back(payment, 6000)
    fake.refund_in_dashboard(payment.ref, 5000)

    calls.run_due(now=NOW)

    refund.refresh_from_db()
    assert (refund.state, refund.failure) == ("failed", "That is more than is left.")
    assert (Payment.objects.get().refunded_amount, broken()) == (5000, [])
    assert staff.notifications.filter(kind="refund_failed").count() == 1
    # What was credited and not given back waits for staff: it is not tried again by itself.
    invoice = Invoice.objects.get(kind="sale")
    assert (invoice.claim, invoice.paid_amount, invoice.overpaid) == (4000, 5000, 1000)


@pytest.mark.parametrize("is_disputed", [False, True])
def test_what_a_card_does_not_take_back_is_not_booked_as_handed_back_in_cash(fake, provider, payer, is_disputed):
    deposit = paid(fake, sale(provider, payer, prepay=2000))
    invoice = invoices.settle(Invoice.objects.get(), now=NOW)
    if is_disputed:
        fake.open_dispute(deposit.ref)
        hear(fake)
        invoices.keep_only(invoice, keep=8000, reason="A complaint", now=NOW)
    else:
        fake.fail_refund(given_back(fake, deposit, 2000).ref)
        hear(fake)

    assert not Refund.objects.filter(payment__method="cash").exists()
    assert (balances()["cash"], broken()) == (8000, [])


def given_back(fake, payment, amount):
    refund = give_back(payment, amount)
    hear(fake)
    refund.refresh_from_db()
    return refund


def test_a_refund_that_comes_back_later_is_reversed(fake, payment):
    refund = given_back(fake, payment, 4000)

    fake.fail_refund(refund.ref)
    hear(fake)
    hear(fake)

    refund.refresh_from_db()
    assert (refund.state, balances()) == ("failed", {"gateway_clearing": 10_000, "customer_funds": -10_000})
    assert (fake.balance("EUR"), broken()) == (10_000, [])
    assert give_back(payment, 4000).state == "waiting"  # by hand


def test_a_failed_one_in_the_dashboard_that_we_see_too_late(fake, payment):
    fake.fail_refund(fake.refund_in_dashboard(payment.ref, 4000).ref)

    hear(fake)

    assert (Refund.objects.get().state, Payment.objects.get().refunded_amount) == ("failed", 0)
    assert (Invoice.objects.get(kind="sale").credited_amount, broken()) == (4000, [])


def test_cash_is_handed_back(fake, provider, payer):
    invoice = invoices.settle(sale(provider, payer, prepay=0), now=NOW)

    refund = give_back(invoice.payments.get(), 3000)

    assert (refund.state, balances()) == ("succeeded", {"cash": 7000, "customer_funds": -7000})
    assert (fake.asked, broken()) == ([], [])


def test_cancelling_gives_back_by_the_terms(fake, payment):
    kept = invoices.keep_only(payment.invoice, keep=3000, reason="Cancelled late", now=NOW)
    hear(fake)

    assert (kept.refund, kept.kept, kept.outstanding) == (7000, 3000, 0)
    assert Refund.objects.values_list("origin", "amount", "state").get() == ("policy", 7000, "succeeded")
    assert balances() == {"gateway_clearing": 3000, "provider_payable": -3000}
    assert broken() == []


def test_what_is_paid_on_an_extra_counts_for_what_is_kept(fake, provider, payer):
    """Nobody is refunded on one invoice and dunned on the other."""
    invoice = sale(provider, payer, prepay=0)
    extra = invoices.charge_extra(invoice, description="Bath", amount=2000, by=payer, now=NOW)
    paid(fake, extra)

    kept = invoices.keep_only(invoice, keep=5000, reason="Late", now=NOW)

    assert (kept.refund, kept.outstanding) == (0, 3000)
    assert [one.claim for one in invoices.family_of(invoice)[:2]] == [3000, 2000]
    assert broken() == []


def test_extras_that_nobody_paid_end_with_the_sale(fake, provider, payer):
    invoice = sale(provider, payer, prepay=0)
    invoices.charge_extra(invoice, description="Bath", amount=2000, by=payer, now=NOW)

    invoices.keep_only(invoice, keep=0, reason="Cancelled", now=NOW)

    assert [one.state for one in invoices.family_of(invoice)] == ["void", "void"]


# --- Moved: the price changes -------------------------------------------------------------------


def test_a_lower_price_after_paying_is_credited_and_refunded(fake, payment):
    lines = [Line(LineKind.BASE, "Shorter", 1, 6000)]

    invoices.rewrite(payment.invoice, lines=lines, due_at=NOW, now=NOW, reason="Moved")
    hear(fake)

    invoice = Invoice.objects.get(kind="sale")
    assert (invoice.total, invoice.claim, invoice.state, fake.balance("EUR")) == (10_000, 6000, "paid", 6000)
    assert broken() == []


def test_a_higher_price_after_paying_is_an_extra_and_goes_first_when_it_falls_again(fake, payment):
    invoice = payment.invoice

    def move(total):
        lines = [Line(LineKind.BASE, "A visit", 1, total)]
        invoices.rewrite(invoice, lines=lines, due_at=NOW, now=NOW, reason="Moved")
        return [(one.kind, one.claim, one.state) for one in invoices.family_of(invoice) if not one.is_credit_note]

    assert move(12_500) == [("sale", 10_000, "paid"), ("extra", 2500, "open")]
    assert move(11_000) == [("sale", 10_000, "paid"), ("extra", 1000, "open")]
    assert move(9000) == [("sale", 9000, "paid"), ("extra", 0, "void")]
    assert move(9500) == [("sale", 9000, "paid"), ("extra", 0, "void"), ("extra", 500, "open")]
    hear(fake)
    assert (fake.balance("EUR"), broken()) == (9000, [])


# --- Disputes -----------------------------------------------------------------------------------


def test_a_dispute_takes_the_money_and_freezes_the_payout(fake, payment):
    staff = StaffFactory()
    subject = subjects.register(lock=lambda _: None, paid=lambda *_: None, describe=lambda _: {"timeline": "12:00"})
    try:
        fake.open_dispute(payment.ref)
        hear(fake)
    finally:
        subjects.unregister(subject)

    dispute = Dispute.objects.get()
    assert (dispute.state, dispute.amount, dispute.fee) == ("open", 10_000, FEE)
    assert (dispute.evidence["timeline"], "100.00" in dispute.evidence["paid"]) == ("12:00", True)
    assert balances() == {"gateway_clearing": -FEE, "customer_funds": -10_000, "disputes": 10_000 + FEE}
    assert (PayoutFreeze.objects.active(NOW).get().dispute, fake.balance("EUR")) == (dispute, -FEE)
    assert staff.notifications.filter(kind="dispute_opened").count() == 1


@pytest.mark.parametrize("is_won", [True, False])
def test_a_dispute_that_is_decided(fake, payment, is_won):
    ref = fake.open_dispute(payment.ref)
    hear(fake)

    fake.close_dispute(ref, is_won=is_won)
    hear(fake)
    hear(fake)

    invoice = Invoice.objects.get()
    if is_won:
        assert balances() == {"gateway_clearing": 10_000 - FEE, "customer_funds": -10_000, "disputes": FEE}
        assert invoice.state == "paid"
    else:
        assert balances() == {"gateway_clearing": -FEE, "disputes": FEE}
        assert (invoice.state, invoice.outstanding) == ("open", 10_000)
    assert not PayoutFreeze.objects.active(NOW).exists()
    assert (fake.balance("EUR"), broken()) == (balances().get("gateway_clearing"), [])


@pytest.mark.parametrize("is_won", [True, False])
def test_a_dispute_that_is_first_seen_when_it_is_decided(fake, payment, is_won):
    fake.close_dispute(fake.open_dispute(payment.ref), is_won=is_won)

    hear(fake)

    assert (fake.balance("EUR"), broken()) == (balances()["gateway_clearing"], [])


def test_while_a_dispute_is_open_nothing_is_refunded(fake, payment):
    ref = fake.open_dispute(payment.ref)
    hear(fake)

    with pytest.raises(returning.DisputedError):
        give_back(payment, 1000)
    invoices.keep_only(payment.invoice, keep=0, reason="Cancelled", now=NOW)
    assert Refund.objects.count() == 0

    fake.close_dispute(ref, is_won=True)
    hear(fake)

    assert (Refund.objects.get().amount, fake.balance("EUR"), broken()) == (10_000, -FEE, [])


def test_a_lost_dispute_leaves_nothing_to_refund(fake, payment):
    fake.close_dispute(fake.open_dispute(payment.ref, amount=7000), is_won=False)
    hear(fake)

    with pytest.raises(returning.TooMuchToRefundError):
        give_back(payment, 3001)
    give_back(payment, 3000)
    hear(fake)

    assert (fake.balance("EUR"), broken()) == (-FEE, [])


def test_an_inquiry_moves_nothing_and_can_be_ended_by_a_refund(fake, payment):
    ref = fake.open_dispute(payment.ref, is_inquiry=True)
    hear(fake)
    assert balances() == {"gateway_clearing": 10_000, "customer_funds": -10_000}

    give_back(payment, 10_000)
    fake.close_dispute(ref, is_won=True)
    hear(fake)

    assert (balances(), fake.balance("EUR"), broken()) == ({}, 0, [])


def test_the_bank_takes_more_than_is_left(fake, payment):
    """Refunded in part, then disputed in full and lost: the rest is the platform's loss, not the provider's."""
    invoices.earn(payment.invoice, now=NOW, payout_due_at=NOW + DAY)
    give_back(payment, 6000)
    hear(fake)
    fake.close_dispute(fake.open_dispute(payment.ref, amount=10_000), is_won=False)
    hear(fake)

    assert balances() == {"gateway_clearing": -6000 - FEE, "disputes": 6000 + FEE}
    assert (fake.balance("EUR"), broken()) == (-6000 - FEE, [])


def test_evidence_is_sent_once(fake, payment):
    fake.open_dispute(payment.ref)
    hear(fake)
    staff = StaffFactory()
    dispute = disputes.submit(Dispute.objects.get(), by=staff, words="We walked the dog.", now=NOW)

    hear(fake)

    dispute.refresh_from_db()
    assert (dispute.state, dispute.submitted_at) == ("submitted", NOW)
    assert fake.keys[f"evidence:{dispute.uid}"]["words"] == "We walked the dog."
    with pytest.raises(InvalidTransition):
        disputes.submit(dispute, by=staff, now=NOW)
    entry = AuditEntry.objects.get(action="dispute_answer")
    assert (entry.actor, entry.target_uid, entry.at, entry.reason) == (staff, str(dispute.uid), NOW, "")
    assert entry.before == {"state": "open"}
    assert entry.after == {"state": "submitted", "amount": 10_000, "currency": "EUR"}


# --- Calls --------------------------------------------------------------------------------------


def test_a_call_waits_longer_each_time_and_then_says_so(fake, payment):
    staff = StaffFactory()
    give_back(payment, 1000)
    fake.is_down = True
    waits, now = [], NOW
    for _ in range(calls.LOUD_AFTER):
        calls.run_due(now=now)
        call = GatewayCall.objects.get()
        waits.append((call.due_at - now).total_seconds())
        now = call.due_at

    assert waits[:4] == [15, 30, 60, 120]
    assert waits[-1] == 600
    assert staff.notifications.filter(kind="call_waits").count() == 1
    calls.send_again(call, by=staff, now=NOW)
    fake.is_down = False
    assert calls.run_due(now=NOW).done == 1
    with pytest.raises(InvalidTransition):
        calls.send_again(call, by=staff, now=NOW)
    entry = AuditEntry.objects.get(action="call_retry")
    assert (entry.actor, entry.target_uid, entry.at) == (staff, str(call.uid), NOW)
    assert entry.before == {"state": "waiting", "attempts": calls.LOUD_AFTER}
    assert entry.after == {"state": "waiting", "kind": "refund"}


def test_a_call_in_other_hands_is_left(fake, payment):
    give_back(payment, 1000)
    GatewayCall.objects.update(leased_until=NOW + DAY)

    assert calls.run_due(now=NOW) == calls.Outcome()


def test_a_bug_in_one_call_does_not_stop_the_rest(fake, payment, monkeypatch, caplog):
    give_back(payment, 1000)
    give_back(payment, 2000)
    monkeypatch.setitem(calls.ACTS, "refund", lambda call, now: str(1 // (call.amount - 1000)))

    outcome = calls.run_due(now=NOW)

    assert (outcome.later, outcome.done) == (1, 1)
    assert "could not be made" in caplog.text


def test_a_capture_that_is_refused_is_looked_at(fake, provider, payer):
    staff = StaffFactory()
    terms = invoices.InvoiceTerms(capture_method="manual")
    payment = paid(fake, sale(provider, payer, terms=terms))
    charges.want_capture(payment.invoice, now=NOW)
    fake.void(payment.ref, key="elsewhere")

    assert calls.run_due(now=NOW).failed == 1

    payment.refresh_from_db()
    assert (payment.state, GatewayCall.objects.get().state) == ("voided", "failed")
    assert staff.notifications.filter(kind="call_failed").count() == 1


def test_a_release_that_comes_too_late_is_a_refund(fake, provider, payer):
    terms = invoices.InvoiceTerms(capture_method="manual")
    payment = paid(fake, sale(provider, payer, terms=terms))
    charges.want_capture(payment.invoice, now=NOW)
    fake.drops_line = True
    calls.run_due(now=NOW)  # captured there, not known here

    invoices.keep_only(payment.invoice, keep=0, reason="Cancelled", now=NOW)
    hear(fake, now=NOW + DAY)

    assert (fake.balance("EUR"), Refund.objects.get().state, broken()) == (0, "succeeded", [])


def test_calls_that_nobody_wants_any_more_are_not_made(fake, provider, payer):
    """What changed between the decision and the call is looked at again."""
    terms = invoices.InvoiceTerms(capture_method="manual")
    payment = paid(fake, sale(provider, payer, terms=terms))
    charges.want_capture(payment.invoice, now=NOW)
    charges.want_void(payment.invoice, now=NOW)
    assert list(GatewayCall.objects.values_list("kind", "state")) == [("capture", "done"), ("void", "waiting")]
    GatewayCall.objects.filter(kind="capture").update(state="waiting")
    Payment.objects.update(wanted="")

    assert calls.run_due(now=NOW).done == 2

    assert set(fake.asked) == {"create", "retrieve"}
    assert set(GatewayCall.objects.values_list("last_error", flat=True)) == {"Not wanted any more."}


def test_a_refund_that_was_given_up_is_not_made(fake, payment):
    refund = give_back(payment, 1000)
    refunds.fail(refund, why="By hand", now=NOW)
    refunds.fail(refund, why="Twice", now=NOW)
    GatewayCall.objects.update(state="waiting")

    assert calls.run_due(now=NOW).done == 1
    seen = RefundSeen("re_x", 1000, "succeeded")
    assert refunds.record(refund, seen, now=NOW).state == "failed"
    assert (fake.balance("EUR"), broken()) == (10_000, [])
    GatewayCall.objects.update(state="failed")
    with pytest.raises(InvalidTransition):
        calls.send_again(GatewayCall.objects.get(), by=StaffFactory(), now=NOW)
    assert not AuditEntry.objects.filter(action="call_retry").exists()


def test_a_pause_of_the_breaker_is_short(fake, payment, monkeypatch):
    give_back(payment, 1000)

    def paused(*_, **__):
        raise GatewayPaused

    monkeypatch.setattr(fake, "refund", paused)
    assert str(calls.run_due(now=NOW)) == "0 done, 1 later, 0 failed"
    assert GatewayCall.objects.get().due_at == NOW + calls.PAUSE
