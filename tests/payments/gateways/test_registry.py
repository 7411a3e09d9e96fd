"""The guards around each call: no transaction, retries under the same key, and the breaker."""

import threading
import time
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from payments import tasks
from payments.gateways import GatewayDeclined, GatewayPaused, GatewayRefused, GatewayUnavailable, breaker, registry
from petplace import cache as cache_module
from tests.payments.gateways.worlds import PayPalWorld, SandboxWorld, StripeWorld, World


@pytest.fixture
def one_try(gateways: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is repeated, so that each call is one failure."""
    monkeypatch.setattr(registry, "ATTEMPTS", 1)


class Flaky:
    """An adapter of which only ``retrieve`` is called: it raises what it is told to, then works."""

    name, label, methods = "flaky", "Flaky", ("card",)

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def retrieve(self, ref: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return ref


def guarded(adapter: Any) -> Any:
    return registry.Guarded(adapter)


# --- Transactions -------------------------------------------------------------------------------


@pytest.mark.django_db
def test_no_gateway_is_called_inside_a_transaction(world: World) -> None:
    charge = world.create()

    with transaction.atomic(), pytest.raises(registry.TransactionOpenError):
        world.gateway.retrieve(charge.ref)

    assert world.gateway.retrieve(charge.ref) == charge


@pytest.mark.django_db
def test_no_webhook_is_read_inside_a_transaction(world: World) -> None:
    with transaction.atomic(), pytest.raises(registry.TransactionOpenError):
        world.gateway.parse_event(b"{}", {}, now=None)  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_is_a_transaction_too() -> None:
    with transaction.atomic(), transaction.atomic(), pytest.raises(registry.TransactionOpenError):
        registry.refuse_open_transaction()
    registry.refuse_open_transaction()


# --- Retries ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_unavailable_is_tried_again(gateways: Any) -> None:
    adapter = Flaky(GatewayUnavailable(), GatewayUnavailable())

    assert guarded(adapter).retrieve("x") == "x"
    assert adapter.calls == 3


@pytest.mark.django_db
def test_trying_ends(gateways: Any) -> None:
    adapter = Flaky(*[GatewayUnavailable()] * 10)

    with pytest.raises(GatewayUnavailable):
        guarded(adapter).retrieve("x")

    assert adapter.calls == registry.ATTEMPTS


@pytest.mark.django_db
@pytest.mark.parametrize("error", [GatewayDeclined("card_declined", "No."), GatewayRefused("No.")])
def test_a_no_is_not_asked_again(gateways: Any, error: Exception) -> None:
    adapter = Flaky(error)

    with pytest.raises(type(error)):
        guarded(adapter).retrieve("x")

    assert adapter.calls == 1


@pytest.mark.django_db
def test_time_used_up_ends_trying(gateways: Any) -> None:
    gateways.PAYMENT_TIMEOUT_SECONDS = 0.0
    adapter = Flaky(*[GatewayUnavailable()] * 10)

    with pytest.raises(GatewayUnavailable):
        guarded(adapter).retrieve("x")

    assert adapter.calls == 1


# --- The breaker --------------------------------------------------------------------------------


def fail(adapter: Any, times: int) -> None:
    gateway = guarded(adapter)
    adapter.errors = [GatewayUnavailable()] * times
    while adapter.errors:
        with pytest.raises(GatewayUnavailable):
            gateway.retrieve("x")


@pytest.mark.django_db
def test_breaker_opens_is_probed_and_closes(one_try: None, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Flaky()
    fail(adapter, breaker.THRESHOLD)
    assert breaker.is_open("flaky")

    with pytest.raises(GatewayPaused):
        guarded(adapter).retrieve("x")
    assert adapter.calls == breaker.THRESHOLD  # it was not asked

    now = time.time()
    monkeypatch.setattr(breaker.time, "time", lambda: now + breaker.COOLING + 1)
    assert breaker.is_open("flaky")  # until somebody has heard from it
    assert guarded(adapter).retrieve("x") == "x"
    assert not breaker.is_open("flaky")
    assert guarded(adapter).retrieve("y") == "y"


@pytest.mark.django_db
def test_failed_probe_starts_the_pause_again(one_try: None, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Flaky()
    fail(adapter, breaker.THRESHOLD)
    now = time.time()
    monkeypatch.setattr(breaker.time, "time", lambda: now + breaker.COOLING + 1)

    fail(adapter, 1)
    with pytest.raises(GatewayPaused):
        guarded(adapter).retrieve("x")

    assert adapter.calls == breaker.THRESHOLD + 1


@pytest.mark.django_db
def test_silence_counts_double(one_try: None, gateways: Any) -> None:
    gateways.PAYMENT_TIMEOUT_SECONDS = 0.0  # so that every failure took its whole time

    fail(Flaky(), 2)
    assert not breaker.is_open("flaky")
    fail(Flaky(), 1)

    assert breaker.is_open("flaky")


@pytest.mark.django_db
def test_one_of_many_is_the_probe(one_try: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(Flaky(), breaker.THRESHOLD)
    now = time.time()
    monkeypatch.setattr(breaker.time, "time", lambda: now + breaker.COOLING + 1)

    leaves: list[Any] = []
    threads = [threading.Thread(target=lambda: leaves.append(breaker.ask("flaky"))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [leave for leave in leaves if leave] == [breaker.Pass("flaky", is_probe=True)]


@pytest.mark.django_db
def test_a_success_between_failures_keeps_the_breaker_closed(one_try: None) -> None:
    adapter = Flaky()
    for _ in range(3):
        fail(adapter, breaker.THRESHOLD - 1)
        assert guarded(adapter).retrieve("x") == "x"

    assert not breaker.is_open("flaky")


@pytest.mark.django_db
def test_refusals_do_not_open_the_breaker(stripe_world: StripeWorld) -> None:
    for _ in range(2 * breaker.THRESHOLD):
        with pytest.raises(GatewayRefused):
            stripe_world.gateway.retrieve("pi_unknown")

    assert not breaker.is_open("stripe")


@pytest.mark.django_db
def test_each_gateway_has_a_breaker_of_its_own(stripe_world: StripeWorld, paypal_world: PayPalWorld) -> None:
    charge = stripe_world.create()
    stripe_world.fake.be(e500=1)
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            stripe_world.gateway.retrieve(charge.ref)

    assert (breaker.is_open("stripe"), breaker.is_open("paypal")) == (True, False)
    assert paypal_world.create().state == "requires_payment"


@pytest.mark.django_db
def test_redis_away_means_closed(one_try: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module.Circuit, "is_open", lambda self: True)
    adapter = Flaky()

    fail(adapter, 2 * breaker.THRESHOLD)

    assert not breaker.is_open("flaky")
    assert guarded(adapter).retrieve("x") == "x"


@pytest.mark.django_db
def test_forged_webhooks_do_not_open_the_breaker(world: World) -> None:
    for _ in range(2 * breaker.THRESHOLD):
        with pytest.raises(Exception, match="signature"):
            world.gateway.parse_event(b"{}", {}, now=None)  # type: ignore[arg-type]

    assert not breaker.is_open(world.name)


@pytest.mark.django_db
def test_probing_closes_the_breaker_without_a_payer(remote: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert remote.fake is not None
    remote.fake.be(e500=1)
    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            remote.gateway.retrieve("pi_1")
    assert breaker.is_open(remote.name)
    asked = len(remote.fake.seen)

    tasks.probe_gateways()
    assert len(remote.fake.seen) == asked  # too early

    now = time.time()
    monkeypatch.setattr(breaker.time, "time", lambda: now + breaker.COOLING + 1)
    tasks.probe_gateways()
    assert breaker.is_open(remote.name)  # it is not back yet

    remote.fake.be()
    monkeypatch.setattr(breaker.time, "time", lambda: now + 2 * breaker.COOLING + 2)
    tasks.probe_gateways()
    assert not breaker.is_open(remote.name)


def test_closing_forgets(gateways: Any) -> None:
    leave = breaker.Pass("x", is_probe=False)
    assert [breaker.failed(leave) for _ in range(breaker.THRESHOLD)] == [False] * (breaker.THRESHOLD - 1) + [True]

    breaker.close("x")

    assert not breaker.is_open("x")
    assert cache.get("gateway:x:failures") is None


# --- Which --------------------------------------------------------------------------------------


def test_offered_are_those_that_take_the_currency(gateways: Any) -> None:
    gateways.PAYMENT_GATEWAYS = ["paypal", "stripe"]

    assert [gateway.name for gateway in registry.offered("EUR")] == ["paypal", "stripe"]
    assert [gateway.name for gateway in registry.offered("KZT")] == ["stripe"]
    assert registry.default() == "paypal"


def test_gateway_takes_a_currency_only_while_it_is_set_up(gateways: Any) -> None:
    gateways.PAYMENT_GATEWAYS = ["paypal", "stripe"]

    takes = [registry.takes(*one) for one in (("stripe", "KZT"), ("paypal", "KZT"), ("paypal", "EUR"), ("gone", "EUR"))]

    assert takes == [True, False, True, False]


@pytest.mark.django_db
def test_gateway_that_is_no_longer_offered_still_refunds(stripe_world: StripeWorld, gateways: Any) -> None:
    charge = stripe_world.captured()
    gateways.PAYMENT_GATEWAYS = ["sandbox"]

    refund = stripe_world.gateway.refund(charge.ref, amount=100, currency="EUR", key="r:1")

    assert (refund.state, registry.names()) == ("succeeded", ["sandbox"])


@pytest.mark.parametrize("name", ["sandbox", "stripe", "paypal", "bank", ""])
def test_gateway_without_settings_is_refused(settings: Any, name: str) -> None:
    settings.PAYMENT_GATEWAYS = []
    settings.STRIPE_SECRET_KEY = settings.PAYPAL_CLIENT_ID = ""

    assert not registry.is_known(name)
    with pytest.raises(GatewayRefused):
        registry.get(name)
    with pytest.raises(GatewayRefused):
        registry.default()


@pytest.mark.django_db
def test_names_are_for_people(sandbox_world: SandboxWorld) -> None:
    shown = {name: (registry.get(name).label, registry.get(name).methods) for name in registry.names()}

    assert shown == {
        "stripe": ("Card", ("card",)),
        "paypal": ("PayPal", ("paypal",)),
        "sandbox": ("Test card", ("card",)),
    }
