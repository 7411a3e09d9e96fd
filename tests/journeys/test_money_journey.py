"""Money in a real browser: paid with a good, a declined and a 3-D Secure card, given back, and paid out."""

import datetime as dt
import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, expect
from pypdf import PdfReader

from accounts.models import User
from messaging.models import Notification
from payments.domain import calls, charges, invoices, payouts, subjects
from payments.domain.invoices import InvoiceTerms, Line
from payments.models import GatewayEvent, Invoice, InvoiceState, LineKind, Payment
from payments.models.sandbox import SandboxEvent
from providers.models import Provider
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome  # noqa: F401
from tests.factories import UserFactory
from tests.payments.gateways.test_no_card_numbers import card_numbers
from tests.payments.steps import make_business, manager_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = [pytest.param("light", DESKTOP, id="desktop-light"), pytest.param("dark", PHONE, id="phone-dark")]
GOOD, DECLINED, SECURE = "4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0027 6000 3184"
Chrome = Callable[..., Page]


@pytest.fixture(autouse=True)
def _sandbox(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]


@pytest.fixture
def provider() -> Provider:
    return make_business(name="Park Pack")


@pytest.fixture
def owner() -> User:
    return UserFactory(full_name="Ann Example")


@pytest.fixture
def held() -> Iterator[None]:
    """The time is kept for a quarter of an hour."""
    until = timezone.now() + dt.timedelta(minutes=15)
    subject = subjects.register(
        lock=lambda sale: None, paid=lambda invoice, payment, now: None, describe=lambda sale: {},
        deadline=lambda sale: until,
    )  # fmt: skip
    yield
    subjects.unregister(subject)


@pytest.fixture
def overheard(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """All that browsers send in this test. At its end nothing of it, of the logs, or of our tables names a card."""
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    yield said
    kept = [str(row) for model in (SandboxEvent, GatewayEvent, Payment) for row in model.objects.values()]
    assert said, "nothing was sent at all"
    for text in [*said, caplog.text, *kept]:
        assert card_numbers(text) == [], text[:500]


def sale(provider: Provider, owner: User, *, deposit: int = 3500) -> Invoice:
    lines = [Line(LineKind.BASE, "One-hour walk", 1, 2500), Line(LineKind.ADDON, "Bath", 2, 500)]
    return invoices.write(
        provider=provider, payer=owner, subject="Walk with Bruno", currency="EUR", lines=lines,
        due_at=timezone.now(), state=InvoiceState.DRAFT, prepay_amount=deposit,
        terms=InvoiceTerms(tax_rate_bp=1900, is_tax_inclusive=True, tax_amount=559),
    )  # fmt: skip


def look(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)


def listen(page: Page, said: list[str]) -> Page:
    def note(request: Request) -> None:
        said.append(f"{request.method} {request.url} {request.headers} {request.post_data or ''}")

    page.on("request", note)
    return page


def begin(page: Page, invoice: Invoice) -> None:
    """Go to our page and from there to the gateway's."""
    page.goto(f"/pay/{invoice.uid}/")
    look(page)
    page.get_by_role("button", name=re.compile("^Pay €")).click()
    page.wait_for_url("**/sandbox/pay/**")


def type_card(page: Page, number: str) -> None:
    page.get_by_label("Test card number").fill(number)
    page.get_by_role("button", name=re.compile("^Pay €")).click()
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_good_card_pays_and_the_visit_is_paid_out(
    chrome: Chrome,  # noqa: F811
    provider: Provider,
    owner: User,
    overheard: list[str],
    held: None,
    theme: str,
    size: Any,
) -> None:
    invoice = sale(provider, owner)
    page = listen(chrome(theme=theme, size=size, user=owner), overheard)

    page.goto(f"/pay/{invoice.uid}/")
    expect(page.locator("[data-countdown-left]")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    begin(page, invoice)
    type_card(page, GOOD)

    page.wait_for_url(f"**/invoices/{invoice.uid}/")
    expect(page.get_by_text("Thank you, the payment has arrived.")).to_be_visible()
    look(page)
    page.goto(f"/pay/{invoice.uid}/")
    expect(page.get_by_role("heading", name="€35.00 paid")).to_be_visible()
    look(page)
    invoice.refresh_from_db()
    assert (invoice.state, invoice.paid_amount) == (InvoiceState.PAID, 3500)
    with page.expect_download() as got:
        page.goto(f"/invoices/{invoice.uid}/")
        page.get_by_role("link", name="PDF").click()
    paper = PdfReader(io.BytesIO(got.value.path().read_bytes()))
    assert str(invoice.number) in paper.pages[0].extract_text()

    # The provider sets payouts up, finishes the visit, and is paid.
    manager = manager_of(provider)
    desk = listen(chrome(theme=theme, size=size, user=manager), overheard)
    desk.goto(f"/provider/{provider.slug}/payouts/")
    look(desk)
    desk.get_by_role("button", name="Set up payouts").click()
    desk.get_by_role("button", name="Finish, and go back").click()
    expect(desk.get_by_text("Payouts are set up.")).to_be_visible()
    now = timezone.now()
    invoices.earn(invoice, now=now, payout_due_at=now)
    payouts.collect_due(now=now)
    calls.run_due(now=now)
    desk.goto(f"/provider/{provider.slug}/payouts/")
    row = desk.locator("tbody tr")
    expect(row).to_contain_text("Paid out")
    expect(row).to_contain_text("€35.00")
    look(desk)
    desk.goto(f"/provider/{provider.slug}/finance/")
    expect(desk.locator(".stat-tile", has_text="Revenue")).to_contain_text("€35.00")
    look(desk)


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_declined_card_can_be_followed_by_another(
    chrome: Chrome,  # noqa: F811
    provider: Provider,
    owner: User,
    overheard: list[str],
    theme: str,
    size: Any,
) -> None:
    invoice = sale(provider, owner)
    page = listen(chrome(theme=theme, size=size, user=owner), overheard)

    begin(page, invoice)
    type_card(page, DECLINED)
    expect(page.get_by_role("alert")).to_contain_text("The card was declined.")
    page.get_by_role("link", name="Cancel and go back").click()
    page.wait_for_url(f"**/pay/{invoice.uid}/")
    expect(page.get_by_role("alert").first).to_contain_text("your bank can tell you why")
    expect(page.get_by_role("alert").first).to_contain_text("Nothing was charged.")
    look(page)
    page.get_by_role("link", name="Pay €35.00").click()
    type_card(page, GOOD)

    page.wait_for_url(f"**/invoices/{invoice.uid}/")
    assert list(Payment.objects.values_list("state", "captured_amount")) == [("captured", 3500)]


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_3d_secure_card_asks_the_bank_first(
    chrome: Chrome,  # noqa: F811
    provider: Provider,
    owner: User,
    overheard: list[str],
    theme: str,
    size: Any,
) -> None:
    invoice = sale(provider, owner, deposit=700)
    page = listen(chrome(theme=theme, size=size, user=owner), overheard)

    page.goto(f"/pay/{invoice.uid}/")
    expect(page.get_by_text("€28.00 more at the visit.")).to_be_visible()
    begin(page, invoice)
    type_card(page, SECURE)
    page.get_by_role("button", name="No, refuse").click()
    expect(page.get_by_role("alert")).to_contain_text("could not confirm")
    type_card(page, SECURE)
    page.get_by_role("button", name="Yes, approve").click()

    page.wait_for_url(lambda url: "sandbox" not in url)
    invoice.refresh_from_db()
    assert (invoice.paid_amount, invoice.outstanding) == (700, 2800)


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_cancelling_shows_the_refund(
    chrome: Chrome,  # noqa: F811
    provider: Provider,
    owner: User,
    overheard: list[str],
    theme: str,
    size: Any,
) -> None:
    invoice = sale(provider, owner)
    page = listen(chrome(theme=theme, size=size, user=owner), overheard)
    begin(page, invoice)
    type_card(page, GOOD)
    page.wait_for_url(f"**/invoices/{invoice.uid}/")

    now = timezone.now()
    invoices.keep_only(invoice, keep=1750, reason="Cancelled late: 50 % back", now=now)
    calls.run_due(now=now)
    charges.sync(Payment.objects.get(), now=now)
    page.reload()

    expect(page.get_by_text("Given back")).to_be_visible()
    expect(page.get_by_text("Credited since")).to_be_visible()
    look(page)
    page.get_by_role("link", name=re.compile("^Credit note")).click()
    expect(page.get_by_text("Cancelled late: 50 % back").first).to_be_visible()
    look(page)
    titles = Notification.objects.filter(user=owner, kind="invoice_issued").values_list("title", flat=True)
    assert {title.split(" 20")[0] for title in titles} == {"Your invoice", "Your credit note"}

    invoices.keep_only(invoice, keep=0, reason="As a courtesy", now=now)
    calls.run_due(now=now)
    page.goto(f"/pay/{invoice.uid}/")
    expect(page.get_by_role("heading", name="€35.00 on its way back")).to_be_visible()
    look(page)


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_provider_keeps_the_books(
    chrome: Chrome,  # noqa: F811
    provider: Provider,
    owner: User,
    overheard: list[str],
    theme: str,
    size: Any,
) -> None:
    now = timezone.now()
    debt = sale(provider, owner, deposit=0)
    invoices.earn(debt, now=now, payout_due_at=now)
    desk = listen(chrome(theme=theme, size=size, user=manager_of(provider)), overheard)

    desk.goto(f"/provider/{provider.slug}/expenses/")
    look(desk)
    desk.get_by_label("Category").first.select_option("supplies")
    desk.get_by_label("Amount in EUR").fill("12.50")
    desk.get_by_label("Note").fill("Treats")
    desk.get_by_role("button", name="Save the expense").click()
    expect(desk.locator("tbody tr")).to_contain_text("€12.50")
    look(desk)
    desk.goto(f"/provider/{provider.slug}/finance/receivables/")
    look(desk)
    desk.get_by_role("link", name="Record cash").click()
    look(desk)
    desk.get_by_role("button", name="Record the cash").click()
    expect(desk.get_by_text("€35.00 in cash is recorded.")).to_be_visible()
    look(desk)
    desk.goto(f"/provider/{provider.slug}/finance/")
    expect(desk.locator(".stat-tile", has_text="Profit")).to_contain_text("€16.91")  # 35.00 - 5.59 tax - 12.50
    expect(desk.locator("canvas")).to_be_visible()
    assert desk.evaluate("document.querySelector('canvas').width") > 200
    look(desk)
