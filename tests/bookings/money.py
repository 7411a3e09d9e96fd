"""Bookings with play money: what a payer, the gateway and the workers do, one call each."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bookings.domain import lifecycle, reservation
from bookings.models import Booking
from payments.domain import calls, charges
from payments.gateways import breaker, registry, sandbox
from payments.models import AccountKind, Invoice, LedgerLine, Payment
from tests.factories import NOW, make_quote, make_service, manager_of

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def prepaid(**fields: Any) -> Any:
    """Return a service of 25.00 that is paid when booking; instant unless asked otherwise."""
    return make_service(**({"payment_policy": "prepay", "is_instant": True} | fields))


def held(service: Any = None, *, now: dt.datetime = NOW, **fields: Any) -> Booking:
    quote = make_quote(service or prepaid(), now=now, **fields)
    return reservation.hold(quote, by=quote.owner, now=now)


def begin(invoice: Invoice, *, now: dt.datetime = NOW) -> Payment:
    """Start to pay, and go no further than the gateway's page."""
    return charges.start(invoice, by=invoice.payer, now=now, return_url="http://testserver/back/").payment


def pay(invoice: Invoice, *, now: dt.datetime = NOW, token: str = "tok_visa") -> Payment:
    """Pay at the gateway and come back; what the gateway then has to do is done."""
    payment = begin(invoice, now=now)
    sandbox.pay(payment.ref or "", token=token)
    return charges.sync(payment, now=now)


def work(now: dt.datetime = NOW) -> None:
    """Let the workers make the calls that are due."""
    calls.run_due(now=now)


def paid_booking(state: str = "confirmed", *, now: dt.datetime = NOW, **fields: Any) -> Booking:
    """Return a booking that was paid when booking, brought to ``state`` by the steps that lead there."""
    service = fields.pop("service", None) or prepaid(is_instant=fields.pop("is_instant", state != "pending"))
    booking = held(service, now=now, **fields)
    pay(booking.invoice, now=now)
    booking = fresh(booking)
    if state == "pending":
        return booking
    if booking.is_pending:
        lifecycle.accept(booking, by=manager_of(booking), now=now)
        work(now)
    if state in ("in_progress", "completed"):
        lifecycle.start(booking, by=manager_of(booking), now=booking.starts_at)
    if state == "completed":
        lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at)
    if state == "no_show":
        lifecycle.report_no_show(booking, by=manager_of(booking), now=booking.starts_at)
    return fresh(booking)


def fresh(booking: Booking) -> Booking:
    return Booking.objects.select_related("invoice", "service__branch", "provider", "owner", "quote").get(pk=booking.pk)


def balance(kind: str, currency: str = "EUR") -> int:
    lines = LedgerLine.objects.filter(account__kind=kind, account__currency=currency)
    return sum(lines.values_list("amount", flat=True))


def funds() -> int:
    """Return what is held for customers: paid, and neither earned nor given back."""
    return -balance(AccountKind.CUSTOMER_FUNDS)


def clearing() -> int:
    return balance(AccountKind.GATEWAY_CLEARING)


def payable() -> int:
    return -balance(AccountKind.PROVIDER_PAYABLE)


@contextmanager
def paused() -> Iterator[None]:
    """Let every gateway's breaker be open."""
    for name in registry.names():
        for _ in range(breaker.THRESHOLD):
            breaker.failed(breaker.Pass(name, is_probe=False))
    yield
    for name in registry.names():
        breaker.close(name)
