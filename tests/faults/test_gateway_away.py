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
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from payments import tasks
from payments.domain import calls, charges, invoices, refunds
from payments.domain.invoices import InvoiceTerms, Line
from payments.gateways import GatewayPaused, GatewayUnavailable, breaker, registry
from payments.models import AccountKind, Invoice, InvoiceState, LedgerLine, LineKind, Payment, Refund
from tests import factories
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


# --- With our own books -------------------------------------------------------------------------


@dataclass
class Books:
    """Invoices that are paid through the domain, with workers beside it: what the site does, without its pages."""

    world: World
    invoices: list[Invoice]
    slowest: float = 0.0
    paused: int = 0
    errors: list[BaseException] = field(default_factory=list)

    def pay(self, invoice: Invoice) -> None:
        """Click "Pay" until it leads somewhere, pay there, come back, be accepted, get a part back."""
        now = timezone.now
        while True:
            started_at = time.monotonic()
            try:
                started = charges.start(invoice, by=invoice.payer, gateway=self.world.name, now=now())
                break
            except GatewayUnavailable as error:
                self.paused += isinstance(error, GatewayPaused)
            finally:
                self.slowest = max(self.slowest, time.monotonic() - started_at)
            time.sleep(0.2)
        self.world.pay(started.charge.ref)
        with contextlib.suppress(GatewayUnavailable):  # the return page shows "pending" then
            charges.sync(started.payment, now=now())

    def pay_all(self) -> None:
        waiting = iter(self.invoices)
        lock = threading.Lock()

        def work() -> None:
            try:
                while (invoice := self._next(waiting, lock)) is not None:
                    self.pay(invoice)
            except BaseException as error:
                self.errors.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    @staticmethod
    def _next(waiting: Iterator[Invoice], lock: threading.Lock) -> Invoice | None:
        with lock:
            return next(waiting, None)

    def settle(self, is_settled: Callable[[], bool]) -> float:
        """Let the workers run, on a clock that moves when nothing is due any more; return how far it went (s)."""
        start = timezone.now()
        passed = 0.0
        while not is_settled():
            assert passed < SETTLED_WITHIN, "not everything was settled within ten minutes"
            now = start + timedelta(seconds=passed)
            charges.sync_stale(now=now)
            calls.run_due(now=now, seconds=60)
            if registry.is_paused():
                time.sleep(0.5)  # the breaker goes by the real clock
            else:
                passed += 15
        return passed


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("fault", ["errors", "silence"])
def test_books_and_gateway_agree_after_the_outage(world: World, fault: str) -> None:
    assert world.fake is not None
    fake = world.fake
    provider, payer = factories.make_provider(), factories.UserFactory()
    line = Line(LineKind.BASE, "A walk", 1, 10_000)
    written = [
        invoices.write(
            provider=provider, payer=payer, subject=f"Walk {number}", currency="EUR", lines=[line],
            due_at=timezone.now(), state=InvoiceState.DRAFT, prepay_amount=10_000,
            terms=InvoiceTerms(capture_method="manual"),
        )
        for number in range(PAYMENTS // 3)
    ]  # fmt: skip
    books = Books(world, written)
    sick = {"silence": 1.0} if fault == "silence" else {"e500": 0.05, "drop_after": 0.05}
    fake.be(**sick)
    get_well = threading.Timer(SILENCE_SECONDS if fault == "silence" else 3_600, fake.be)
    get_well.daemon = True  # a failed test must not wait for it
    get_well.start()

    books.pay_all()
    payments = Payment.objects.filter(invoice__in=written)
    took = [books.settle(lambda: not payments.exclude(state="authorized").exists())]
    for invoice in written:
        charges.want_capture(invoice, now=timezone.now())
    took.append(books.settle(lambda: not payments.exclude(state="captured").exists()))
    for payment in payments:
        refunds.request(payment, amount=2_500, by=None, reason="A shorter walk", now=timezone.now())
    took.append(books.settle(lambda: not Refund.objects.exclude(state="succeeded").exists()))
    get_well.cancel()
    fake.be()

    count = len(written)
    clearing = LedgerLine.objects.filter(account__kind=AccountKind.GATEWAY_CLEARING).aggregate(sum=Sum("amount"))
    assert world.made() == {"charges": count, "refunds": count, "transfers": 0}
    assert (payments.count(), {payment.captured_amount for payment in payments}) == (count, {10_000})
    assert clearing["sum"] == count * 7_500
    assert LedgerLine.objects.aggregate(sum=Sum("amount"))["sum"] == 0
    assert max(took) < SETTLED_WITHIN
    assert books.slowest < 4 * TIMEOUT + 2  # an attempt is one or two calls of two timeouts at most
    assert (books.paused > 0) is (fault == "silence")
