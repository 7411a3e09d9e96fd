"""Small steps of money for tests: sales that are written, paid on the sandbox, and earned."""

import datetime as dt
from typing import Any

from accounts.models import User
from payments.domain import charges, invoices
from payments.domain.invoices import InvoiceTerms, Line
from payments.gateways import sandbox
from payments.models import Invoice, InvoiceState, LineKind, Payment
from providers.domain import team
from providers.models import Membership, Provider
from tests.factories import UserFactory, make_branch, make_provider

NOV = dt.datetime(2026, 11, 10, 12, tzinfo=dt.UTC)
DEC = dt.datetime(2026, 12, 5, 12, tzinfo=dt.UTC)
# 100.00 with 19 % tax inside; the platform takes 10.00 of the provider.
TERMS = InvoiceTerms(tax_rate_bp=1900, is_tax_inclusive=True, tax_amount=1597, commission=1000)


def make_business(**fields: Any) -> Provider:
    provider = make_provider(**fields)
    make_branch(provider)
    return provider


def make_sale(provider: Provider | None = None, **options: Any) -> Invoice:
    options = {
        "lines": [Line(LineKind.BASE, "Walk", 1, 10_000)], "currency": "EUR", "subject": "Walk with Rex",
        "due_at": NOV, "state": InvoiceState.DRAFT, "prepay_amount": 10_000, "terms": TERMS,
        "payer": options.pop("payer", None) or UserFactory(),
    } | options  # fmt: skip
    return invoices.write(provider=provider or make_business(), **options)


def pay(invoice: Invoice, *, now: dt.datetime = NOV, token: str = "tok_visa") -> Payment:
    started = charges.start(
        invoice, by=invoice.payer, gateway="sandbox", now=now, return_url="http://testserver/back/"
    )  # fmt: skip
    sandbox.pay(started.payment.ref or "", token=token)
    payment = charges.sync(started.payment, now=now)
    invoice.refresh_from_db()
    return payment


def earn(invoice: Invoice, *, now: dt.datetime = NOV) -> Invoice:
    return invoices.earn(invoice, now=now, payout_due_at=now + dt.timedelta(days=2))


def owe(provider: Provider, *, due_at: dt.datetime = NOV, total: int = 2500, **options: Any) -> Invoice:
    """Return an issued invoice of a visit that nobody has paid yet."""
    sale = make_sale(
        provider, state=InvoiceState.OPEN, prepay_amount=0, due_at=due_at, terms=InvoiceTerms(),
        lines=[Line(LineKind.BASE, "Walk", 1, total)], **options,
    )  # fmt: skip
    return earn(sale, now=due_at)


def manager_of(provider: Provider) -> User:
    return User.objects.get(pk=Membership.objects.filter(provider=provider, role="manager").earliest("pk").user_id)


def staff_of(provider: Provider) -> User:
    user = UserFactory()
    team.add(provider, email=user.email, role="staff", by=manager_of(provider))
    return user
