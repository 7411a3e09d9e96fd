"""Payments follow the gateway: begun once, forward only, and what they do to invoices and the ledger."""

import datetime as dt
from dataclasses import replace

import pytest

from payments.domain import calls, charges, events, invoices, subjects
from payments.domain.invoices import InvoiceTerms
from payments.gateways.base import Charge, Event, GatewayDeclined, GatewayRefused, GatewayUnavailable
from payments.models import Invoice, Payment, Refund
from petplace.errors import InvalidInput, NotAllowed
from tests.factories import StaffFactory, UserFactory
from tests.payments.money import DAY, NOW, balances, broken, hear, paid, sale

pytestmark = pytest.mark.django_db
MANUAL = InvoiceTerms(capture_method="manual")


@pytest.fixture
def heard():
    """What subjects were told."""
    told = []
    subject = subjects.register(
        lock=lambda invoice: None,
        paid=lambda invoice, payment, now: told.append(("paid", payment.state, invoice.paid_amount)),
        failed=lambda invoice, payment, now: told.append(("failed", payment.state, invoice.paid_amount)),
        describe=lambda invoice: {"timeline": "placed"},
    )
    yield told
    subjects.unregister(subject)


# --- Beginning ----------------------------------------------------------------------------------


def test_start_asks_the_gateway_for_what_is_due(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW, return_url="https://x.test/back")

    payment = started.payment
    assert (payment.state, payment.amount, payment.currency, payment.gateway) == (
        "requires_action",
        10_000,
        "EUR",
        "fake",
    )
    assert started.charge.client_secret == f"secret-{payment.ref}"
    assert fake.charges[payment.ref].metadata["payment"] == str(payment.uid)
    assert list(fake.keys) == [f"pay:{payment.uid}"]


def test_start_again_goes_on_with_the_same_attempt(fake, provider, payer):
    invoice = sale(provider, payer)

    first, second = (charges.start(invoice, by=payer, now=NOW) for _ in range(2))

    assert (first.payment, first.charge) == (second.payment, second.charge)
    assert fake.asked.count("create") == 1


def test_start_after_a_dropped_line_uses_the_same_key(fake, provider, payer):
    invoice = sale(provider, payer)
    fake.drops_line = True
    with pytest.raises(GatewayUnavailable):
        charges.start(invoice, by=payer, now=NOW)

    started = charges.start(invoice, by=payer, now=NOW)

    assert (len(fake.charges), Payment.objects.count(), started.payment.state) == (1, 1, "requires_action")


def test_start_of_another_amount_releases_the_first_attempt(fake, provider, payer):
    invoice = sale(provider, payer, prepay=2000)
    first = charges.start(invoice, by=payer, now=NOW).payment
    Invoice.objects.update(prepay_amount=3000)

    second = charges.start(invoice, by=payer, now=NOW).payment

    first.refresh_from_db()
    assert (first.state, fake.charges[first.ref].state, second.amount) == ("voided", "canceled", 3000)


def test_an_attempt_that_was_paid_while_it_was_replaced_counts(fake, provider, payer):
    invoice = sale(provider, payer)
    first = charges.start(invoice, by=payer, now=NOW)
    fake.pay(first.charge.ref)
    Invoice.objects.update(prepay_amount=9000)

    with pytest.raises(charges.NothingDueError):
        charges.start(invoice, by=payer, now=NOW)

    assert (Payment.objects.get().state, Invoice.objects.get().state) == ("captured", "paid")


def test_start_that_is_refused_for_good_ends_the_attempt(fake, provider, payer, monkeypatch):
    def refuse(*_, **__):
        raise GatewayDeclined("card_declined", "No.")

    monkeypatch.setattr(fake, "create", refuse)
    with pytest.raises(GatewayDeclined):
        charges.start(sale(provider, payer), by=payer, now=NOW)

    assert Payment.objects.values_list("state", "failure_code").get() == ("failed", "card_declined")


def test_only_the_payer_starts(fake, provider, payer):
    with pytest.raises(NotAllowed):
        charges.start(sale(provider, payer), by=UserFactory(), now=NOW)


@pytest.mark.parametrize(
    ("gateway", "currency", "code"), [("other", "EUR", "invalid"), (None, "XXX", "currency_not_supported")]
)
def test_start_refuses_what_the_gateway_does_not_take(fake, provider, payer, gateway, currency, code):
    with pytest.raises(InvalidInput) as error:
        charges.start(sale(provider, payer, currency=currency), by=payer, gateway=gateway, now=NOW)
    assert error.value.code == code


def test_nothing_is_due_of_what_is_paid_or_void(fake, provider, payer):
    invoice = sale(provider, payer)
    paid(fake, invoice)
    void = invoices.keep_only(sale(provider, payer), keep=0, reason="Over", now=NOW).invoice

    for one in (invoice, void):
        with pytest.raises(charges.NothingDueError):
            charges.start(Invoice.objects.get(pk=one.pk), by=payer, now=NOW)


def test_a_deposit_is_due_first_and_the_rest_can_be_paid_later(fake, provider, payer):
    invoice = sale(provider, payer, prepay=2000)

    first, second = paid(fake, invoice), paid(fake, invoice)

    invoice.refresh_from_db()
    assert (first.amount, second.amount, invoice.state, invoice.paid_amount) == (2000, 8000, "paid", 10_000)


# --- Following ----------------------------------------------------------------------------------


def test_a_capture_pays_issues_and_posts(fake, provider, payer, heard):
    invoice = sale(provider, payer)

    payment = paid(fake, invoice)

    invoice.refresh_from_db()
    assert (payment.state, payment.captured_amount, payment.captured_at) == ("captured", 10_000, NOW)
    assert (invoice.state, invoice.number, invoice.paid_amount, invoice.paid_at) == ("paid", "2026-000001", 10_000, NOW)
    assert balances() == {"gateway_clearing": 10_000, "customer_funds": -10_000}
    assert heard == [("paid", "captured", 10_000)]
    assert broken() == []


def test_an_authorization_is_captured_when_it_is_wanted(fake, provider, payer, heard):
    invoice = sale(provider, payer, terms=MANUAL)
    payment = paid(fake, invoice)
    assert (payment.state, balances(), Invoice.objects.get().state) == ("authorized", {}, "draft")
    assert charges.secured(invoice) == 10_000

    assert charges.want_capture(invoice, now=NOW) == 10_000
    assert charges.want_capture(invoice, now=NOW) == 10_000  # safe to repeat
    hear(fake)

    payment.refresh_from_db()
    assert (payment.state, Invoice.objects.get().state) == ("captured", "paid")
    assert heard == [("paid", "authorized", 0), ("paid", "captured", 10_000)]
    assert fake.asked.count("capture") == 1


def test_an_authorization_is_released(fake, provider, payer):
    invoice = sale(provider, payer, terms=MANUAL)
    payment = paid(fake, invoice)

    assert charges.want_void(invoice, now=NOW) == 10_000
    hear(fake)

    payment.refresh_from_db()
    assert (payment.state, fake.charges[payment.ref].state, balances()) == ("voided", "canceled", {})


def test_a_fee_is_captured_of_what_is_authorized(fake, provider, payer):
    invoice = sale(provider, payer, terms=MANUAL)
    paid(fake, invoice)

    kept = invoices.keep_only(invoice, keep=3000, reason="Late", now=NOW)
    hear(fake)

    assert (kept.refund, kept.kept, kept.released) == (0, 3000, 7000)
    assert Payment.objects.values_list("state", "captured_amount").get() == ("captured", 3000)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.total, invoice.outstanding) == ("paid", 3000, 0)
    assert balances() == {"gateway_clearing": 3000, "provider_payable": -3000}
    assert broken() == []


def test_repeats_and_old_news_change_nothing(fake, provider, payer, heard):
    invoice = sale(provider, payer)
    payment = paid(fake, invoice)
    now = fake.charges[payment.ref]
    for state in ("requires_payment", "requires_action", "processing", "authorized", "canceled", "failed"):
        charges.apply(payment, replace(now, state=state, captured=0), now=NOW + DAY)

    payment = charges.apply(payment, now, now=NOW + DAY)

    assert (payment.state, payment.captured_at, payment.flagged) == ("captured", NOW, False)
    assert len(heard) == 1
    assert broken() == []


@pytest.mark.parametrize("first", ["failed", "canceled"])
def test_money_that_comes_all_the_same_counts(fake, provider, payer, first):
    invoice = sale(provider, payer)
    started = charges.start(invoice, by=payer, now=NOW)
    charges.apply(started.payment, replace(started.charge, state=first), now=NOW)

    fake.pay(started.charge.ref)

    assert charges.sync(started.payment, now=NOW).state == "captured"
    assert Invoice.objects.get().state == "paid"


def test_a_declined_card_leaves_the_attempt_open(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    fake.decline(started.charge.ref)

    payment = charges.sync(started.payment, now=NOW)

    assert (payment.state, payment.failure_code) == ("requires_action", "card_declined")


@pytest.mark.parametrize("changes", [{"amount": 1}, {"currency": "USD"}, {"captured": 10_001}, {"ref": "ch_other"}])
def test_what_is_not_ours_is_flagged_and_not_believed(fake, provider, payer, heard, changes):
    staff = StaffFactory()
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    charge = replace(started.charge, **{"state": "captured", "captured": 10_000} | changes)

    payment = charges.apply(started.payment, charge, now=NOW)

    assert (payment.flagged, payment.state, Invoice.objects.get().state, heard) == (
        True,
        "requires_action",
        "draft",
        [],
    )
    assert balances() == {}
    assert staff.notifications.filter(kind="payment_flagged").count() == 1


def test_less_than_was_asked_is_taken_and_flagged(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)

    payment = charges.apply(started.payment, replace(started.charge, state="captured", captured=1), now=NOW)

    invoice = Invoice.objects.get()
    assert (payment.flagged, payment.captured_amount, invoice.state, invoice.outstanding) == (True, 1, "open", 9999)


def test_a_lost_authorization_is_told(fake, provider, payer, heard):
    invoice = sale(provider, payer, terms=MANUAL)
    payment = paid(fake, invoice)
    fake.void(payment.ref, key="elsewhere")

    charges.sync(payment, now=NOW)

    assert heard == [("paid", "authorized", 0), ("failed", "voided", 0)]


# --- Too late, too much -------------------------------------------------------------------------


def test_a_payment_after_the_end_goes_back(fake, provider, payer):
    invoice = sale(provider, payer)
    started = charges.start(invoice, by=payer, now=NOW)
    fake.pay(started.charge.ref)
    invoices.keep_only(invoice, keep=0, reason="Hold expired", now=NOW)

    hear(fake)

    refund = Refund.objects.get()
    assert (refund.origin, refund.amount, refund.state) == ("late", 10_000, "succeeded")
    assert (balances(), Invoice.objects.get().state, fake.balance("EUR")) == ({}, "void", 0)
    assert broken() == []


def test_a_payment_after_the_end_can_revive(fake, provider, payer):
    def revive(invoice, payment, now):
        if invoice.is_void:
            invoices.revive(invoice, now=now)

    subject = subjects.register(lock=lambda _: None, paid=revive, describe=lambda _: {})
    try:
        invoice = sale(provider, payer)
        started = charges.start(invoice, by=payer, now=NOW)
        fake.pay(started.charge.ref)
        invoices.keep_only(invoice, keep=0, reason="Hold expired", now=NOW)
        hear(fake)
    finally:
        subjects.unregister(subject)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_amount, Refund.objects.count()) == ("paid", 10_000, 0)
    assert broken() == []


def test_a_late_authorization_can_revive(fake, provider, payer):
    def revive(invoice, payment, now):
        if invoice.is_void:
            invoices.revive(invoice, now=now)

    subject = subjects.register(lock=lambda _: None, paid=revive, describe=lambda _: {})
    try:
        invoice = sale(provider, payer, terms=MANUAL)
        started = charges.start(invoice, by=payer, now=NOW)
        invoices.keep_only(invoice, keep=0, reason="Hold expired", now=NOW)
        fake.pay(started.charge.ref)
        payment = charges.sync(started.payment, now=NOW)
        calls.run_due(now=NOW)
    finally:
        subjects.unregister(subject)

    payment.refresh_from_db()
    assert (payment.state, payment.wanted, fake.charges[payment.ref].state) == ("authorized", "", "authorized")


def test_the_end_closes_attempts_that_could_still_be_paid(fake, provider, payer):
    invoice = sale(provider, payer)
    started = charges.start(invoice, by=payer, now=NOW)

    invoices.keep_only(invoice, keep=0, reason="Hold expired", now=NOW)
    hear(fake)

    assert (fake.charges[started.charge.ref].state, Payment.objects.get().state) == ("canceled", "voided")


def test_what_was_paid_twice_goes_back_once(fake, provider, payer):
    invoice = sale(provider, payer)
    first = charges.start(invoice, by=payer, now=NOW)
    Payment.objects.update(state="failed")  # as if it had been given up here
    second = charges.start(invoice, by=payer, now=NOW)
    fake.pay(first.charge.ref)
    fake.pay(second.charge.ref)

    hear(fake)

    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_amount, invoice.credited_amount) == ("paid", 10_000, 0)
    assert (Refund.objects.get().origin, fake.balance("EUR")) == ("overpaid", 10_000)
    assert broken() == []


# --- What nobody told us ------------------------------------------------------------------------


def test_stale_payments_are_asked_about(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    fake.pay(started.charge.ref)
    Payment.objects.update(created_at=NOW)

    assert charges.sync_stale(now=NOW + dt.timedelta(minutes=1)) == 0
    assert charges.sync_stale(now=NOW + dt.timedelta(minutes=3)) == 1
    assert Payment.objects.get().state == "captured"


def test_a_gateway_that_is_away_does_not_stop_the_look(fake, provider, payer):
    charges.start(sale(provider, payer), by=payer, now=NOW)
    Payment.objects.update(created_at=NOW)
    fake.is_down = True

    assert charges.sync_stale(now=NOW + dt.timedelta(minutes=3)) == 0
    fake.is_down = False
    fake.charges.clear()
    assert charges.sync_stale(now=NOW + dt.timedelta(minutes=3)) == 0
    assert Payment.objects.get().checked_at == NOW + dt.timedelta(minutes=3)


def test_an_attempt_that_was_never_answered_ends(fake, provider, payer):
    fake.is_down = True
    with pytest.raises(GatewayUnavailable):
        charges.start(sale(provider, payer), by=payer, now=NOW)
    Payment.objects.update(created_at=NOW)

    charges.sync_stale(now=NOW + dt.timedelta(hours=2))

    assert Payment.objects.values_list("state", "failure_code").get() == ("failed", "never_sent")
    assert charges.sync(Payment.objects.get(), now=NOW).state == "failed"


def test_an_event_that_comes_before_the_answer_waits_for_it(fake, provider, payer):
    """The gateway tells of a charge while our question about it is still open, or its answer was lost."""
    invoice = sale(provider, payer)
    fake.drops_line = True
    with pytest.raises(GatewayUnavailable):
        charges.start(invoice, by=payer, now=NOW)
    payment = Payment.objects.get()
    events.store(
        "fake", Event("evt_1", "charge.created", next(iter(fake.charges)), str(payment.uid), {}, False), now=NOW
    )

    early = events.process_due(now=NOW)
    charges.start(invoice, by=payer, now=NOW)
    fake.pay(Payment.objects.get().ref)
    late = events.process_due(now=NOW + dt.timedelta(minutes=1))

    assert ((early.processed, early.failed), (late.processed, late.failed)) == ((0, 1), (1, 0))
    assert Payment.objects.get().state == "captured"
    assert len(fake.charges) == 1


def test_cash_is_asked_about_nowhere(fake, provider, payer):
    invoice = invoices.settle(sale(provider, payer, prepay=0), now=NOW)

    assert charges.sync(invoice.payments.get(), now=NOW).state == "captured"
    assert fake.asked == []


def test_a_charge_that_is_not_known_there_is_an_error(fake, provider, payer):
    started = charges.start(sale(provider, payer), by=payer, now=NOW)
    fake.charges.clear()

    with pytest.raises(GatewayRefused):
        charges.start(started.payment.invoice, by=payer, now=NOW)
    assert isinstance(started.charge, Charge)
