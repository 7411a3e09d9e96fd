"""Steps that many tests of money share, and what must be true of money at any moment."""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import Sum

from payments.domain import calls, charges, events, invoices, ledger
from payments.domain.invoices import InvoiceTerms, Line
from payments.models import AccountKind, Invoice, InvoiceState, LedgerLine, LineKind, Payment
from petplace import invariants
from tests.payments.fake import NAME, FakeGateway

NOW = dt.datetime(2026, 11, 17, 8, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def sale(
    provider: Any, payer: Any, total: int = 10_000, *, terms: Any = None, prepay: int | None = None, **options: Any
):
    """Return a sale that is paid before (a draft, all of it by default); ``prepay=0`` is one paid at the visit."""
    prepay = total if prepay is None else prepay
    options = {"currency": provider.currency, "subject": "A visit", "due_at": NOW + DAY} | options
    return invoices.write(
        provider=provider, payer=payer, lines=[Line(LineKind.BASE, "A visit", 1, total)], prepay_amount=prepay,
        state=InvoiceState.DRAFT if prepay else InvoiceState.OPEN, terms=terms or InvoiceTerms(), **options,
    )  # fmt: skip


def paid(fake: FakeGateway, invoice: Invoice, *, now: dt.datetime = NOW) -> Payment:
    """Pay what is due now, and hear of it."""
    started = charges.start(invoice, by=invoice.payer, now=now)
    fake.pay(started.charge.ref)
    return charges.sync(started.payment, now=now)


def hear(fake: FakeGateway, *, now: dt.datetime = NOW) -> None:
    """Deliver all events, and make all calls, until nothing is left to do."""
    for _ in range(20):
        while fake.events:
            events.store(NAME, fake.events.pop(0), now=now)
        events.process_due(now=now)
        calls.run_due(now=now)
        if not fake.events:
            return
    raise AssertionError("it does not come to rest")


def balance(kind: AccountKind, currency: str = "EUR") -> int:
    """Return the balance of all accounts of a kind."""
    lines = LedgerLine.objects.filter(account__kind=kind, account__currency=currency)
    return lines.aggregate(sum=Sum("amount"))["sum"] or 0


def balances(currency: str = "EUR") -> dict[str, int]:
    """Return what is not zero, by kind of account."""
    found = {str(kind): balance(kind, currency) for kind in AccountKind}
    return {kind: amount for kind, amount in found.items() if amount}


def funds(invoice: Invoice) -> int:
    """Return what of an invoice is still the customer's, credit positive."""
    lines = LedgerLine.objects.filter(account__kind=AccountKind.CUSTOMER_FUNDS, entry__invoice=invoice)
    return -(lines.aggregate(sum=Sum("amount"))["sum"] or 0)


def broken() -> list[str]:
    """Return what is not true although it must be; the deferred checks of the ledger are made now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    found = [one for one in invariants.check() if not one.is_ok and "payments_" in one.invariant.sql]
    return [str(one) for one in found if "now()" not in one.invariant.sql]  # tests have a clock of their own


def clearing(currency: str = "EUR") -> int:
    return ledger.balance(AccountKind.GATEWAY_CLEARING, currency, detail=NAME)
