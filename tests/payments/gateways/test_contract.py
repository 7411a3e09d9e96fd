"""What every gateway does alike. Stripe and PayPal are asked over HTTP, at fakes that remember."""

import contextlib
import dataclasses
import datetime as dt
from uuid import uuid4

import pytest
from django.utils import timezone

from payments.gateways import BadSignature, GatewayRefused, GatewayUnavailable, GatewayUnknown, RefundSeen, breaker
from tests.payments.gateways.worlds import RETURN_URL, World

pytestmark = pytest.mark.django_db


def key() -> str:
    return f"test:{uuid4()}"


# --- Charges ------------------------------------------------------------------------------------


def test_new_charge_waits_for_its_payer(world: World) -> None:
    request = world.request(amount=12_345, currency="EUR")

    charge = world.gateway.create(request, key=key())

    assert (charge.state, charge.amount, charge.currency) == ("requires_payment", 12_345, "EUR")
    assert (charge.authorized, charge.captured, charge.refunds, charge.disputes) == (0, 0, (), ())
    assert charge.metadata == request.metadata
    assert charge.client_secret or charge.redirect_url
    assert world.gateway.retrieve(charge.ref) == charge


@pytest.mark.parametrize(("amount", "currency"), [(500, "JPY"), (99_999_999, "EUR"), (1, "USD")])
def test_amounts_come_back_as_they_went(world: World, amount: int, currency: str) -> None:
    charge = world.captured(amount=amount, currency=currency)

    assert (charge.amount, charge.captured, charge.currency) == (amount, amount, currency)


def test_same_key_makes_one_charge(world: World) -> None:
    request, same = world.request(), key()

    first, second = (world.gateway.create(request, key=same) for _ in range(2))

    assert first.ref == second.ref
    assert world.gateway.create(request, key=key()).ref != first.ref


def test_nothing_is_not_charged(world: World) -> None:
    with pytest.raises(GatewayRefused):
        world.create(amount=0)


def test_manual_charge_is_authorized_then_captured_whole(world: World) -> None:
    charge = world.authorized(capture="manual")
    assert (charge.state, charge.authorized, charge.captured) == ("authorized", 10_000, 0)

    captured = world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key=key())

    assert (captured.state, captured.authorized, captured.captured) == ("captured", 10_000, 10_000)
    assert world.gateway.retrieve(charge.ref) == captured


def test_automatic_charge_is_captured_when_paid(world: World) -> None:
    charge = world.captured()

    assert (charge.state, charge.captured) == ("captured", 10_000)
    assert world.made()["charges"] == 1


def test_part_can_be_captured(world: World) -> None:
    charge = world.authorized()

    captured = world.gateway.capture(charge.ref, amount=4_000, currency="EUR", key=key())

    assert (captured.state, captured.captured) == ("captured", 4_000)
    with pytest.raises(GatewayRefused):  # the rest is released
        world.gateway.capture(charge.ref, amount=6_000, currency="EUR", key=key())


@pytest.mark.parametrize("is_same_key", [True, False])
def test_capture_repeated_takes_once(world: World, is_same_key: bool) -> None:
    charge = world.authorized()
    same = key()

    for _ in range(3):
        captured = world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key=same if is_same_key else key())

    assert captured.captured == 10_000
    assert world.made()["charges"] == 1


def test_more_than_authorized_is_not_captured(world: World) -> None:
    charge = world.authorized()

    with pytest.raises(GatewayRefused):
        world.gateway.capture(charge.ref, amount=10_001, currency="EUR", key=key())

    assert world.gateway.retrieve(charge.ref).state == "authorized"


def test_unpaid_charge_is_not_captured(world: World) -> None:
    charge = world.create()

    with pytest.raises(GatewayRefused):
        world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key=key())


def test_void_releases_and_can_be_repeated(world: World) -> None:
    charge = world.authorized()

    states = {world.gateway.void(charge.ref, key=key()).state for _ in range(2)}

    assert states == {"canceled"}
    with pytest.raises(GatewayRefused):
        world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key=key())


def test_voided_unpaid_charge_cannot_be_paid_any_more(world: World) -> None:
    charge = world.create(capture="automatic")

    assert world.gateway.void(charge.ref, key=key()).state == "canceled"

    if world.name != "stripe":  # there the browser is refused before anything is sent
        world.pay(charge.ref)
    assert world.gateway.retrieve(charge.ref).state == "canceled"
    assert world.made()["charges"] == 0


def test_captured_charge_is_not_voided(world: World) -> None:
    charge = world.captured()

    with pytest.raises(GatewayRefused):
        world.gateway.void(charge.ref, key=key())

    assert world.gateway.retrieve(charge.ref).state == "captured"


@pytest.mark.parametrize("means", ["declined", "insufficient"])
def test_declined_payer_may_try_again(world: World, means: str) -> None:
    charge = world.create(capture="automatic")

    world.pay(charge.ref, means)
    declined = world.gateway.retrieve(charge.ref)

    assert declined.state == "requires_payment"
    assert declined.failure_code
    assert declined.failure_message
    assert declined.client_secret or declined.redirect_url
    assert world.made()["charges"] == 0

    world.pay(charge.ref)
    paid = world.gateway.retrieve(charge.ref)

    assert (paid.state, paid.failure_code) == ("captured", "")
    assert world.made()["charges"] == 1


@pytest.mark.parametrize("is_approved", [True, False])
def test_challenge_decides(world: World, is_approved: bool) -> None:
    if not world.has_challenge:
        charge = world.authorized()  # PayPal asks on its own pages: what comes back is decided
        assert charge.state == "authorized"
        return
    charge = world.create()
    world.pay(charge.ref, "3ds")
    assert world.gateway.retrieve(charge.ref).state == "requires_action"

    world.answer_challenge(charge.ref, is_approved=is_approved)
    found = world.gateway.retrieve(charge.ref)

    assert found.state == ("authorized" if is_approved else "requires_payment")
    assert bool(found.failure_code) is not is_approved


@pytest.mark.parametrize("ref", ["pi_000000000000000000000000", "nothing", "../../v1/balance", "a b", "", "x" * 300])
def test_unknown_reference_is_refused(world: World, ref: str) -> None:
    for call in (
        lambda: world.gateway.retrieve(ref),
        lambda: world.gateway.capture(ref, amount=1, currency="EUR", key=key()),
        lambda: world.gateway.void(ref, key=key()),
        lambda: world.gateway.refund(ref, amount=1, currency="EUR", key=key()),
    ):
        with pytest.raises(GatewayUnknown):
            call()


# --- Refunds ------------------------------------------------------------------------------------


def test_refunds_in_parts_never_exceed_what_was_captured(world: World) -> None:
    charge = world.captured()

    first = world.gateway.refund(charge.ref, amount=6_000, currency="EUR", key=key(), reason="Cancelled in time")
    with pytest.raises(GatewayRefused):
        world.gateway.refund(charge.ref, amount=4_001, currency="EUR", key=key())
    second = world.gateway.refund(charge.ref, amount=4_000, currency="EUR", key=key())
    with pytest.raises(GatewayRefused):
        world.gateway.refund(charge.ref, amount=1, currency="EUR", key=key())

    assert (first.amount, first.state, second.amount) == (6_000, "succeeded", 4_000)
    assert world.gateway.retrieve(charge.ref).refunds == (first, second)


def test_refund_repeated_with_its_key_is_one(world: World) -> None:
    charge = world.captured()
    same = key()

    made = {world.gateway.refund(charge.ref, amount=3_000, currency="EUR", key=same) for _ in range(3)}

    assert len(made) == 1
    assert world.gateway.retrieve(charge.ref).refunds == tuple(made)
    assert world.made()["refunds"] == 1


def test_unpaid_charge_is_not_refunded(world: World) -> None:
    with pytest.raises(GatewayRefused):
        world.gateway.refund(world.create().ref, amount=1, currency="EUR", key=key())


def test_refund_of_the_dashboard_is_seen(world: World) -> None:
    charge = world.captured()

    world.refund_in_dashboard(charge.ref, 2_500)

    (seen,) = world.gateway.retrieve(charge.ref).refunds
    assert (seen.amount, seen.state) == (2_500, "succeeded")


def test_refund_that_failed_later_is_seen(world: World) -> None:
    charge = world.captured()
    refund = world.gateway.refund(charge.ref, amount=2_500, currency="EUR", key=key())

    world.fail_refund(refund.ref)

    assert world.gateway.retrieve(charge.ref).refunds == (RefundSeen(refund.ref, 2_500, "failed"),)


# --- Disputes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_won", [True, False])
def test_dispute_is_seen_answered_and_decided(world: World, is_won: bool) -> None:
    charge = world.captured()
    ref = world.open_dispute(charge.ref)

    (opened,) = world.gateway.retrieve(charge.ref).disputes
    assert (opened.ref, opened.amount, opened.fee, opened.state) == (ref, 10_000, 1_500, "open")
    assert opened.reason
    assert opened.due_at is not None
    assert opened.due_at > timezone.now()
    assert not opened.is_refundable
    with pytest.raises(GatewayRefused):
        world.gateway.refund(charge.ref, amount=1_000, currency="EUR", key=key())

    for _ in range(2):
        world.gateway.submit_evidence(ref, {"timeline": "Started 10:00, ended 11:00"}, key=key())
    assert world.gateway.retrieve(charge.ref).disputes[0].state == "submitted"

    world.close_dispute(ref, is_won=is_won)
    (closed,) = world.gateway.retrieve(charge.ref).disputes
    assert (closed.state, closed.amount, closed.fee) == ("won" if is_won else "lost", 10_000, 1_500)


def test_inquiry_takes_nothing_and_may_be_refunded(world: World) -> None:
    charge = world.captured()
    world.open_dispute(charge.ref, is_inquiry=True)

    (seen,) = world.gateway.retrieve(charge.ref).disputes
    refund = world.gateway.refund(charge.ref, amount=1_000, currency="EUR", key=key())

    assert (seen.state, seen.fee, seen.is_refundable) == ("inquiry", 0, True)
    assert refund.state == "succeeded"


def test_card_that_disputes(world: World) -> None:
    charge = world.create(capture="automatic")

    world.pay(charge.ref, "disputed")

    found = world.gateway.retrieve(charge.ref)
    if not found.disputes:  # PayPal completes an order when it is first looked at
        found = world.gateway.retrieve(charge.ref)
    assert [dispute.state for dispute in found.disputes] == ["open"]


# --- Providers ----------------------------------------------------------------------------------


def test_onboarding_leads_to_a_ready_account(world: World) -> None:
    ref = world.gateway.create_account(email="sitter@demo.petplace.test", country="DE", key=key())
    url = world.gateway.onboarding_url(ref, return_url=RETURN_URL, refresh_url=RETURN_URL)

    assert url.startswith("http")
    assert world.gateway.account_ready(ref) is not world.has_onboarding
    world.finish_onboarding(ref)
    assert world.gateway.account_ready(ref)


def test_transfer_repeated_with_its_key_is_one(world: World) -> None:
    account = world.ready_account()
    same = key()

    first = world.gateway.transfer(account, amount=8_500, currency="EUR", key=same, description="Payout")
    world.settle_transfer(first.ref)
    second = world.gateway.transfer(account, amount=8_500, currency="EUR", key=same, description="Payout")

    assert first.ref == second.ref
    assert (second.amount, second.currency, second.state, second.failure) == (8_500, "EUR", "paid", "")
    assert world.made()["transfers"] == 1


def test_account_that_is_not_ready_gets_nothing(world: World) -> None:
    if not world.has_onboarding:  # an address is paid to; what nobody takes comes back
        same = {"amount": 1_000, "currency": "EUR", "key": key(), "description": "Payout"}
        sent = world.gateway.transfer("nobody@demo.petplace.test", **same)
        world.fake.settle_payout(sent.ref, "RETURNED")  # type: ignore[union-attr]
        returned = world.gateway.transfer("nobody@demo.petplace.test", **same)
        assert (sent.state, returned.state, bool(returned.failure)) == ("pending", "failed", True)
        return
    account = world.gateway.create_account(email="sitter@demo.petplace.test", country="DE", key=key())

    sent = world.gateway.transfer(account, amount=1_000, currency="EUR", key=key(), description="Payout")

    assert (sent.state, bool(sent.failure)) == ("failed", True)
    assert world.made()["transfers"] == 0


# --- Reconciliation -----------------------------------------------------------------------------


def test_movements_tell_the_whole_balance(world: World) -> None:
    since = timezone.now() - dt.timedelta(minutes=1)
    paid, disputed = world.captured(), world.captured(amount=5_000)
    world.authorized()  # moves nothing
    refund = world.gateway.refund(paid.ref, amount=2_000, currency="EUR", key=key())
    dispute = world.open_dispute(disputed.ref)
    world.close_dispute(dispute, is_won=True)
    sent = world.gateway.transfer(world.ready_account(), amount=3_000, currency="EUR", key=key(), description="Payout")
    world.settle_transfer(sent.ref)

    until = timezone.now() + dt.timedelta(minutes=1)
    found = list(world.gateway.movements(since=since, until=until))

    assert {(one.kind, one.amount, one.source_ref) for one in found if one.kind != "fee"} == {
        ("charge", 10_000, paid.ref),
        ("charge", 5_000, disputed.ref),
        ("refund", -2_000, refund.ref),
        ("dispute", -5_000, dispute),
        ("dispute_reversal", 5_000, dispute),
        ("transfer", -3_000, sent.ref),
    }
    assert all(one.amount < 0 for one in found if one.kind == "fee")
    assert -1_500 in {one.amount for one in found if one.kind == "fee" and one.source_ref == dispute}
    assert len({one.ref for one in found}) == len(found)
    assert all(one.currency == "EUR" and since <= one.at < until for one in found)
    assert list(world.gateway.movements(since=until, until=until + dt.timedelta(days=40))) == []


def test_failed_refund_moves_the_money_back(world: World) -> None:
    since = timezone.now() - dt.timedelta(minutes=1)
    charge = world.captured()
    refund = world.gateway.refund(charge.ref, amount=2_000, currency="EUR", key=key())
    world.fail_refund(refund.ref)

    found = world.gateway.movements(since=since, until=timezone.now() + dt.timedelta(minutes=1))

    amounts = sorted(one.amount for one in found if (one.kind, one.source_ref) == ("refund", refund.ref))
    assert amounts == [-2_000, 2_000]


# --- Webhooks -----------------------------------------------------------------------------------


def test_signed_event_is_read(world: World) -> None:
    charge = world.captured()
    body, now = world.event(charge.ref), timezone.now()

    event = world.gateway.parse_event(body, world.headers(body, at=now), now=now)

    assert (event.object_ref, event.payment_uid, event.is_test) == (charge.ref, charge.metadata["payment"], True)
    assert event.id
    assert event.kind
    again = world.gateway.parse_event(body, world.headers(body, at=now), now=now)
    assert again == dataclasses.replace(event)


@pytest.mark.parametrize("fault", ["secret", "scheme", "body", "old", "future", "missing", "garbage", "not JSON"])
def test_event_that_is_not_signed_now_is_refused(world: World, fault: str) -> None:
    charge = world.captured()
    body, now = world.event(charge.ref), timezone.now()
    ages = {"old": -world.too_old(), "future": dt.timedelta(seconds=301)}
    headers = world.headers(
        body,
        at=now + ages.get(fault, dt.timedelta(0)),
        is_good=fault != "secret",
        is_old_scheme=fault == "scheme",
    )
    if fault == "body":
        body = world.other_body(body)
    elif fault == "missing":
        headers = {}
    elif fault == "garbage":
        headers = dict.fromkeys(headers, "t=x,v1=,,=")
    elif fault == "not JSON":
        body = b"\xff\x00"
        headers = world.headers(body, at=now) if world.name != "stripe" else headers

    with pytest.raises(BadSignature):
        world.gateway.parse_event(body, headers, now=now)


@pytest.mark.parametrize("place", ["before", "after"])
def test_old_event_does_not_get_young_by_a_second_time(world: World, place: str) -> None:
    if world.name == "paypal":
        pytest.skip("PayPal has one header for the time alone")
    charge, now = world.captured(), timezone.now()
    body = world.event(charge.ref)
    ((name, header),) = world.headers(body, at=now - world.too_old()).items()
    young = f"t={int(now.timestamp())}"
    header = f"{young},{header}" if place == "before" else f"{header},{young}"

    with pytest.raises(BadSignature):
        world.gateway.parse_event(body, {name: header}, now=now)


# --- Faults on the line -------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["500", "429", "drop", "drop_after", "stored_500"])
def test_one_fault_is_repeated_with_one_effect(remote: World, fault: str) -> None:
    assert remote.fake is not None
    if fault == "stored_500" and remote.name == "paypal":
        fault = "500"  # PayPal remembers what it did, not that it failed
    gateway = remote.gateway

    def flaky(path: str) -> None:
        remote.fake.fail_next(fault, path=path)  # type: ignore[union-attr]

    flaky({"stripe": "/payment_intents", "paypal": "/orders"}[remote.name])
    charge = remote.create()
    remote.pay(charge.ref)
    gateway.retrieve(charge.ref)
    flaky("/capture")
    captured = gateway.capture(charge.ref, amount=10_000, currency="EUR", key=key())
    flaky("/refund")
    gateway.refund(charge.ref, amount=1_000, currency="EUR", key=key())
    account = remote.ready_account()
    flaky({"stripe": "/transfers", "paypal": "/payouts"}[remote.name])
    gateway.transfer(account, amount=1_000, currency="EUR", key=key(), description="Payout")
    voided = remote.authorized()
    flaky({"stripe": "/cancel", "paypal": "/void"}[remote.name])
    released = gateway.void(voided.ref, key=key())

    assert (captured.captured, released.state) == (10_000, "canceled")
    assert remote.fake.felt[fault] == 5
    assert remote.made() == {"charges": 1, "refunds": 1, "transfers": 1}
    assert not breaker.is_open(remote.name)


@pytest.mark.parametrize("fault", ["drop_after", "stored_500"])
def test_unknown_outcome_settles_with_the_same_key_later(remote: World, fault: str) -> None:
    """The registry gives up; hours later the same key is sent again, by then perhaps forgotten at the gateway."""
    assert remote.fake is not None
    if fault == "stored_500" and remote.name == "paypal":
        fault = "drop_after"
    charge = remote.captured()
    same = key()
    remote.fake.fail_next(fault, path="refunds" if remote.name == "stripe" else "/refund", times=3)
    with contextlib.suppress(GatewayUnavailable):
        remote.gateway.refund(charge.ref, amount=4_000, currency="EUR", key=same)
    assert remote.fake.felt[fault]

    remote.fake.planned.clear()
    remote.fake.stored.clear()  # type: ignore[attr-defined]
    remote.gateway.refund(charge.ref, amount=4_000, currency="EUR", key=same)

    assert remote.made()["refunds"] == 1
    assert [one.amount for one in remote.gateway.retrieve(charge.ref).refunds] == [4_000]


def test_silence_costs_one_timeout(remote: World, settings) -> None:
    assert remote.fake is not None
    settings.PAYMENT_TIMEOUT_SECONDS = 0.3
    charge = remote.captured()
    remote.fake.be(silence=1)

    started = dt.datetime.now(dt.UTC)
    with pytest.raises(GatewayUnavailable):
        remote.gateway.retrieve(charge.ref)

    assert dt.datetime.now(dt.UTC) - started < dt.timedelta(seconds=2)
    remote.fake.be()
    assert remote.gateway.retrieve(charge.ref).state == "captured"
