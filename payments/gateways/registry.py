"""The way to the gateways: ``registry.get(name)`` guards each call of an adapter.

1. No transaction of ours may be open: a slow gateway must never hold a lock.
2. The breaker may refuse at once (GatewayPaused).
3. GatewayUnavailable is tried again under the same key, with growing pauses, as long as the first timeout is not
   used up: quick failures are repeated, silence costs its timeout once.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache as remembered
from typing import TypeVar

from django.conf import settings
from django.core.signals import setting_changed
from django.db import connection
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter
from tenacity.stop import stop_base

from payments.gateways import breaker, history
from payments.gateways.base import (
    Charge,
    ChargeRequest,
    Event,
    GatewayError,
    GatewayPaused,
    GatewayRefused,
    GatewayUnavailable,
    Movement,
    PaymentGateway,
    RefundSeen,
    Transfer,
)

logger = logging.getLogger(__name__)

ATTEMPTS = 3
PROBES = {"stripe": "pi_probe"}
T = TypeVar("T")


class TransactionOpenError(RuntimeError):
    """A bug of ours: a gateway was about to be called while a transaction was open."""


def names() -> list[str]:
    """Return the gateways that new payments may use, the default first."""
    return list(settings.PAYMENT_GATEWAYS)


def default() -> str:
    """Return the gateway that is offered first. Raises GatewayRefused where people only pay at the visit."""
    if not names():
        raise GatewayRefused("Nothing can be paid online here.", code="gateway_unknown")
    return names()[0]


def offered(currency: str) -> list[PaymentGateway]:
    """Return the gateways that take ``currency``, the default first."""
    return [gateway for gateway in map(get, names()) if gateway.supports(currency)]


def is_known(name: str) -> bool:
    """Tell whether ``name`` can be called: it is offered, or was and still has its keys (refunds go on)."""
    return name in names() or bool(
        {"stripe": settings.STRIPE_SECRET_KEY, "paypal": settings.PAYPAL_CLIENT_ID}.get(name)
    )


def takes(name: str, currency: str) -> bool:
    """Tell whether the gateway of that name can be called and takes ``currency``."""
    return is_known(name) and get(name).supports(currency)


def get(name: str) -> PaymentGateway:
    """Return the gateway of that name, guarded. Raises GatewayRefused for one without settings."""
    if not is_known(name):
        raise GatewayRefused(f"The gateway {name!r} is not set up here.", code="gateway_unknown")
    return _guarded(name)


@remembered
def _guarded(name: str) -> "Guarded":
    return Guarded(_adapter(name))


def _adapter(name: str) -> PaymentGateway:
    # An adapter is imported when it is used: the SDK of one costs others neither time nor memory.
    if name == "stripe":
        from payments.gateways.stripe import StripeGateway

        return StripeGateway.from_settings()
    if name == "paypal":
        from payments.gateways.paypal import PayPalGateway

        return PayPalGateway.from_settings()
    from payments.gateways.sandbox import SandboxGateway

    return SandboxGateway()


def forget() -> None:
    """Build the adapters anew with the settings of now."""
    _guarded.cache_clear()


def _settings_changed(*, setting: str, **_: object) -> None:
    if setting.startswith(("PAYMENT_", "STRIPE_", "PAYPAL_", "SANDBOX_")):
        forget()


setting_changed.connect(_settings_changed)  # sent by tests alone


def is_paused() -> bool:
    """Tell whether nobody can pay online at the moment: every gateway's breaker is open."""
    return bool(names()) and all(breaker.is_open(name) for name in names())


def probe(name: str) -> None:
    """Ask a paused gateway whether it is back, with a reference that it cannot know: any answer will do."""
    if not breaker.is_probe_due(name):
        return
    try:
        get(name).retrieve(PROBES.get(name, "probe"))
    except GatewayError as error:
        logger.info("Gateway %s probed: %s", name, error)


class Guarded:
    """An adapter with its three guards around every call that leaves the process."""

    def __init__(self, adapter: PaymentGateway) -> None:
        self.adapter = adapter
        self.name = adapter.name
        self.label = adapter.label
        self.methods = adapter.methods

    def supports(self, currency: str) -> bool:
        return self.adapter.supports(currency)

    def create(self, request: ChargeRequest, *, key: str) -> Charge:
        return self._call(lambda: self.adapter.create(request, key=key))

    def retrieve(self, ref: str) -> Charge:
        return self._call(lambda: self.adapter.retrieve(ref))

    def capture(self, ref: str, *, amount: int, currency: str, key: str) -> Charge:
        return self._call(lambda: self.adapter.capture(ref, amount=amount, currency=currency, key=key))

    def void(self, ref: str, *, key: str) -> Charge:
        return self._call(lambda: self.adapter.void(ref, key=key))

    def refund(self, ref: str, *, amount: int, currency: str, key: str, reason: str = "") -> RefundSeen:
        return self._call(lambda: self.adapter.refund(ref, amount=amount, currency=currency, key=key, reason=reason))

    def transfer(self, account_ref: str, *, amount: int, currency: str, key: str, description: str) -> Transfer:
        return self._call(
            lambda: self.adapter.transfer(
                account_ref, amount=amount, currency=currency, key=key, description=description
            )
        )

    def create_account(self, *, email: str, country: str, key: str) -> str:
        return self._call(lambda: self.adapter.create_account(email=email, country=country, key=key))

    def onboarding_url(self, account_ref: str, *, return_url: str, refresh_url: str) -> str:
        return self._call(
            lambda: self.adapter.onboarding_url(account_ref, return_url=return_url, refresh_url=refresh_url)
        )

    def account_ready(self, account_ref: str) -> bool:
        return self._call(lambda: self.adapter.account_ready(account_ref))

    def submit_evidence(self, dispute_ref: str, evidence: dict[str, str], *, key: str) -> None:
        return self._call(lambda: self.adapter.submit_evidence(dispute_ref, evidence, key=key))

    def movements(self, *, since: datetime, until: datetime) -> Iterator[Movement]:
        return iter(self._call(lambda: list(self.adapter.movements(since=since, until=until))))

    def parse_event(self, body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
        """Not behind the breaker: a forged webhook must not be able to open it, nor a pause to refuse a true one."""
        refuse_open_transaction()
        return self.adapter.parse_event(body, headers, now=now)

    def _call(self, work: Callable[[], T]) -> T:
        if not (self.name == "sandbox" and history.is_played()):
            refuse_open_transaction()
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS) | _TimeUsedUp(settings.PAYMENT_TIMEOUT_SECONDS),
            wait=wait_exponential_jitter(multiplier=0.1, max=2, jitter=0.2),
            retry=retry_if_exception(_may_work_later),
            reraise=True,
        )
        answer: T = retrying(self._attempt, work)
        return answer

    def _attempt(self, work: Callable[[], T]) -> T:
        leave = breaker.ask(self.name)
        if leave is None:
            raise GatewayPaused
        started = time.monotonic()
        try:
            answer = work()
        except GatewayUnavailable as error:
            logger.warning("Gateway %s gave no answer: %s", self.name, error)
            is_slow = time.monotonic() - started >= settings.PAYMENT_TIMEOUT_SECONDS
            if breaker.failed(leave, is_slow=is_slow) and not leave.is_probe:
                logger.error("Gateway %s: paying is paused", self.name)
            raise
        except Exception:
            self._noted(leave)
            raise
        self._noted(leave)
        return answer

    def _noted(self, leave: breaker.Pass) -> None:
        breaker.worked(leave)
        if leave.is_probe:
            logger.warning("Gateway %s answers again", self.name)


class _TimeUsedUp(stop_base):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, retry_state: RetryCallState) -> bool:
        return time.monotonic() - retry_state.start_time >= self.seconds


def _may_work_later(error: BaseException) -> bool:
    return isinstance(error, GatewayUnavailable) and not isinstance(error, GatewayPaused)


def refuse_open_transaction() -> None:
    """Raise TransactionOpenError inside a transaction. Those that a test case wraps around a test do not count."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise TransactionOpenError("A gateway must not be called inside a transaction.")
