"""The payment service falls silent while people click "Pay": they are told, and the site goes on for the others."""

import json
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from petplace.embedded.process import wait_until
from tests.faults.conftest import IS_FULL
from tests.faults.world import Answer, Site
from tests.payments.gateways import fake_stripe
from tests.payments.gateways.fake_stripe import FakeStripe

pytestmark = pytest.mark.fault

PAYERS = 40 if IS_FULL else 12
TIMEOUT = 6.0 if IS_FULL else 1.0  # seconds; full: the default
TOKEN = "t" * 32
PAUSED = b"paused"
HANG = 3 * TIMEOUT + 12  # seconds


@dataclass(frozen=True)
class Payer:
    invoice: str
    session: str


@pytest.fixture
def fake() -> Iterator[FakeStripe]:
    with FakeStripe().running() as running:
        yield running  # type: ignore[misc]


@pytest.fixture
def shop(site: Site, fake: FakeStripe) -> Iterator[Site]:
    """The site with Stripe as its gateway: its web processes started anew with other settings."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "PAYMENT_GATEWAYS": "stripe",
            "PAYMENT_TIMEOUT_SECONDS": str(TIMEOUT),
            "STRIPE_API_BASE": fake.url,
            "STRIPE_SECRET_KEY": fake_stripe.SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": "pk_test_fake",
            "STRIPE_WEBHOOK_SECRET": fake_stripe.WEBHOOK_SECRET,
        }.items():
            patch.setenv(name, value)
        site.stop_processes("web")
        site.start_web()
        yield site
        site.stop_processes("web")
    site.start_web()


@pytest.fixture
def payers(shop: Site) -> list[Payer]:
    printed = shop._run(sys.executable, "-m", "tests.faults.owe", str(PAYERS)).stdout.splitlines()[-1]
    return [Payer(*row) for row in json.loads(printed)]


def click(site: Site, payer: Payer) -> Answer:
    """Click "Pay": the answer leads back to the pay page, which shows the card form or says that paying is paused."""
    cookie = f"sessionid={payer.session}; csrftoken={TOKEN}"
    return site.call("POST", f"/pay/{payer.invoice}/", Cookie=cookie, X_CSRFToken=TOKEN)


def look(site: Site, payer: Payer) -> Answer:
    return site.call("GET", f"/pay/{payer.invoice}/", Cookie=f"sessionid={payer.session}")


class Visitor:
    """Somebody who looks at other pages all the while."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.stop = threading.Event()
        self.answers: list[tuple[float, Answer]] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self.stop.is_set():
            self.answers.append((time.monotonic(), self.site.call("GET", "/terms/")))
            time.sleep(0.02)

    def __enter__(self) -> "Visitor":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()

    def seconds(self, since: float = 0.0) -> list[float]:
        return [answer.seconds for at, answer in self.answers if at >= since]


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def all_click(site: Site, payers: list[Payer]) -> list[Answer]:
    found: list[Answer] = []
    threads = [threading.Thread(target=lambda payer=payer: found.append(click(site, payer))) for payer in payers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_silent_gateway_holds_nobody_up(shop: Site, fake: FakeStripe, payers: list[Payer]) -> None:
    assert {click(shop, payer).status for payer in payers[:2]} == {302}
    assert b"data-client-secret" in look(shop, payers[0]).body
    with Visitor(shop) as before:
        all_click(shop, payers[2:4])
        time.sleep(2)

    fake.be(silence=1)
    with Visitor(shop) as during:
        first = all_click(shop, payers)
        opened, silent_first = time.monotonic(), fake.felt["silence"]
        shown = [look(shop, payer) for payer in payers]
        second = all_click(shop, payers)
        time.sleep(2)
    fake.be()
    asked = len(fake.intents)

    assert {answer.status for answer in (*first, *second)} == {302}
    assert {answer.status for answer in shown} == {200}
    assert all(PAUSED in answer.body for answer in shown)
    assert {answer.status for _, answer in (*before.answers, *during.answers)} == {200}
    # Three silent calls open the breaker, wherever they are made; those of two processes may overlap. Then it is a
    # probe now and then that waits, however often people click.
    assert 3 <= silent_first <= 6
    assert fake.felt["silence"] - silent_first <= 2
    # The bound of a hang, not a measure of speed.
    assert max(answer.seconds for answer in (*first, *second, *shown)) < HANG
    assert max(during.seconds()) < HANG
    calm, busy = p95(before.seconds()), p95(during.seconds(opened))
    assert busy < 2 * calm + 0.5, (calm, busy)

    # It is well again: the next click is the probe, and everybody can pay.
    assert wait_until(lambda: b"data-client-secret" in _pay(shop, payers[-1]), 90, 1)
    assert {click(shop, payer).status for payer in payers} == {302}
    assert len(fake.intents) == PAYERS >= asked
    # Whose click was cut off has one payment all the same.
    rows = shop.sql("SELECT count(*), count(DISTINCT invoice_id) FROM payments_payment WHERE gateway = 'stripe'")
    assert rows == [(PAYERS, PAYERS)]


def _pay(site: Site, payer: Payer) -> bytes:
    click(site, payer)
    body: bytes = look(site, payer).body
    return body
