"""The three gateways, set up: the sandbox in the database, Stripe and PayPal as fakes on loopback."""

from collections.abc import Iterator
from typing import Any

import pytest
from tenacity import nap

from payments.gateways import registry
from tests.payments.gateways import fake_paypal, fake_stripe
from tests.payments.gateways.fake_paypal import FakePayPal
from tests.payments.gateways.fake_stripe import FakeStripe
from tests.payments.gateways.worlds import PayPalWorld, SandboxWorld, StripeWorld, World


@pytest.fixture
def gateways(settings: Any) -> Iterator[Any]:
    """Settings for all three; whatever a test changes is forgotten after it."""
    settings.PAYMENT_GATEWAYS = ["stripe", "paypal", "sandbox"]
    settings.PAYMENT_TIMEOUT_SECONDS = 2.0
    settings.STRIPE_SECRET_KEY = fake_stripe.SECRET_KEY
    settings.STRIPE_PUBLISHABLE_KEY = "pk_test_fake"
    settings.STRIPE_WEBHOOK_SECRET = fake_stripe.WEBHOOK_SECRET
    settings.PAYPAL_CLIENT_ID = fake_paypal.CLIENT_ID
    settings.PAYPAL_CLIENT_SECRET = fake_paypal.CLIENT_SECRET
    settings.PAYPAL_WEBHOOK_ID = fake_paypal.WEBHOOK_ID
    registry.forget()
    yield settings
    registry.forget()


@pytest.fixture
def stripe_world(gateways: Any) -> Iterator[StripeWorld]:
    with FakeStripe().running() as fake:
        gateways.STRIPE_API_BASE = fake.url
        yield StripeWorld(fake)  # type: ignore[arg-type]


@pytest.fixture
def paypal_world(gateways: Any) -> Iterator[PayPalWorld]:
    with FakePayPal().running() as fake:
        gateways.PAYPAL_API_BASE = fake.url
        yield PayPalWorld(fake)  # type: ignore[arg-type]


@pytest.fixture
def sandbox_world(gateways: Any, db: None) -> SandboxWorld:
    return SandboxWorld()


@pytest.fixture(params=["sandbox", "stripe", "paypal"])
def world(request: pytest.FixtureRequest, db: None) -> World:
    """Each of the three in turn."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found


@pytest.fixture(params=["stripe", "paypal"])
def remote(request: pytest.FixtureRequest, db: None) -> World:
    """Those that are reached over a line, which can fail."""
    found: World = request.getfixturevalue(f"{request.param}_world")
    return found


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait for nothing."""
    monkeypatch.setattr(nap.time, "sleep", lambda seconds: None)
