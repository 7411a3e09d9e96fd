"""Payments against what happens to their bookings at the same moment: nothing is sold twice, no money stays behind."""

import functools

import pytest
from django.db.models import F

from bookings.domain import lifecycle, reservation
from bookings.models import Allocation, Booking, BookingEvent, Quote
from payments.domain import calls, charges
from payments.gateways import sandbox
from payments.models import AccountKind, LedgerLine, Payment, Refund
from providers.models import Service
from tests.races.burst import SIZE, Crew
from tests.races.world import HOUR, World

LOST = ["invalid_transition", "slot_taken"]


def prepaid(world, start, *, is_instant=True):
    """Return quotes of a service that is paid when booking, one for each owner."""
    service = Service.objects.filter(payment_policy="prepay", is_instant=is_instant).first() or world.service(
        ["table"], payment_policy="prepay", is_instant=is_instant
    )
    quotes = world.quotes(service, start)
    Quote.objects.filter(service=service).update(prepay_amount=F("total"))
    for quote in quotes:
        quote.prepay_amount = quote.total
    return quotes


def paid_at_gateway(booking):
    """Pay at the gateway's page; our side has not heard of it."""
    started = charges.start(booking.invoice, by=booking.owner, now=booking.due_at)
    sandbox.pay(started.payment.ref, token="tok_visa")
    return Payment.objects.get(pk=started.payment.pk)


def balance(kind):
    return sum(LedgerLine.objects.filter(account__kind=kind).values_list("amount", flat=True))


def settle(world):
    for _ in range(3):
        calls.run_due(now=world.now + HOUR)


@pytest.fixture
def world():
    world = World.build(2)
    world.resource("table")
    return world


def test_late_payment_against_a_new_booking(world, slots, host, report):
    """The hold has run out. Its payment is heard while somebody else books the time: one of them has it."""
    late_won = 0
    with Crew(2, host=host) as crew:
        for start in world.starts(slots):
            first, second = prepaid(world, start)
            booking = reservation.hold(first, by=first.owner, now=world.now)
            payment = paid_at_gateway(booking)
            ended_at = booking.due_at
            lifecycle.expire(booking, now=ended_at)
            tally = crew.burst(
                [
                    functools.partial(charges.sync, payment, now=ended_at),
                    functools.partial(reservation.hold, second, by=second.owner, now=world.now),
                ]
            )
            report.add(tally, LOST)
            settle(world)
            live = Allocation.objects.filter(is_live=True, during__overlap=(start, start + HOUR))
            booking.refresh_from_db()
            payment.refresh_from_db()
            assert live.count() == 1
            assert tally.outcomes[0] == "won"
            assert (tally.outcomes[1] == "won") == (booking.state == "cancelled")
            assert payment.refunded_amount == (0 if booking.is_confirmed else payment.captured_amount)
            late_won += booking.is_confirmed
            other = Booking.objects.filter(quote=second).first()
            if other:
                lifecycle.cancel(other, by=other.owner, now=world.now)
    report.name += f": {late_won} of {slots} late payers had it"
    assert balance(AccountKind.GATEWAY_CLEARING) == -balance(AccountKind.CUSTOMER_FUNDS) == 2500 * late_won


def test_payment_against_the_end_of_its_hold(world, slots, host, report):
    """Whichever is first: the time is still free, so that the payer has it in the end."""
    with Crew(2, host=host) as crew:
        for start in world.starts(slots):
            quote = prepaid(world, start)[0]
            booking = reservation.hold(quote, by=quote.owner, now=world.now)
            payment = paid_at_gateway(booking)
            tally = crew.burst(
                [
                    functools.partial(charges.sync, payment, now=booking.due_at),
                    functools.partial(lifecycle.expire, Booking.objects.get(pk=booking.pk), now=booking.due_at),
                ]
            )
            report.add(tally, LOST)
            settle(world)
            booking.refresh_from_db()
            actions = list(booking.events.values_list("action", flat=True))
            assert booking.is_confirmed
            assert actions in (["hold", "place"], ["hold", "expire", "revive"])
    assert Refund.objects.count() == 0
    assert balance(AccountKind.GATEWAY_CLEARING) == 2500 * slots


def test_answers_against_each_other_with_money(world, slots, host, report):
    """Accept, decline and cancel a request that is paid for: the money ends where the booking does."""
    kept = 0
    with Crew(3, host=host) as crew:
        for start in world.starts(slots):
            quote = prepaid(world, start, is_instant=False)[0]
            booking = reservation.hold(quote, by=quote.owner, now=world.now)
            payment = charges.sync(paid_at_gateway(booking), now=world.now)
            read = functools.partial(Booking.objects.get, pk=booking.pk)
            tally = crew.burst(
                [
                    functools.partial(lifecycle.accept, read(), by=world.manager, now=world.now),
                    functools.partial(lifecycle.decline, read(), by=world.manager, now=world.now, reason="No room."),
                    functools.partial(lifecycle.cancel, read(), by=quote.owner, now=world.now),
                ]
            )
            report.add(tally, LOST)
            settle(world)
            booking.refresh_from_db()
            payment.refresh_from_db()
            if booking.is_confirmed:
                kept += 1
                assert (payment.state, payment.refunded_amount) == ("captured", 0)
            else:
                left = payment.captured_amount - payment.refunded_amount
                assert (payment.state in ("voided", "captured"), left) == (True, 0)
    assert balance(AccountKind.GATEWAY_CLEARING) == 2500 * kept


def test_the_same_news_from_everywhere(world, host, report):
    """Return page, webhook and the look for lost events, two dozen at once: one step."""
    quote = prepaid(world, world.starts(1)[0])[0]
    booking = reservation.hold(quote, by=quote.owner, now=world.now)
    payment = paid_at_gateway(booking)
    with Crew(host=host) as crew:
        tally = crew.burst([functools.partial(charges.sync, payment, now=world.now)] * SIZE)
    report.add(tally)
    assert list(booking.events.values_list("action", flat=True)) == ["hold", "place"]
    assert balance(AccountKind.GATEWAY_CLEARING) == 2500
    assert tally.counts["won"] == SIZE


@pytest.mark.control
def test_control_payment_against_the_end_without_locks(world, control_host, report, settings):
    """The race can be lost: without locks a hold is placed and ended at once."""
    settings.DISABLE_BOOKING_LOCKS = settings.DISABLE_PAYMENT_LOCKS = True
    broken = tried = 0
    with Crew(2, host=control_host) as crew:
        for start in world.starts(60):
            if broken >= 2:  # on a fast line not every burst meets
                break
            tried += 1
            quote = prepaid(world, start)[0]
            booking = reservation.hold(quote, by=quote.owner, now=world.now)
            payment = paid_at_gateway(booking)
            tally = crew.burst(
                [
                    functools.partial(charges.sync, payment, now=booking.due_at),
                    functools.partial(lifecycle.expire, Booking.objects.get(pk=booking.pk), now=booking.due_at),
                ]
            )
            report.add(tally, LOST)
            steps = BookingEvent.objects.filter(booking=booking).values_list("action", "from_state")
            broken += sorted(steps) == [("expire", "held"), ("hold", ""), ("place", "held")]
    report.name += f": {broken} of {tried} placed and ended"
    assert broken
