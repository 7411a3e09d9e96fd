"""A booking and its money, one step after another: pay, accept, end, too late, and what everybody is told."""

import datetime as dt

import pytest

from bookings.domain import cancellation, lifecycle, paying, reschedule, reservation, sweeps
from bookings.models import Booking
from payments.domain import charges, disputes, subjects
from payments.gateways import registry, sandbox
from payments.models import Invoice, InvoiceKind, Payment, Refund
from petplace import invariants
from petplace.errors import DomainError, InvalidTransition
from providers.domain import applications
from tests.bookings.money import (
    DAY,
    HOUR,
    MINUTE,
    balance,
    begin,
    clearing,
    fresh,
    funds,
    held,
    paid_booking,
    paused,
    pay,
    payable,
    prepaid,
    work,
)
from tests.factories import NOW, UserFactory, make_booking, make_promo, make_service, manager_of

pytestmark = pytest.mark.django_db


def kinds(user):
    return set(user.notifications.values_list("kind", flat=True))


def last(booking):
    return booking.events.last()


def broken():
    """Return the invariants that fail, those about the real clock apart: the tests' clock stands."""
    clocked = (
        "open hours of every",
        "lie about",
        "past its due time",
        "24 hours after",
        "open holds",
        "reminder",
        "delivery",
        "deliveries",
        "overdue",
    )
    found = [one for one in invariants.check() if not one.is_ok]
    return [str(one) for one in found if not any(word in one.invariant.name for word in clocked)]


@pytest.fixture(autouse=True)
def _nothing_breaks():
    yield
    assert broken() == []


class TestHold:
    def test_waits_with_a_draft_that_can_be_paid(self):
        booking = held()
        assert (booking.state, booking.invoice.state, booking.invoice.prepay_amount) == ("held", "draft", 2500)
        assert charges.due_now(booking.invoice) == 2500
        assert (subjects.deadline(booking.invoice), subjects.url(booking.invoice)) == (
            booking.due_at,
            booking.get_absolute_url(),
        )

    def test_cannot_be_placed_without_paying(self):
        booking = held()
        with pytest.raises(DomainError) as error:
            reservation.place(booking, by=booking.owner, now=NOW)
        assert (error.value.code, fresh(booking).state) == ("payment_due", "held")

    def test_deposit_asks_for_its_part(self):
        booking = held(prepaid(payment_policy="deposit", deposit_percent=30))
        assert (charges.due_now(booking.invoice), booking.total) == (750, 2500)

    @pytest.mark.parametrize(("is_instant", "state"), [(True, "confirmed"), (False, "pending")])
    def test_of_nothing_is_placed_at_once(self, is_instant, state):
        make_promo("FREE", percent_bp=10_000)
        service = prepaid(is_instant=is_instant)
        booking = held(service, promo_code="FREE")
        assert (booking.total, booking.quote.prepay_amount) == (0, 0)
        booking = reservation.place(booking, by=booking.owner, now=NOW)
        assert (booking.state, Payment.objects.count()) == (state, 0)

    def test_declined_card_leaves_the_hold(self):
        booking = held()
        pay(booking.invoice, token="tok_declined")
        assert (fresh(booking).state, charges.due_now(booking.invoice)) == ("held", 2500)
        pay(booking.invoice)
        assert fresh(booking).state == "confirmed"

    def test_part_of_the_amount_places_nothing(self):
        booking = held()
        payment = begin(booking.invoice)
        Payment.objects.filter(pk=payment.pk).update(flagged=True)
        sandbox.pay(payment.ref, token="tok_visa")
        booking.invoice.refresh_from_db()
        paying.on_paid(booking.invoice, payment, NOW)
        assert fresh(booking).state == "held"
        Payment.objects.filter(pk=payment.pk).update(flagged=False)
        charges.sync(payment, now=NOW)
        assert fresh(booking).state == "confirmed"


class TestPaid:
    def test_instant_one_is_confirmed_and_paid(self):
        booking = paid_booking()
        event = last(booking)
        assert (booking.state, booking.due_at, booking.invoice.state) == ("confirmed", None, "paid")
        assert (event.action, event.side, event.by) == ("place", "owner", booking.owner)
        assert booking.invoice.number is not None
        assert (funds(), clearing()) == (2500, 2500)
        told = booking.owner.notifications.get(kind="booking_booked")
        assert told.body.endswith("€25.00 paid when booking.")
        assert "team_booked" in kinds(manager_of(booking))

    def test_request_waits_with_a_reserved_amount(self):
        booking = paid_booking("pending")
        payment = Payment.objects.get()
        assert (booking.state, booking.invoice.state, payment.state) == ("pending", "draft", "authorized")
        assert (clearing(), booking.invoice.number) == (0, None)
        assert {"team_requested"} <= kinds(manager_of(booking))

    def test_accepting_captures(self):
        booking = paid_booking("pending")
        lifecycle.accept(booking, by=manager_of(booking), now=NOW + HOUR)
        assert (booking.state, booking.invoice.state, Payment.objects.get().wanted) == ("confirmed", "open", "capture")
        work(NOW + HOUR)
        booking = fresh(booking)
        assert (booking.invoice.state, Payment.objects.get().state, clearing()) == ("paid", "captured", 2500)

    def test_deposit_leaves_the_rest_for_the_visit(self):
        booking = paid_booking(service=prepaid(payment_policy="deposit", deposit_percent=30))
        assert (booking.state, booking.invoice.state, booking.invoice.outstanding) == ("confirmed", "open", 1750)
        told = booking.owner.notifications.get(kind="booking_booked")
        assert told.body.endswith("€7.50 paid when booking. €17.50 to pay at the visit.")
        standing = paying.standing(booking)
        assert (standing.paid, standing.outstanding, standing.due_now) == (750, 1750, 0)

    def test_the_same_news_twice_places_once(self):
        booking = held()
        payment = pay(booking.invoice)
        for _ in range(3):
            charges.sync(payment, now=NOW)
            paying.on_paid(Invoice.objects.get(pk=booking.invoice_id), payment, NOW)
        assert [event.action for event in booking.events.all()] == ["hold", "place"]

    def test_hold_that_was_not_swept_yet_is_placed(self):
        booking = held()
        pay(booking.invoice, now=booking.due_at + MINUTE)
        assert fresh(booking).state == "confirmed"

    def test_provider_who_left_gives_all_back(self):
        booking = held()
        applications.suspend(booking.provider, by=None, reason="Look again.", now=NOW)
        pay(booking.invoice)
        work()
        booking = fresh(booking)
        assert (booking.state, booking.cancel_reason, booking.invoice.state) == ("cancelled", "hold_expired", "void")
        assert (clearing(), funds(), Refund.objects.get().amount) == (0, 0, 2500)
        assert last(booking).reason == "This provider takes no bookings at present."
        assert "booking_paid_too_late" in kinds(booking.owner)

    def test_lost_authorization_ends_the_request(self):
        booking = paid_booking("pending")
        registry.get("sandbox").void(Payment.objects.get().ref, key="bank")
        charges.sync(Payment.objects.get(), now=NOW)
        booking = fresh(booking)
        assert (booking.state, booking.cancel_reason) == ("cancelled", "request_expired")
        assert booking.owner.notifications.get(kind="booking_request_lost").body.endswith(
            "The payment could not be kept. Nothing is to be paid."
        )

    def test_capture_that_fails_is_asked_for_again(self):
        booking = paid_booking("pending")
        payment = Payment.objects.get()
        lifecycle.accept(booking, by=manager_of(booking), now=NOW)
        registry.get("sandbox").void(payment.ref, key="bank")
        work()
        booking = fresh(booking)
        assert (booking.state, booking.invoice.state, charges.due_now(booking.invoice)) == ("confirmed", "open", 2500)
        assert "booking_payment_lost" in kinds(booking.owner)
        assert [one.pk for one in paying.standing(booking).payable] == [booking.invoice_id]
        pay(booking.invoice)
        assert fresh(booking).invoice.state == "paid"


class TestTooLate:
    def late(self, service=None):
        """A hold that ran out while its owner was at the gateway's page."""
        booking = held(service)
        payment = begin(booking.invoice)
        sandbox.pay(payment.ref, token="tok_visa")
        lifecycle.expire(booking, now=booking.due_at)
        assert fresh(booking).invoice.state == "void"
        return fresh(booking), payment

    @pytest.mark.parametrize(("is_instant", "state"), [(True, "confirmed"), (False, "pending")])
    def test_free_time_is_taken_again(self, is_instant, state):
        booking, payment = self.late(prepaid(is_instant=is_instant))
        charges.sync(payment, now=NOW + 16 * MINUTE)
        work(NOW + 16 * MINUTE)
        booking = fresh(booking)
        assert (booking.state, booking.cancel_reason, booking.is_live) == (state, "", True)
        assert [one.is_live for one in booking.allocations.all()] == [True]
        assert (last(booking).action, last(booking).side, last(booking).by) == ("revive", "system", None)
        assert Payment.objects.get().state == ("captured" if is_instant else "authorized")
        assert Refund.objects.count() == 0
        topic = "booking_revived" if is_instant else "booking_revived_request"
        assert topic in kinds(booking.owner)
        assert topic.replace("booking_", "team_", 1) in kinds(manager_of(booking))

    def test_revived_request_can_be_accepted(self):
        booking, payment = self.late(prepaid(is_instant=False))
        charges.sync(payment, now=NOW + 16 * MINUTE)
        work(NOW + 16 * MINUTE)
        lifecycle.accept(fresh(booking), by=manager_of(booking), now=NOW + 20 * MINUTE)
        work(NOW + 20 * MINUTE)
        assert (fresh(booking).invoice.state, clearing()) == ("paid", 2500)

    def test_taken_time_gives_all_back_without_a_person(self):
        booking, payment = self.late()
        other = paid_booking(service=booking.service)
        charges.sync(payment, now=NOW + 16 * MINUTE)
        work(NOW + 16 * MINUTE)
        assert (fresh(booking).state, fresh(other).state) == ("cancelled", "confirmed")
        assert (Refund.objects.get().state, Refund.objects.get().origin) == ("succeeded", "late")
        assert (clearing(), funds()) == (2500, 2500)
        told = booking.owner.notifications.get(kind="booking_paid_too_late")
        assert told.body.startswith("€25.00 came when A walking service with Happy Paws, ")

    def test_reserved_amount_of_a_taken_time_is_released(self):
        service = prepaid(is_instant=False)
        booking, payment = self.late(service)
        held(service)
        charges.sync(payment, now=NOW + 16 * MINUTE)
        work(NOW + 16 * MINUTE)
        assert (fresh(booking).state, Payment.objects.filter(pk=payment.pk).get().state) == ("cancelled", "voided")

    def test_time_that_was_let_go_is_not_taken_again(self):
        booking = held()
        payment = begin(booking.invoice)
        sandbox.pay(payment.ref, token="tok_visa")
        lifecycle.cancel(booking, by=booking.owner, now=NOW)
        charges.sync(payment, now=NOW)
        work()
        assert (fresh(booking).state, Refund.objects.get().amount, funds()) == ("cancelled", 2500, 0)

    def test_past_time_is_not_taken_again(self):
        booking, payment = self.late()
        charges.sync(payment, now=booking.starts_at)
        work(booking.starts_at)
        assert (fresh(booking).state, funds()) == ("cancelled", 0)

    def test_pet_that_is_elsewhere_by_now(self):
        booking, payment = self.late()
        make_booking(make_service(is_instant=True), owner=booking.owner, pets=list(booking.pets.all()))
        charges.sync(payment, now=NOW + 16 * MINUTE)
        assert fresh(booking).state == "cancelled"

    def test_promo_code_that_was_used_up_meanwhile(self):
        promo = make_promo("ONCE", max_uses=1)
        service = prepaid()
        quote_owner = UserFactory()
        booking = held(service, promo_code="ONCE", owner=quote_owner)
        payment = begin(booking.invoice)
        sandbox.pay(payment.ref, token="tok_visa")
        lifecycle.expire(booking, now=booking.due_at)
        held(service, promo_code="ONCE", starts_at=NOW + 2 * DAY)
        charges.sync(payment, now=NOW + 16 * MINUTE)
        work(NOW + 16 * MINUTE)
        promo.refresh_from_db()
        assert (fresh(booking).state, promo.used_count, funds()) == ("cancelled", 1, 0)

    def test_declined_request_never_keeps_money(self):
        booking = paid_booking("pending")
        lifecycle.decline(booking, by=manager_of(booking), now=NOW, reason="No room.")
        assert last(booking).detail == {"refund": 2500, "kept": 0, "currency": "EUR", "released": 2500}
        work()
        assert (Payment.objects.get().state, fresh(booking).invoice.state) == ("voided", "void")
        body = booking.owner.notifications.get(kind="booking_decline").body
        assert body.endswith("The reason: No room. €25.00 that was reserved is let go.")

    def test_unanswered_request_releases(self):
        booking = paid_booking("pending")
        sweeps.process_due(booking.due_at)
        work(booking.due_at)
        assert (fresh(booking).state, Payment.objects.get().state) == ("cancelled", "voided")


class TestCancel:
    """Free until noon, in three hours; then half is kept."""

    def test_in_time_all_goes_back(self):
        booking = paid_booking()
        lifecycle.cancel(booking, by=booking.owner, now=NOW)
        work()
        assert last(booking).detail == {"refund": 2500, "kept": 0, "currency": "EUR", "paid_back": 2500}
        booking = fresh(booking)
        assert (booking.invoice.state, clearing(), funds()) == ("void", 0, 0)
        assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).total == 2500
        body = booking.owner.notifications.get(kind="booking_cancel").body
        assert body.endswith("€25.00 goes back to where it came from.")

    def test_late_keeps_the_fee_which_is_earned(self):
        booking = paid_booking()
        now = NOW + 4 * HOUR
        shown = cancellation.refund_due(booking, now, "owner")
        lifecycle.cancel(booking, by=booking.owner, now=now)
        work(now)
        assert (shown, Refund.objects.get().amount, payable(), funds()) == (1250, 1250, 1250, 0)
        assert fresh(booking).invoice.payout_due_at == now + 2 * DAY
        body = booking.owner.notifications.get(kind="booking_cancel").body
        assert body.endswith("€12.50 goes back to where it came from. €12.50 is kept by the cancellation terms.")

    def test_late_on_a_deposit_leaves_a_debt(self):
        booking = paid_booking(service=prepaid(payment_policy="deposit", deposit_percent=20))
        lifecycle.cancel(booking, by=booking.owner, now=NOW + 4 * HOUR)
        booking = fresh(booking)
        assert (booking.invoice.outstanding, Refund.objects.count(), payable()) == (750, 0, 500)
        body = booking.owner.notifications.get(kind="booking_cancel").body
        assert body.endswith("€12.50 is kept by the cancellation terms. €7.50 of it is still to be paid.")
        assert paying.standing(booking).due_now == 750
        pay(booking.invoice, now=NOW + 5 * HOUR)
        assert (payable(), fresh(booking).invoice.state) == (1250, "paid")

    def test_late_on_a_request_captures_only_the_fee(self):
        booking = paid_booking("pending")
        lifecycle.cancel(booking, by=booking.owner, now=NOW + 4 * HOUR)
        assert last(booking).detail == {"refund": 1250, "kept": 1250, "currency": "EUR", "released": 1250}
        work(NOW + 4 * HOUR)
        assert (Payment.objects.get().captured_amount, clearing(), payable()) == (1250, 1250, 1250)

    def test_provider_gives_all_back(self):
        booking = paid_booking()
        lifecycle.cancel(booking, by=manager_of(booking), now=NOW + 20 * HOUR)
        work(NOW + 20 * HOUR)
        assert (Refund.objects.get().amount, funds(), payable()) == (2500, 0, 0)

    def test_after_staff_gave_a_part_back_only_the_rest_counts(self):
        from payments.domain import refunds

        booking = paid_booking()
        refunds.request(Payment.objects.get(), amount=2000, by=None, reason="Goodwill", now=NOW)
        lifecycle.cancel(booking, by=booking.owner, now=NOW + 4 * HOUR)
        work(NOW + 4 * HOUR)
        assert (last(booking).detail["kept"], payable(), funds()) == (500, 500, 0)

    def test_no_show_keeps_the_fee(self):
        booking = paid_booking("no_show")
        work(booking.starts_at)
        assert (payable(), funds(), Refund.objects.get().amount) == (1250, 0, 1250)
        assert booking.invoice.payout_due_at == booking.ends_at + 2 * DAY


class TestComplete:
    def test_prepaid_visit_is_earned(self):
        booking = paid_booking("completed")
        assert (payable(), funds(), booking.invoice.payout_due_at) == (2500, 0, booking.ends_at + 2 * DAY)

    def test_at_visit_counts_as_taken(self):
        booking = make_booking(state="completed")
        assert (booking.invoice.state, balance("cash"), payable(), funds()) == ("paid", 2500, 2500, 0)

    def test_at_visit_can_stay_owed_and_be_paid_online(self):
        booking = make_booking(state="in_progress")
        lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at, is_paid=False)
        booking = fresh(booking)
        assert (booking.state, booking.invoice.state, booking.invoice.outstanding) == ("completed", "open", 2500)
        assert payable() == 0
        pay(booking.invoice, now=booking.ends_at)
        assert (fresh(booking).invoice.state, payable(), funds()) == ("paid", 2500, 0)
        assert "booking_paid" in kinds(manager_of(booking))

    def test_rest_of_a_deposit_is_taken_at_the_visit(self):
        service = prepaid(payment_policy="deposit", deposit_percent=20)
        booking = paid_booking("completed", service=service)
        assert (booking.invoice.state, balance("cash"), payable(), clearing()) == ("paid", 2000, 2500, 500)

    def test_prepaid_visit_whose_payment_failed_stays_owed(self):
        booking = paid_booking("pending")
        lifecycle.accept(booking, by=manager_of(booking), now=NOW)
        registry.get("sandbox").void(Payment.objects.get().ref, key="bank")
        work()
        lifecycle.start(booking, by=manager_of(booking), now=booking.starts_at)
        lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at)
        assert (fresh(booking).invoice.state, payable()) == ("open", 0)


class TestMove:
    def move(self, booking, by=None, **fields):
        start = fields.pop("starts_at", booking.starts_at + HOUR)
        return reschedule.move(booking, by=by or booking.owner, starts_at=start, now=NOW, **fields)

    def test_same_price_changes_nothing(self):
        booking = self.move(paid_booking())
        assert (booking.state, booking.invoice.state, Invoice.objects.count()) == ("confirmed", "paid", 1)

    def test_cheaper_is_credited_and_refunded(self):
        booking = paid_booking()
        booking.service.price = 1800
        booking.service.save()
        booking = self.move(booking)
        work()
        assert (booking.total, Refund.objects.get().amount, funds()) == (1800, 700, 1800)
        assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).total == 700

    def test_dearer_is_an_extra_to_be_paid(self):
        booking = paid_booking()
        booking.service.price = 3000
        booking.service.save()
        booking = fresh(self.move(booking))
        extra = Invoice.objects.get(kind=InvoiceKind.EXTRA)
        assert (booking.total, extra.total, extra.state) == (3000, 500, "open")
        assert [one.pk for one in paying.standing(booking).payable] == [extra.pk]
        pay(extra)
        assert (Invoice.objects.get(pk=extra.pk).state, funds()) == ("paid", 3000)
        lifecycle.cancel(booking, by=booking.owner, now=NOW)
        work()
        assert (funds(), clearing()) == (0, 0)

    def test_dearer_request_captures_what_was_reserved(self):
        booking = paid_booking("pending")
        booking.service.price = 3000
        booking.service.save()
        self.move(booking)
        lifecycle.accept(fresh(booking), by=manager_of(booking), now=NOW)
        work()
        booking = fresh(booking)
        assert (booking.invoice.paid_amount, booking.invoice.outstanding) == (2500, 500)
        assert paying.standing(booking).due_now == 500

    def test_cheaper_request_captures_less(self):
        booking = paid_booking("pending")
        booking.service.price = 1800
        booking.service.save()
        self.move(booking)
        lifecycle.accept(fresh(booking), by=manager_of(booking), now=NOW)
        work()
        assert (Payment.objects.get().captured_amount, fresh(booking).invoice.state) == (1800, "paid")

    def test_owner_who_moves_a_request_asks_again_and_a_no_gives_all_back(self):
        booking = paid_booking(is_instant=False)
        assert booking.state == "confirmed"
        booking = self.move(booking)
        assert booking.state == "pending"
        lifecycle.decline(booking, by=manager_of(booking), now=NOW, reason="No room.")
        work()
        assert (clearing(), funds()) == (0, 0)


class TestPaused:
    def test_hold_gets_five_more_minutes_while_nobody_can_pay(self):
        booking = held()
        due = booking.due_at
        with paused():
            assert sweeps.process_due(due).expired == 0
            booking = fresh(booking)
            assert (booking.state, booking.due_at) == ("held", due + 5 * MINUTE)
            assert booking.owner.notifications.filter(kind="booking_more_time").count() == 1
            sweeps.process_due(booking.due_at)
            assert booking.owner.notifications.filter(kind="booking_more_time").count() == 1
        booking = fresh(booking)
        assert sweeps.process_due(booking.due_at).expired == 1

    def test_two_hours_at_most(self):
        booking = held()
        with paused():
            while (booking := fresh(booking)).is_held:
                assert booking.due_at <= NOW + 2 * HOUR
                sweeps.process_due(booking.due_at)
        assert (booking.state, last(booking).at) == ("cancelled", NOW + 2 * HOUR)

    def test_others_are_not_kept(self):
        booking = make_booking(state="held")
        request = make_booking(state="pending")
        with paused():
            assert sweeps.process_due(request.due_at).expired == 2
        assert fresh(booking).state == "cancelled"

    def test_nothing_is_asked_while_it_works(self):
        booking = held()
        assert not registry.is_paused()
        assert not lifecycle.keep_waiting(booking, now=NOW)
        with paused():
            assert registry.is_paused()

    def test_somebody_else_does_not_get_the_time_meanwhile(self):
        booking = held()
        with paused(), pytest.raises(DomainError) as error:
            make_booking(booking.service, now=booking.due_at)
        assert error.value.code == "slot_taken"


class TestDispute:
    def test_evidence_tells_the_story(self):
        booking = paid_booking("completed")
        found = paying.describe(booking.invoice)
        assert found["booking"] == f"{booking.reference}: A walking service with Happy Paws"
        assert found["timeline"].splitlines()[0] == "2026-11-17 08:00 UTC: hold by owner, held"
        assert (found["visit_started"], found["visit_finished"]) == ("2026-11-18 14:00 UTC", "2026-11-18 14:30 UTC")
        assert int(found["notifications"]) >= 4

    def test_opened_dispute_carries_it(self):
        booking = paid_booking("completed")
        payment = Payment.objects.get()
        sandbox.open_dispute(payment.ref)
        charges.sync(payment, now=booking.ends_at)
        dispute = payment.disputes.get()
        assert dispute.evidence["visit_started"] == "2026-11-18 14:00 UTC"
        assert disputes.submit(dispute, by=None, now=booking.ends_at).state == "submitted"

    def test_invoice_of_nobody(self):
        from payments.domain import invoices
        from tests.factories import make_provider

        invoice = invoices.write(
            provider=make_provider(), payer=UserFactory(), subject="Alone", currency="EUR", lines=[], due_at=NOW
        )
        payment = Payment(invoice=invoice, state="captured")
        paying.on_paid(invoice, payment, NOW)
        paying.on_failed(invoice, payment, NOW)
        assert (paying.describe(invoice), paying.url(invoice), paying.deadline(invoice)) == ({}, "", None)


def test_booking_without_an_invoice_stands_at_nothing():
    standing = paying.standing(make_booking(state="held"))
    assert (standing.paid, standing.payable, standing.has_moved) == (0, [], False)


def test_steps_refuse_what_they_refused_before():
    booking = paid_booking()
    with pytest.raises(InvalidTransition):
        lifecycle.expire(booking, now=NOW + dt.timedelta(days=9))
    assert Booking.objects.get().state == "confirmed"
