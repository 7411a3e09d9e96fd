"""Random lives of bookings with their money, in three currencies: held, paid in time or late, accepted, moved, ended by
either side, refunded, disputed, paid out, with the gateway's messages repeated, reordered and lost.

``PETPLACE_MONEY`` is how many lives are run, at random and longer; without it a few are, always the same.
"""

import contextlib
import datetime as dt
import os
from collections import Counter
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bookings.domain import aftercare, lifecycle, paying, quotes, reschedule, reservation, sweeps
from bookings.models import Booking, BookingEvent, Complaint
from bookings.states import LIVE_STATES
from payments.domain import calls, charges, events, payouts, reconciliation, refunds
from payments.gateways.base import GatewayError
from payments.models import (
    AccountKind,
    CommissionRule,
    Dispute,
    Invoice,
    LedgerLine,
    Payment,
    Payout,
    PayoutAccount,
    PayoutItem,
    ReconciliationDifference,
    Refund,
)
from petplace.errors import DomainError
from tests.factories import PetFactory, StaffFactory, UserFactory, make_branch, make_promo, make_provider, make_service
from tests.payments.fake import NAME, FakeGateway, installed
from tests.payments.money import NOW, balances, broken, clearing, hear

pytestmark = pytest.mark.django_db
ASKED = int(os.environ.get("PETPLACE_MONEY", "0"))
DAY, HOUR, MINUTE = dt.timedelta(days=1), dt.timedelta(hours=1), dt.timedelta(minutes=1)
OVERDUE = 7 * DAY
PICK = st.integers(0, 10**6)
SHARE = st.integers(0, 100)
SIDES = st.sampled_from(["owner", "provider", "staff"])
# Of all that can happen, what must have happened at least once in all lives.
MUST_HAPPEN = {
    "hold", "place", "accept", "cancel", "reschedule", "expire", "revive", "start", "complete", "payment captured",
    "payout paid", "refund policy",
}  # fmt: skip
IN_FEW_LIVES = {"hold", "place", "expire", "payment captured", "payment voided"}
PRICES = {"EUR": 2_999, "JPY": 3_001, "KWD": 12_345}


class Town:
    """A business with one person, its services, and three owners with a pet each, in one currency."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.manager, self.staff = UserFactory(), StaffFactory()
        self.provider = make_provider(self.manager, currency=currency, name=f"Paws {currency}", tax_rate_bp=1_900)
        branch = make_branch(self.provider)
        usual = {"price": PRICES[currency], "minimum_notice_minutes": 0, "slot_step_minutes": 30}
        self.services = [
            make_service(branch, payment_policy=policy, is_instant=is_instant, **usual)
            for policy in ("prepay", "deposit", "at_visit")
            for is_instant in (True, False)
        ]
        CommissionRule.objects.create(service=self.services[0], provider_bp=1_250, owner_bp=330)
        CommissionRule.objects.create(service=self.services[3], provider_bp=700, owner_bp=0)
        self.pets = [PetFactory(owner=UserFactory()) for _ in range(3)]
        self.code = make_promo(f"WAG{currency}", percent_bp=1_500).code
        PayoutAccount.objects.create(provider=self.provider, gateway=NAME, ref=f"acct_{currency}", is_ready=True)


class Journeys(RuleBasedStateMachine):
    towns: dict[str, Town]
    seen: Counter[str]  # what happened in all lives together: a machine that does nothing proves nothing

    @initialize(currency=st.sampled_from(["EUR", "JPY", "KWD"]), is_heard=st.booleans(), has_code=st.booleans())
    def begin(self, currency: str, is_heard: bool, has_code: bool) -> None:
        """Begin with a booking of each kind; what becomes of them is up to the rules."""
        self.example = transaction.atomic()
        self.example._from_testcase = True  # not a transaction of ours: the gateway may be called in it
        self.example.__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")  # a busy machine draws for seconds
        self.town, self.currency = self.towns[currency], currency
        self.gateway = FakeGateway()
        self.patch = installed(self.gateway)
        self.patch.__enter__()
        self.heard: list[Any] = []
        self.now = NOW
        for number, (service, pays) in enumerate(
            [(0, "late"), (0, "in time"), (1, "in time"), (1, "in time"), (2, "in time"), (3, "in time"), (4, "no")]
        ):
            self.hold(service, number % 3, 1 + number // 2, 9 + number % 2, has_code and number % 2 == 0, pays)
            if is_heard:
                for payment in Payment.objects.exclude(ref=None):
                    charges.sync(payment, now=self.now)

    def teardown(self) -> None:
        if not hasattr(self, "patch"):
            return
        try:
            self.come_to_rest()
        finally:
            self.patch.__exit__(None, None, None)
            connection.set_rollback(True)
            self.example.__exit__(None, None, None)

    # --- Helpers --------------------------------------------------------------------------------

    def one(self, rows: Any, pick: int) -> Any:
        found = list(rows.order_by("pk"))
        return found[pick % len(found)] if found else None

    def booking(self, pick: int, *states: str) -> Booking | None:
        rows = Booking.objects.filter(state__in=states) if states else Booking.objects.all()
        found: Booking | None = self.one(rows, pick)
        return found

    def by(self, booking: Booking, side: str) -> Any:
        return {"owner": booking.owner, "provider": self.town.manager, "staff": self.town.staff}[side]

    def attempt(self, act: Any) -> None:
        """The domain may say no, and the gateway; neither may leave anything behind."""
        with contextlib.suppress(DomainError, GatewayError):
            act()

    def begin_to_pay(self, invoice: Invoice) -> Any:
        try:
            return charges.start(invoice, by=invoice.payer, now=self.now)
        except (DomainError, GatewayError):
            return None

    # --- What owners do -------------------------------------------------------------------------

    @rule(
        service=st.integers(0, 5), pet=st.integers(0, 2), day=st.integers(1, 2), hour=st.sampled_from([9, 10]),
        has_code=st.booleans(), pays=st.sampled_from(["no", "begins", "late", "in time", "in time", "in time"]),
    )  # fmt: skip
    def hold_one(self, service: int, pet: int, day: int, hour: int, has_code: bool, pays: str) -> None:
        self.hold(service, pet, day, hour, has_code, pays)

    def hold(self, service: int, pet: int, day: int, hour: int, has_code: bool, pays: str) -> None:
        start = self.now.replace(hour=hour, minute=0) + day * DAY
        animal = self.town.pets[pet]

        def act() -> None:
            quote = quotes.create(
                owner=animal.owner, service=self.town.services[service], starts_at=start, pets=[animal], now=self.now,
                promo_code=self.town.code if has_code else "",
            )  # fmt: skip
            booking = reservation.book(quote, by=animal.owner, now=self.now)
            if booking.is_held and pays != "no":
                self.pay_hold(booking, pays)

        self.attempt(act)

    def pay_hold(self, booking: Booking, pays: str) -> None:
        assert booking.invoice is not None
        started = self.begin_to_pay(booking.invoice)
        if started is None or pays == "begins":
            return
        self.gateway.pay(started.charge.ref)
        if pays == "late":
            self.now += 16 * MINUTE
            self.gateway.now = self.now
            sweeps.process_due(self.now)
        else:
            charges.sync(started.payment, now=self.now)

    @rule(pick=PICK)
    def start_again(self, pick: int) -> None:
        if invoice := self.one(Invoice.objects.exclude(kind="credit_note"), pick):
            self.begin_to_pay(invoice)

    @rule(pick=PICK, is_heard=st.booleans())
    def pay(self, pick: int, is_heard: bool) -> None:
        if payment := self.one(Payment.objects.exclude(ref=None), pick):
            self.gateway.pay(payment.ref)
            if is_heard:
                charges.sync(payment, now=self.now)

    @rule(pick=PICK)
    def pay_what_is_asked(self, pick: int) -> None:
        booking = self.booking(pick)
        for invoice in paying.standing(booking).payable if booking else []:
            if started := self.begin_to_pay(invoice):
                self.gateway.pay(started.charge.ref)
                charges.sync(started.payment, now=self.now)

    @rule(pick=PICK, amount=st.integers(1, 5_000))
    def tip(self, pick: int, amount: int) -> None:
        if booking := self.booking(pick, "completed"):
            self.attempt(
                lambda: self.begin_to_pay(aftercare.tip(booking, amount=amount, by=booking.owner, now=self.now))
            )

    @rule(pick=PICK)
    def complain(self, pick: int) -> None:
        if booking := self.booking(pick, "completed", "no_show"):
            self.attempt(lambda: aftercare.complain(booking, text="Wet.", by=booking.owner, now=self.now))

    # --- What providers and staff do ------------------------------------------------------------

    @rule(pick=PICK, says_yes=st.booleans())
    def answer(self, pick: int, says_yes: bool) -> None:
        if booking := self.booking(pick, "pending"):
            act = lifecycle.accept if says_yes else lifecycle.decline
            self.attempt(lambda: act(booking, by=self.town.manager, now=self.now, reason="So be it."))

    @rule(pick=PICK, side=SIDES)
    def cancel(self, pick: int, side: str) -> None:
        if booking := self.booking(pick, "held", "pending", "confirmed"):
            self.attempt(lambda: lifecycle.cancel(booking, by=self.by(booking, side), now=self.now))

    @rule(pick=PICK, side=SIDES, hours=st.integers(1, 30), change=st.sampled_from([-700, 0, 0, 900]))
    def move(self, pick: int, side: str, hours: int, change: int) -> None:
        """Move to another time, at another price."""
        if booking := self.booking(pick, "pending", "confirmed"):
            booking.service.price = PRICES[self.currency] + change
            booking.service.save(update_fields=["price"])
            start = booking.starts_at + hours * HOUR
            self.attempt(lambda: reschedule.move(booking, by=self.by(booking, side), starts_at=start, now=self.now))

    @rule(pick=PICK, end=st.sampled_from(["completed", "completed", "no_show"]), is_paid=st.sampled_from([None, 1, 0]))
    def visit(self, pick: int, end: str, is_paid: int | None) -> None:
        booking = self.booking(pick, "confirmed")
        if booking is None:
            return
        self.now = max(self.now, booking.starts_at)
        if end == "no_show":
            self.attempt(lambda: lifecycle.report_no_show(booking, by=self.town.manager, now=self.now))
            return
        lifecycle.start(booking, by=self.town.manager, now=self.now)
        self.now = max(self.now, booking.ends_at)
        said = None if is_paid is None else bool(is_paid)
        lifecycle.complete(booking, by=self.town.manager, now=self.now, is_paid=said)

    @rule(pick=PICK, amount=st.integers(1, 9_999))
    def extra(self, pick: int, amount: int) -> None:
        if booking := self.booking(pick, "completed", "in_progress"):
            self.attempt(
                lambda: aftercare.charge_extra(
                    booking, amount=amount, description="Bath", by=self.town.manager, now=self.now
                )
            )

    @rule(pick=PICK, share=SHARE)
    def decide_complaint(self, pick: int, share: int) -> None:
        complaint = self.one(Complaint.objects.filter(closed_at=None), pick)
        if complaint:
            amount = aftercare.refundable(complaint.booking) * share // 100
            self.attempt(
                lambda: aftercare.close_complaint(
                    complaint, by=self.town.staff, answer="So.", refund_amount=amount, now=self.now
                )
            )

    @rule(pick=PICK, share=SHARE)
    def refund(self, pick: int, share: int) -> None:
        if payment := self.one(Payment.objects.filter(state="captured"), pick):
            amount = payment.captured_amount * share // 100
            self.attempt(lambda: refunds.request(payment, amount=amount, by=None, reason="Sorry", now=self.now))

    # --- What happens at the gateway ------------------------------------------------------------

    @rule(pick=PICK, share=SHARE)
    def refund_in_dashboard(self, pick: int, share: int) -> None:
        if payment := self.one(Payment.objects.filter(state="captured", gateway=NAME), pick):
            amount = max(self.gateway.refundable(payment.ref) * share // 100, 1)
            self.attempt(lambda: self.gateway.refund_in_dashboard(payment.ref, amount))

    @rule(pick=PICK, share=st.integers(1, 100))
    def dispute(self, pick: int, share: int) -> None:
        payment = self.one(Payment.objects.filter(state="captured", gateway=NAME), pick)
        if payment and not self.gateway.charges[payment.ref].disputes:
            self.gateway.open_dispute(payment.ref, amount=max(payment.captured_amount * share // 100, 1))

    @rule(pick=PICK, is_won=st.booleans())
    def decide_dispute(self, pick: int, is_won: bool) -> None:
        seen = [d for c in self.gateway.charges.values() for d in c.disputes if d.state not in ("won", "lost")]
        if seen:
            self.gateway.close_dispute(seen[pick % len(seen)].ref, is_won=is_won)

    @rule()
    def drop_the_line(self) -> None:
        self.gateway.drops_line = True

    # --- What machines do -----------------------------------------------------------------------

    @rule(minutes=st.sampled_from([6, 16, 60, 60 * 24]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE
        self.gateway.now = self.now
        sweeps.process_due(self.now)

    @rule(limit=st.integers(1, 5))
    def call(self, limit: int) -> None:
        calls.run_due(now=self.now, limit=limit)

    @precondition(lambda self: self.gateway.events)
    @rule(pick=PICK, copies=st.integers(0, 3))
    def deliver(self, pick: int, copies: int) -> None:
        """Any of the events, in any order; no copy means that it is lost."""
        event = self.gateway.events.pop(pick % len(self.gateway.events))
        self.heard.append(event)
        for _ in range(copies):
            events.store(NAME, event, now=self.now)
        events.process_due(now=self.now)

    @precondition(lambda self: self.heard)
    @rule(pick=PICK)
    def deliver_again(self, pick: int) -> None:
        events.store(NAME, self.heard[pick % len(self.heard)], now=self.now)
        events.process_due(now=self.now)

    @rule()
    def pay_out(self) -> None:
        payouts.collect_due(now=self.now)

    # --- What is always true --------------------------------------------------------------------

    @invariant()
    def is_sound(self) -> None:
        if hasattr(self, "patch"):
            assert broken() == []

    def come_to_rest(self) -> None:
        """Time goes on until nothing is due any more. Then both sides agree, and every booking adds up."""
        self.gateway.drops_line = False
        if self.heard:  # the rest of the events is lost
            self.gateway.events.clear()
        for complaint in Complaint.objects.filter(closed_at=None):
            aftercare.close_complaint(complaint, by=self.town.staff, answer="So.", now=self.now)
        for _ in range(5):
            self.now += OVERDUE
            self.gateway.now = self.now
            sweeps.process_due(self.now)
            calls.run_due(now=self.now)
            for payment in Payment.objects.exclude(ref=None):
                charges.sync(payment, now=self.now)
            hear(self.gateway, now=self.now)
            payouts.collect_due(now=self.now)
        calls.run_due(now=self.now)
        reconciliation.run(NAME, since=NOW - DAY, now=self.now)
        assert list(ReconciliationDifference.objects.values_list("kind", "object_kind", "ref", "ours", "theirs")) == []
        assert broken() == []
        assert sum(balances(self.currency).values()) == 0
        assert set(Payout.objects.values_list("state", flat=True)) <= {"paid"}
        assert clearing(self.currency) == self.gateway.balance(self.currency)
        assert not Booking.objects.filter(state__in=["held", "pending", "in_progress"]).exists()
        assert not Payment.objects.filter(state="authorized", invoice__booking__state="cancelled").exists()
        for booking in Booking.objects.exclude(invoice=None):
            self.reconciles(booking)
        self.seen.update(BookingEvent.objects.values_list("action", flat=True))
        self.seen.update(f"refund {origin}" for origin in Refund.objects.values_list("origin", flat=True))
        self.seen.update(f"payment {state}" for state in Payment.objects.values_list("state", flat=True))
        self.seen.update(f"payout {state}" for state in Payout.objects.values_list("state", flat=True))

    def reconciles(self, booking: Booking) -> None:
        """Captured - refunded - lost - what everybody got = what is still the customer's; nothing of what has ended."""
        family = [booking.invoice_id, *Invoice.objects.filter(parent=booking.invoice).values_list("pk", flat=True)]
        payments = list(Payment.objects.filter(invoice__in=family))
        disputes = Dispute.objects.filter(payment__in=payments)
        taken = sum(one.captured_amount - one.refunded_amount for one in payments)
        lost = sum(one.amount for one in disputes.filter(state="lost"))
        got = dict.fromkeys(AccountKind, 0)
        posted = LedgerLine.objects.filter(entry__invoice__in=family)
        for kind, amount in posted.filter(entry__kind="recognition").values_list("account__kind", "amount"):
            got[kind] -= amount
        provider = got["provider_payable"] + got["tax_payable"] + got["tips_payable"]
        left = -sum(posted.filter(account__kind="customer_funds").values_list("amount", flat=True))
        assert taken - lost == left + provider + got["platform_fees"] + got["promotions"] + got["disputes"]
        cash = sum(posted.filter(account__kind="cash").values_list("amount", flat=True))
        assert sum(PayoutItem.objects.filter(invoice__in=family).values_list("amount", flat=True)) == provider - cash
        for payment in payments:
            back = Refund.objects.filter(payment=payment).exclude(state="failed").values_list("amount", flat=True)
            assert sum(back) == payment.refunded_amount <= payment.captured_amount
        is_clean = not disputes.exists() and not Refund.objects.filter(payment__in=payments, state="failed").exists()
        if booking.state not in LIVE_STATES and is_clean:
            assert left == 0


def test_every_booking_adds_up(db: None) -> None:
    towns = {currency: Town(currency) for currency in PRICES}
    seen: Counter[str] = Counter()
    machine = type("Machine", (Journeys,), {"towns": towns, "seen": seen})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=ASKED or 3,
            stateful_step_count=40 if ASKED else 8,
            deadline=None,
            derandomize=not ASKED,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    missing = (MUST_HAPPEN if ASKED else IN_FEW_LIVES) - set(seen)
    assert missing == set(), f"never happened: {missing}"
