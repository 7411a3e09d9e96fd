"""Money after the visit: tips, extra charges, complaints."""

import pytest

from bookings.domain import aftercare, paying
from bookings.models import Complaint
from payments.domain import payouts, refunds
from payments.models import Invoice, InvoiceKind, Payment, Payout, PayoutAccount, Refund
from petplace.errors import InvalidInput, InvalidTransition, NotAllowed
from tests.bookings.money import DAY, HOUR, balance, clearing, fresh, funds, paid_booking, pay, payable, work
from tests.factories import NOW, StaffFactory, UserFactory, make_booking, manager_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def done():
    return paid_booking("completed")


def code_of(error_type, act, *args, **kwargs):
    with pytest.raises(error_type) as error:
        act(*args, **kwargs)
    return error.value.code


def payable_account(provider):
    return PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref="acct", is_ready=True)


class TestTip:
    def test_all_of_it_is_the_providers(self, done):
        tip = aftercare.tip(done, amount=500, by=done.owner, now=done.ends_at)
        pay(tip, now=done.ends_at)
        assert (-balance("tips_payable"), funds(), paying.standing(fresh(done)).tips) == (500, 0, 500)
        assert manager_of(done).notifications.get(kind="booking_tip").title == "A tip of €5.00"

    def test_one_that_is_not_paid_yet_is_changed(self, done):
        first = aftercare.tip(done, amount=500, by=done.owner, now=done.ends_at)
        second = aftercare.tip(done, amount=700, by=done.owner, now=done.ends_at)
        assert (first.pk, second.total, paying.standing(done).due_now) == (second.pk, 700, 0)

    def test_two_weeks(self, done):
        until = done.ends_at + 14 * DAY
        aftercare.tip(done, amount=500, by=done.owner, now=until)
        late = until + HOUR
        assert code_of(InvalidTransition, aftercare.tip, done, amount=500, by=done.owner, now=late) == "tip_not_now"

    @pytest.mark.parametrize("state", ["confirmed", "in_progress", "no_show"])
    def test_only_after_a_visit(self, state):
        booking = paid_booking(state)
        now = booking.ends_at
        assert code_of(InvalidTransition, aftercare.tip, booking, amount=1, by=booking.owner, now=now) == "tip_not_now"

    def test_of_the_owner(self, done):
        for person in (manager_of(done), UserFactory()):
            with pytest.raises(NotAllowed):
                aftercare.tip(done, amount=500, by=person, now=done.ends_at)

    @pytest.mark.parametrize("amount", [0, -1, 10**12])
    def test_sensible_amounts(self, done, amount):
        with pytest.raises(InvalidInput):
            aftercare.tip(done, amount=amount, by=done.owner, now=done.ends_at)


class TestExtra:
    def ask(self, booking, now=None, by=None, **fields):
        given = {"amount": 900, "description": "A broken vase"} | fields
        return aftercare.charge_extra(booking, by=by or manager_of(booking), now=now or booking.ends_at, **given)

    def test_is_owed_paid_online_and_earned(self, done):
        extra = self.ask(done)
        assert (extra.state, paying.standing(fresh(done)).outstanding) == ("open", 900)
        assert done.owner.notifications.get(kind="booking_extra").title == "An extra charge of €9.00"
        pay(extra, now=done.ends_at)
        assert (payable(), funds()) == (3400, 0)

    def test_during_the_visit_it_is_taken_with_the_rest(self):
        booking = make_booking(state="in_progress")
        self.ask(booking, now=booking.starts_at)
        from bookings.domain import lifecycle

        lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at)
        assert (balance("cash"), paying.standing(fresh(booking)).outstanding) == (3400, 0)

    def test_times(self, done):
        self.ask(done, now=done.ends_at + 14 * DAY)
        late = done.ends_at + 14 * DAY + HOUR
        assert code_of(InvalidTransition, self.ask, done, now=late) == "extra_not_now"
        early = make_booking(owner=UserFactory())
        assert code_of(InvalidTransition, self.ask, early, now=early.starts_at) == "extra_not_now"

    def test_by_the_team_alone(self, done):
        with pytest.raises(NotAllowed):
            self.ask(done, by=done.owner)

    @pytest.mark.parametrize("wrong", [{"amount": 0}, {"description": " "}])
    def test_needs_an_amount_and_a_reason(self, done, wrong):
        with pytest.raises(InvalidInput):
            self.ask(done, **wrong)


class TestComplaint:
    def complain(self, booking, now=None, by=None, text="The dog came home wet."):
        return aftercare.complain(booking, text=text, by=by or booking.owner, now=now or booking.ends_at)

    def test_stops_the_payout_until_it_is_closed(self, done):
        payable_account(done.provider)
        complaint = self.complain(done)
        due = done.ends_at + 2 * DAY
        assert payouts.collect_due(now=due) == []
        aftercare.close_complaint(complaint, by=StaffFactory(), answer="We have heard both sides.", now=due)
        assert [one.amount for one in payouts.collect_due(now=due)] == [2500]
        told = done.owner.notifications.get(kind="booking_complaint_closed")
        assert told.body.endswith("We have heard both sides.")

    def test_without_one_the_payout_goes_two_days_after_the_end(self, done):
        payable_account(done.provider)
        assert payouts.collect_due(now=done.ends_at + 2 * DAY - HOUR) == []
        assert [one.amount for one in payouts.collect_due(now=done.ends_at + 2 * DAY)] == [2500]

    def test_everybody_who_must_know_is_told(self, done):
        staff = StaffFactory()
        self.complain(done)
        assert staff.notifications.get(kind="booking_complaint").url == "/admin/bookings/complaint/"
        assert manager_of(done).notifications.filter(kind="booking_complaint").exists()

    def test_closing_can_give_money_back(self, done):
        complaint = self.complain(done)
        aftercare.close_complaint(complaint, by=StaffFactory(), answer="Half.", refund_amount=1250, now=done.ends_at)
        work(done.ends_at)
        assert (Refund.objects.get().amount, payable(), funds(), clearing()) == (1250, 1250, 0, 1250)
        assert Invoice.objects.get(kind=InvoiceKind.CREDIT_NOTE).total == 1250

    def test_money_comes_back_from_all_payments_but_not_from_tips(self, done):
        pay(aftercare.tip(done, amount=500, by=done.owner, now=done.ends_at), now=done.ends_at)
        extra = aftercare.charge_extra(done, amount=900, description="A vase", by=manager_of(done), now=done.ends_at)
        pay(extra, now=done.ends_at)
        assert aftercare.refundable(done) == 3400
        complaint = self.complain(done)
        aftercare.close_complaint(complaint, by=StaffFactory(), answer="All.", refund_amount=3400, now=done.ends_at)
        work(done.ends_at)
        assert (payable(), -balance("tips_payable"), clearing()) == (0, 500, 500)

    def test_more_than_was_paid_cannot_go_back(self, done):
        refunds.request(Payment.objects.get(), amount=2000, by=None, reason="x", now=done.ends_at)
        complaint = self.complain(done)
        with pytest.raises(InvalidInput):
            aftercare.close_complaint(complaint, by=StaffFactory(), answer="x", refund_amount=501, now=done.ends_at)
        assert Complaint.objects.get().is_open

    def test_cash_is_not_ours_to_give_back(self):
        booking = make_booking(state="completed")
        complaint = self.complain(booking)
        assert aftercare.refundable(booking) == 0
        aftercare.close_complaint(complaint, by=StaffFactory(), answer="Sorry.", now=booking.ends_at)
        assert not Complaint.objects.get().is_open

    def test_once_in_time_and_by_the_owner(self, done):
        with pytest.raises(NotAllowed):
            self.complain(done, by=manager_of(done))
        late = done.ends_at + 2 * DAY + HOUR
        assert code_of(InvalidTransition, self.complain, done, now=late) == "complaint_not_now"
        self.complain(done)
        assert code_of(InvalidTransition, self.complain, done) == "complaint_made"

    @pytest.mark.parametrize("text", ["", "  ", "x" * 2001])
    def test_needs_words(self, done, text):
        with pytest.raises(InvalidInput):
            self.complain(done, text=text)

    def test_is_closed_by_staff_once(self, done):
        complaint, staff = self.complain(done), StaffFactory()
        with pytest.raises(NotAllowed):
            aftercare.close_complaint(complaint, by=manager_of(done), answer="No.", now=NOW)
        aftercare.close_complaint(complaint, by=staff, answer="No {braces}.", now=NOW)
        with pytest.raises(InvalidTransition):
            aftercare.close_complaint(complaint, by=staff, answer="No.", now=NOW)
        assert Payout.objects.count() == 0


@pytest.mark.parametrize(
    ("state", "side", "expected"),
    [
        ("confirmed", "owner", []),
        ("in_progress", "owner", ["complaint"]),
        ("in_progress", "provider", ["extra"]),
        ("completed", "owner", ["tip", "complaint"]),
        ("completed", "provider", ["extra"]),
        ("completed", "staff", []),
        ("no_show", "owner", ["complaint"]),
    ],
)
def test_what_can_be_done_after(state, side, expected):
    booking = make_booking(state=state)
    assert aftercare.allowed(booking, [side], now=booking.ends_at) == expected


def test_nobody_complains_twice():
    booking = make_booking(state="completed")
    aftercare.complain(booking, text="Wet.", by=booking.owner, now=booking.ends_at)
    assert aftercare.allowed(fresh(booking), ["owner"], now=booking.ends_at) == ["tip"]
