"""The payment service errs, cuts lines and falls silent: nobody pays twice, all that is unknown settles, nobody hangs.

Real HTTP to fakes that remember what they did. `make faults` runs it at full length.
"""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from payments import tasks
from payments.gateways import GatewayPaused, GatewayUnavailable, breaker
from tests.faults.conftest import IS_FULL
from tests.payments.gateways.conftest import gateways, paypal_world, stripe_world
from tests.payments.gateways.worlds import World

__all__ = ["gateways", "paypal_world", "stripe_world"]  # fixtures
pytestmark = [pytest.mark.fault, pytest.mark.django_db]

PAYMENTS = 600 if IS_FULL else 60
CLIENTS = 12 if IS_FULL else 6
SILENCE_SECONDS = 300 if IS_FULL else 4
TIMEOUT = 2.0 if IS_FULL else 0.5
SETTLED_WITHIN = 600.0
T = TypeVar("T")


@pytest.fixture(params=["stripe", "paypal"])
def world(request: pytest.FixtureRequest, gateways: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    gateways.PAYMENT_TIMEOUT_SECONDS = TIMEOUT
    monkeypatch.setattr(breaker, "COOLING", 1)
    found: World = request.getfixturevalue(f"{request.param}_world")
    yield found
    breaker.close(found.name)


@dataclass
class Payer:
    """Pays, lets it be captured, gets a part back; repeats each step under its key until the outcome is known."""

    world: World
    number: int
    unknown: int = 0
    paused: int = 0
    slowest: float = 0.0
    slowest_pause: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def run(self) -> None:
        gateway, world = self.world.gateway, self.world
        request = world.request(amount=10_000 + self.number, metadata={"payment": f"payment-{self.number}"})
        charge = self.known(lambda: gateway.create(request, key=f"pay:{self.number}"))
        world.pay(charge.ref)
        self.known(lambda: gateway.retrieve(charge.ref))
        captured = self.known(
            lambda: gateway.capture(charge.ref, amount=request.amount, currency="EUR", key=f"capture:{self.number}")
        )
        refund = self.known(
            lambda: gateway.refund(charge.ref, amount=2_500, currency="EUR", key=f"refund:{self.number}")
        )
        found = self.known(lambda: gateway.retrieve(charge.ref))
        if (captured.captured, found.captured, found.refunds) != (request.amount, request.amount, (refund,)):
            self.wrong.append(f"{self.number}: {found}")

    def known(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + SETTLED_WITHIN
        while True:
            started = time.monotonic()
            try:
                return call()
            except GatewayPaused:
                self.paused += 1
                self.slowest_pause = max(self.slowest_pause, time.monotonic() - started)
            except GatewayUnavailable:
                self.unknown += 1
            finally:
                self.slowest = max(self.slowest, time.monotonic() - started)
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.number}: unknown for {SETTLED_WITHIN} s")
            time.sleep(random.uniform(0.05, 0.2))


def run_all(payers: list[Payer]) -> None:
    """Let ``CLIENTS`` of them work at a time; raise what any of them raised."""
    waiting = iter(payers)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        while True:
            with lock:
                payer = next(waiting, None)
            if payer is None:
                return
            try:
                payer.run()
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def assert_each_once(world: World, payers: list[Payer]) -> None:
    assert [wrong for payer in payers for wrong in payer.wrong] == []
    assert world.made() == {"charges": len(payers), "refunds": len(payers), "transfers": 0}


def test_errors_and_cut_lines_charge_nobody_twice(world: World) -> None:
    assert world.fake is not None
    rates = {"e500": 0.05, "drop": 0.02, "drop_after": 0.05, "e429": 0.02, "stored_500": 0.02}
    if world.name == "paypal":
        del rates["stored_500"]  # PayPal remembers what it did, not that it failed
    world.fake.be(**rates)
    payers = [Payer(world, number) for number in range(PAYMENTS)]

    run_all(payers)

    assert_each_once(world, payers)
    assert all(world.fake.felt[name.removeprefix("e")] > 0 for name in rates), world.fake.felt
    assert not breaker.is_open(world.name)  # one fault in ten is no outage


def test_silence_opens_the_breaker_and_nobody_hangs(world: World) -> None:
    assert world.fake is not None
    fake = world.fake
    payers = [Payer(world, number) for number in range(PAYMENTS)]
    opened = threading.Event()
    is_over = threading.Event()

    def outage() -> None:
        time.sleep(0.3)
        fake.be(silence=1)
        deadline = time.monotonic() + SILENCE_SECONDS
        while time.monotonic() < deadline:
            if breaker.is_open(world.name):
                opened.set()
            time.sleep(0.05)
        fake.be()
        is_over.set()

    thread = threading.Thread(target=outage)
    thread.start()
    run_all(payers)
    thread.join()

    assert_each_once(world, payers)
    assert is_over.is_set()
    assert opened.is_set()
    assert not breaker.is_open(world.name)
    assert sum(payer.paused for payer in payers) > 0
    # A quick failure may come before the silence: two timeouts, and a busy machine's second.
    assert max(payer.slowest for payer in payers) < 2 * TIMEOUT + 1
    assert max(payer.slowest_pause for payer in payers) < TIMEOUT  # it is not asked at all


def test_outage_without_payers_ends_by_the_probe(world: World) -> None:
    assert world.fake is not None
    world.fake.be(silence=1)
    for _ in range(breaker.THRESHOLD):
        with pytest.raises(GatewayUnavailable):
            world.gateway.retrieve("pi_1")
    assert breaker.is_open(world.name)

    world.fake.be()
    for _ in itertools.takewhile(lambda _: breaker.is_open(world.name), range(100)):
        tasks.probe_gateways()
        time.sleep(0.05)

    assert not breaker.is_open(world.name)


def test_control_with_a_new_key_for_each_try_pays_twice(world: World) -> None:
    """The suite can fail: a caller that makes a new key for each try gives the money back twice."""
    assert world.fake is not None
    charge = world.captured()
    given = []
    for key in ("first", "second"):
        execute = world.fake.execute

        def cut_after(request: Any, execute: Any = execute) -> Any:
            answer = execute(request)
            if request.method == "POST" and "refund" in request.path and not given:
                given.append(request.path)
                time.sleep(2 * TIMEOUT)  # done, but the answer comes too late
            return answer

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(GatewayUnavailable):
            patch.setattr(world.fake, "execute", cut_after)
            world.gateway.refund(charge.ref, amount=2_500, currency="EUR", key=key)

    assert world.made()["refunds"] == 2
