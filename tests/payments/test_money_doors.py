"""The pages and endpoints of a provider's money: who may, what they show, and what they refuse."""

import csv
import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from rest_framework.test import APIClient

from accounts.models import User
from payments.domain import calls, expenses, invoices, payouts
from payments.domain.invoices import InvoiceTerms, Line
from payments.gateways import breaker, sandbox
from payments.models import Expense, Invoice, LineKind, Payment, Payout, PayoutAccount
from payments.states import PayoutState
from providers.models import Provider
from tests.factories import UserFactory, make_support
from tests.payments.steps import DEC, NOV, earn, make_business, make_sale, manager_of, owe, pay, staff_of
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _world(settings: Any, tmp_path: Any, time_machine: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]
    settings.MEDIA_ROOT = tmp_path
    time_machine.move_to(DEC, tick=False)


@pytest.fixture
def provider() -> Provider:
    """Who earned 100.00 in November and is owed 25.00."""
    provider = make_business()
    sale = make_sale(provider)
    pay(sale)
    earn(sale)
    owe(provider, payer=UserFactory(full_name="Ann Example"))
    return provider


def web(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def api(user: User | None) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def page(provider: Provider, name: str, *args: Any) -> str:
    return reverse(f"provider:{name}", args=[provider.slug, *args])


def photo() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "PNG")
    return SimpleUploadedFile("till.png", out.getvalue(), "image/png")


def make_expense(provider: Provider, **options: Any) -> Expense:
    options = {"category": "rent", "amount": 5000, "on": NOV.date(), "note": "Hall"} | options
    return expenses.add(provider, by=manager_of(provider), now=DEC, **options)


def open_invoice(provider: Provider) -> Invoice:
    return Invoice.objects.get(provider=provider, state="open")


# --- Who ----------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[Provider], list[Any]]] = {
    "finance": lambda provider: [],
    "finance_csv": lambda provider: [],
    "receivables": lambda provider: [],
    "payouts": lambda provider: [],
    "payouts_back": lambda provider: [],
    "expenses": lambda provider: [],
    "expense": lambda provider: [make_expense(provider).uid],
    "invoices": lambda provider: [],
    "invoice": lambda provider: [open_invoice(provider).uid],
    "invoice_pdf": lambda provider: [open_invoice(provider).uid],
    "invoice_cash": lambda provider: [open_invoice(provider).uid],
}


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_for_managers_alone(provider: Provider, client: Client, name: str) -> None:
    url = page(provider, name, *PAGES[name](provider))
    other = make_business()

    assert client.get(url).url.startswith("/accounts/login/")
    assert web(UserFactory()).get(url).status_code == 404
    assert web(manager_of(other)).get(url).status_code == 404
    assert web(staff_of(provider)).get(url).status_code == 403
    assert web(manager_of(provider)).get(url).status_code in (200, 302)


def test_things_of_another_provider_are_not_there(provider: Provider) -> None:
    other = make_business()
    client, invoice, expense = web(manager_of(other)), open_invoice(provider), make_expense(provider)

    for name, uid in (
        ("invoice", invoice.uid), ("invoice_pdf", invoice.uid), ("invoice_cash", invoice.uid), ("expense", expense.uid),
        ("expense_receipt", expense.uid),
    ):  # fmt: skip
        assert client.get(page(other, name, uid)).status_code == 404, name
    assert client.post(page(other, "expense_remove", expense.uid)).status_code == 404
    assert Expense.objects.count() == 1


ENDPOINTS = ["finance/summary/", "finance/payouts/", "finance/expenses/"]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_endpoints_are_for_managers_alone(provider: Provider, path: str) -> None:
    url = f"/api/v1/providers/{provider.uid}/{path}"
    platform = make_support()

    statuses = [
        api(user).get(url).status_code
        for user in (
            None,
            UserFactory(),
            manager_of(make_business()),
            staff_of(provider),
            platform,
            manager_of(provider),
        )
    ]

    assert statuses == [401, 404, 404, 403, 403, 200]


# --- Finance ------------------------------------------------------------------------------------


def test_finance_page_shows_figures_chart_and_who_owes(provider: Provider) -> None:
    make_expense(provider)

    answer = web(manager_of(provider)).get(page(provider, "finance"))

    text = answer.content.decode()
    for part in ("€100.00", "€24.03", "€50.00", "€25.00", "on 1 invoice", "November", 'aria-hidden="true"', "Rent"):
        assert part in text, part
    assert '"values": [0.0, 0.0' in answer.context["chart"]
    assert "<script>" not in text


@pytest.mark.parametrize(
    ("query", "count", "year"),
    [("", 12, 2026), ("?by=quarter", 4, 2026), ("?by=year&year=2030", 5, 2030), ("?by=x&year=-5", 12, 2026),
     ("?year=99999999999999999999", 12, 2026), ("?by=quarter&year=", 4, 2026)],
)  # fmt: skip
def test_finance_page_takes_any_period(provider: Provider, query: str, count: int, year: int) -> None:
    statement = web(manager_of(provider)).get(page(provider, "finance") + query).context["statement"]

    assert (len(statement.periods), statement.year) == (count, year)


def test_finance_page_without_anything_says_what_will_be_there() -> None:
    provider = make_business()

    text = web(manager_of(provider)).get(page(provider, "finance")).content.decode()

    assert "Nothing earned in this time" in text
    assert "data-finance-chart" not in text


def test_finance_page_asks_the_same_for_little_and_much(provider: Provider) -> None:
    client = web(manager_of(provider))

    def more() -> None:
        for number in range(3):
            owe(provider)
            make_expense(provider, category="travel", on=NOV.date() - dt.timedelta(days=40 * number))

    assert_constant(lambda: client.get(page(provider, "finance")), more)
    assert_constant(lambda: client.get(page(provider, "receivables")), lambda: [owe(provider) for _ in range(3)])


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(answer.content.decode().removeprefix("\ufeff"))))


def test_csv_of_the_periods_has_plain_numbers(provider: Provider) -> None:
    make_expense(provider, amount=9000)

    found = rows(web(manager_of(provider)).get(page(provider, "finance_csv") + "?year=2026"))

    assert len(found) == 12
    assert found[10] == {
        "Period": "2026-11", "From": "2026-11-01", "To (excluded)": "2026-12-01", "Currency": "EUR",
        "Revenue": "100.00", "Refunds": "0.00", "Fees": "10.00", "Tax": "15.97", "Tips": "0.00", "Expenses": "90.00",
        "Profit": "-15.97",
    }  # fmt: skip


def test_csv_runs_nothing_that_people_typed(provider: Provider) -> None:
    evil = '=HYPERLINK("https://evil.test")'
    owe(provider, payer=UserFactory(full_name=evil), subject="@SUM(1)", due_at=NOV - dt.timedelta(days=1))
    make_expense(provider, note="+49 30 1234")
    client = web(manager_of(provider))

    owed = rows(client.get(page(provider, "finance_csv") + "?what=receivables"))
    spent = rows(client.get(page(provider, "finance_csv") + "?what=expenses&year=2026"))

    assert (owed[0]["Owner"], owed[0]["For"], owed[0]["Open"]) == (f"'{evil}", "'@SUM(1)", "25.00")
    assert (owed[1]["Owner"], owed[1]["Due on"]) == ("Ann Example", "2026-11-10")
    assert (spent[0]["Note"], spent[0]["Amount"], spent[0]["Category"]) == ("'+49 30 1234", "50.00", "Rent")


def test_csv_of_nonsense_is_not_there(provider: Provider) -> None:
    assert web(manager_of(provider)).get(page(provider, "finance_csv") + "?what=secrets").status_code == 404


def test_api_summary_has_the_same_figures(provider: Provider) -> None:
    make_expense(provider)

    body = api(manager_of(provider)).get(f"/api/v1/providers/{provider.uid}/finance/summary/?by=quarter").json()

    def euros(amount: int) -> dict[str, Any]:
        return {"amount": amount, "currency": "EUR"}

    assert (body["by"], body["currency"], body["time_zone"]) == ("quarter", "EUR", "Europe/Berlin")
    assert [one["period"] for one in body["periods"]] == ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    assert body["total"] == body["periods"][3]["figures"] == {
        "revenue": euros(10_000), "refunds": euros(0), "fees": euros(1000), "tax": euros(1597), "tips": euros(0),
        "expenses": euros(5000), "profit": euros(2403), "returned": euros(0),
    }  # fmt: skip
    assert body["receivables"] == {
        "due": euros(2500), "due_count": 1, "later": euros(0), "later_count": 0, "oldest_at": "2026-11-10T12:00:00Z",
    }  # fmt: skip
    assert body["payouts"] == {
        "balance": euros(9000), "waiting": euros(9000), "frozen": euros(0), "next_at": "2026-11-12T12:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize("query", ["by=week", "year=1", "year=x", "year=2026&year=2027"])
def test_api_summary_refuses_nonsense(provider: Provider, query: str) -> None:
    answer = api(manager_of(provider)).get(f"/api/v1/providers/{provider.uid}/finance/summary/?{query}")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


# --- Cash ---------------------------------------------------------------------------------------


def test_cash_settles_a_debt_in_parts(provider: Provider) -> None:
    client, invoice = web(manager_of(provider)), open_invoice(provider)
    url = page(provider, "invoice_cash", invoice.uid)

    assert 'value="25.00"' in client.get(url).content.decode()
    answers = [client.post(url, {"amount": amount}) for amount in ("10", "15.00")]

    invoice.refresh_from_db()
    assert {answer.status_code for answer in answers} == {302}
    assert (invoice.state, invoice.paid_amount) == ("paid", 2500)
    assert list(invoice.payments.order_by("pk").values_list("method", "captured_amount")) == [
        ("cash", 1000), ("cash", 1500),
    ]  # fmt: skip
    assert "Nothing is owed on this invoice." in client.get(url).content.decode()
    assert "Nobody owes you anything" in client.get(page(provider, "receivables")).content.decode()


@pytest.mark.parametrize("amount", ["0", "-1", "25.01", "x", "", "1.001", "NaN", "1e400"])
def test_cash_refuses_what_is_not_owed(provider: Provider, amount: str) -> None:
    invoice = open_invoice(provider)

    answer = web(manager_of(provider)).post(page(provider, "invoice_cash", invoice.uid), {"amount": amount})

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert not invoice.payments.exists()


def test_api_cash_is_recorded_once_under_its_key(provider: Provider) -> None:
    invoice = open_invoice(provider)
    url = f"/api/v1/invoices/{invoice.uid}/cash/"
    body = {"amount": {"amount": 1000, "currency": "EUR"}}

    answers = [api(manager_of(provider)).post(url, body, headers={"Idempotency-Key": "till-1"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["outstanding"] == {"amount": 1500, "currency": "EUR"}
    assert Payment.objects.filter(invoice=invoice).count() == 1


@pytest.mark.parametrize(
    ("amount", "status"),
    [({"amount": 2501, "currency": "EUR"}, 400), ({"amount": 0, "currency": "EUR"}, 400),
     ({"amount": 1000, "currency": "USD"}, 400), (1000, 400)],
)  # fmt: skip
def test_api_cash_refuses_nonsense(provider: Provider, amount: Any, status: int) -> None:
    url = f"/api/v1/invoices/{open_invoice(provider).uid}/cash/"

    answer = api(manager_of(provider)).post(url, {"amount": amount})

    assert (answer.status_code, list(answer.json()["errors"])) == (status, ["amount"])


def test_api_cash_is_the_managers_alone_and_only_for_what_is_open(provider: Provider) -> None:
    invoice = open_invoice(provider)
    url, body = f"/api/v1/invoices/{invoice.uid}/cash/", {"amount": {"amount": 100, "currency": "EUR"}}
    people = (None, UserFactory(), staff_of(provider), invoice.payer)

    assert [api(user).post(url, body).status_code for user in people] == [401, 404, 404, 403]
    invoices.settle(invoice, now=DEC)
    answer = api(manager_of(provider)).post(url, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_transition")


# --- PDF and invoice pages ----------------------------------------------------------------------


def test_pdf_is_served_to_the_payer_and_the_manager_alone(provider: Provider, client: Client) -> None:
    invoice = open_invoice(provider)
    own, managers = reverse("payments:pdf", args=[invoice.uid]), page(provider, "invoice_pdf", invoice.uid)
    over_api = f"/api/v1/invoices/{invoice.uid}/pdf/"

    answers = [
        web(invoice.payer).get(own), web(manager_of(provider)).get(managers), api(invoice.payer).get(over_api),
        api(manager_of(provider)).get(over_api),
    ]  # fmt: skip

    for answer in answers:
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="invoice-{invoice.number}.pdf"'
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.content.startswith(b"%PDF-")
    assert len({answer.content for answer in answers}) == 1
    assert client.get(own).url.startswith("/accounts/login/")
    assert web(UserFactory()).get(own).status_code == 404
    assert [api(user).get(over_api).status_code for user in (None, UserFactory(), staff_of(provider))] == [
        401,
        404,
        404,
    ]


def test_invoice_pages_show_number_tax_payments_and_family(provider: Provider) -> None:
    sale = make_sale(provider)
    pay(sale)
    invoices.keep_only(sale, keep=4000, reason="Cancelled late", now=DEC)
    calls.run_due(now=DEC)
    note = sale.children.get()

    texts = [
        web(sale.payer).get(reverse("payments:detail", args=[sale.uid])).content.decode(),
        web(manager_of(provider)).get(page(provider, "invoice", sale.uid)).content.decode(),
    ]

    for text in texts:
        for part in (sale.number, note.number, "Tax 19 % included", "€15.97", "Cancelled late", "€60.00", "Given back"):
            assert str(part) in text, part
    assert (
        f"Credits</dt><dd>{sale.number}"
        in web(sale.payer).get(reverse("payments:detail", args=[note.uid])).content.decode()
    )


def test_page_of_a_credit_note_says_the_tax_that_it_takes_back(provider: Provider) -> None:
    lines = [Line(LineKind.BASE, "Walk", 1, 10_000), Line(LineKind.TAX, "Tax, 19 %", 1, 1900)]
    terms = InvoiceTerms(tax_rate_bp=1900, is_tax_inclusive=False, tax_amount=1900)
    sale = make_sale(provider, lines=lines, prepay_amount=11_900, terms=terms)
    pay(sale)
    invoices.keep_only(sale, keep=5950, reason="Cancelled late", now=DEC)

    text = web(sale.payer).get(reverse("payments:detail", args=[sale.children.get().uid])).content.decode()

    assert "Tax 19 % included" in text
    assert "€9.50" in text


def test_invoice_page_offers_to_pay_what_is_asked_for(provider: Provider) -> None:
    debt = open_invoice(provider)
    draft = make_sale(provider)
    coming = make_sale(provider, state="open", prepay_amount=0)

    def offers(invoice: Invoice) -> bool:
        text = web(invoice.payer).get(reverse("payments:detail", args=[invoice.uid])).content.decode()
        return reverse("payments:pay", args=[invoice.uid]) in text

    assert [offers(debt), offers(draft), offers(coming)] == [True, True, False]


def test_invoice_pages_ask_the_same_for_one_payment_and_many(provider: Provider) -> None:
    invoice = open_invoice(provider)
    client, managers = web(invoice.payer), web(manager_of(provider))

    def more() -> None:
        for _ in range(3):
            invoices.record_cash(invoice, amount=100, by=manager_of(provider), now=DEC)
            invoices.charge_extra(invoice, description="Cab", amount=100, by=manager_of(provider), now=DEC)

    invoices.record_cash(invoice, amount=100, by=manager_of(provider), now=DEC)
    assert_constant(lambda: client.get(reverse("payments:detail", args=[invoice.uid])), more)
    assert_constant(lambda: managers.get(page(provider, "invoice", invoice.uid)), more)


# --- Payouts ------------------------------------------------------------------------------------


def test_payouts_are_set_up_at_the_gateway_and_checked_there(provider: Provider) -> None:
    client = web(manager_of(provider))
    assert "Set up payouts" in client.get(page(provider, "payouts")).content.decode()

    begun = client.post(page(provider, "payouts_set_up"), {"gateway": "sandbox"})
    client.post(page(provider, "payouts_set_up"), {"gateway": "sandbox"})
    account = PayoutAccount.objects.get()
    early = client.get(page(provider, "payouts_back"), follow=True).content.decode()
    done = client.post(begun.url)
    text = client.get(done.url, follow=True).content.decode()

    account.refresh_from_db()
    assert begun.url.endswith(reverse("sandbox:connect", args=[account.ref]))
    assert "Something is still missing there." in early
    assert done.url.endswith(page(provider, "payouts_back"))
    assert (account.is_ready, "Payouts are set up." in text, "Change the details" in text) == (True, True, True)


def test_payouts_cannot_be_set_up_elsewhere_or_while_paused(provider: Provider) -> None:
    client = web(manager_of(provider))

    nowhere = client.post(page(provider, "payouts_set_up"), {"gateway": "bank"}, follow=True).content.decode()
    for _ in range(breaker.THRESHOLD):
        breaker.failed(breaker.Pass("sandbox", is_probe=False))
    paused = client.post(page(provider, "payouts_set_up"), follow=True).content.decode()

    assert "This service is not offered." in nowhere
    assert "Paying is paused" in paused
    assert not PayoutAccount.objects.exists()


def test_payouts_are_set_up_only_where_the_currency_is_taken(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["paypal", "sandbox"]
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "x"
    provider = make_business(currency="KZT")
    client = web(manager_of(provider))

    text = client.get(page(provider, "payouts")).content.decode()
    refused = client.post(page(provider, "payouts_set_up"), {"gateway": "paypal"}, follow=True).content.decode()
    begun = PayoutAccount.objects.exists()
    client.post(page(provider, "payouts_set_up"))
    settings.PAYMENT_GATEWAYS = ["paypal"]
    nowhere = client.get(page(provider, "payouts")).content.decode()

    assert ['value="sandbox"' in text, 'value="paypal"' in text] == [True, False]
    assert ("This service does not pay out KZT." in refused, begun) == (True, False)
    assert PayoutAccount.objects.get().gateway == "sandbox"  # the first that takes it, when none is named
    assert "No service here pays out KZT." in nowhere


@pytest.mark.parametrize("gateway", ["paypal", "gone"])
def test_account_that_cannot_be_sent_the_currency_is_not_ready(settings: Any, gateway: str) -> None:
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "x"
    provider = make_business(currency="KZT")
    PayoutAccount.objects.create(provider=provider, gateway=gateway, ref="a@example.test", is_ready=True)
    client = web(manager_of(provider))

    text = client.get(page(provider, "payouts")).content.decode()
    back = client.get(page(provider, "payouts_back"), follow=True).content.decode()

    assert ("Not for KZT" in text, "Change the details" in text) == (True, False)
    assert ("Payouts are set up." in back, "Something is still missing there." in back) == (False, True)


def test_payouts_page_shows_balance_states_failures_and_what_is_frozen(provider: Provider) -> None:
    account = PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref="sbxacct_x", is_ready=True)
    sale = make_sale(provider)
    pay(sale)
    earn(sale)
    payouts.freeze(sale, reason="The dog came back wet", by=manager_of(provider), now=DEC)
    for state, error in ((PayoutState.WAITING, "The account is closed."), (PayoutState.FAILED, "No such bank.")):
        Payout.objects.create(
            provider=provider, account=account, gateway="sandbox", currency="EUR", amount=1234, state=state,
            due_at=DEC, last_error=error,
        )  # fmt: skip

    text = web(manager_of(provider)).get(page(provider, "payouts")).content.decode()

    for part in (
        "€180.00", "€90.00", "Kept back", "The dog came back wet", "€12.34", "The account is closed.",
        "It is tried again", "No such bank.", "Our staff know.", "Ready",
    ):  # fmt: skip
        assert part in text, part


def test_payouts_page_shows_one_that_arrived(provider: Provider) -> None:
    client = web(manager_of(provider))
    client.post(page(provider, "payouts_set_up"), {"gateway": "sandbox"})
    sandbox.finish_onboarding(PayoutAccount.objects.get().ref)
    client.get(page(provider, "payouts_back"))
    payouts.collect_due(now=DEC)
    calls.run_due(now=DEC)

    text = client.get(page(provider, "payouts")).content.decode()
    body = api(manager_of(provider)).get(f"/api/v1/providers/{provider.uid}/finance/payouts/").json()

    assert "Paid out" in text
    assert [(one["amount"], one["state"]) for one in body["results"]] == [
        ({"amount": 9000, "currency": "EUR"}, "paid")
    ]  # fmt: skip


def test_payouts_page_and_list_ask_the_same_for_one_and_many(provider: Provider) -> None:
    account = PayoutAccount.objects.create(provider=provider, gateway="sandbox", ref="sbxacct_x", is_ready=True)

    def more() -> None:
        for _ in range(3):
            Payout.objects.create(
                provider=provider, account=account, gateway="sandbox", currency="EUR", amount=1, due_at=DEC
            )
            payouts.freeze(open_invoice(provider), reason="x", by=manager_of(provider), now=DEC)

    more()
    client, over_api = web(manager_of(provider)), api(manager_of(provider))
    assert_constant(lambda: client.get(page(provider, "payouts")), more)
    assert_constant(lambda: over_api.get(f"/api/v1/providers/{provider.uid}/finance/payouts/"), more)


# --- Expenses -----------------------------------------------------------------------------------


def test_expense_is_written_changed_and_removed_with_its_receipt(provider: Provider) -> None:
    client = web(manager_of(provider))
    fields = {"category": "rent", "amount": "50.00", "on": "2026-11-01", "note": "Hall"}

    added = client.post(page(provider, "expenses"), fields | {"receipt": photo()})
    expense = Expense.objects.get()
    shown = client.get(page(provider, "expenses")).content.decode()
    seen = client.get(page(provider, "expense_receipt", expense.uid))
    first = expense.receipt.path
    changed = client.post(page(provider, "expense", expense.uid), fields | {"amount": "49.50", "note": ""})

    assert (added.status_code, changed.status_code) == (302, 302)
    assert (expense.amount, expense.currency, expense.on) == (5000, "EUR", dt.date(2026, 11, 1))
    assert ("Hall" in shown, "€50.00" in shown) == (True, True)
    assert (seen.headers["Content-Type"], seen.headers["Cache-Control"]) == ("image/jpeg", "private, no-store")
    expense.refresh_from_db()
    assert (expense.amount, expense.note, expense.receipt.path) == (4950, "", first)
    client.post(page(provider, "expense_remove", expense.uid), {"what": "receipt"})
    assert client.get(page(provider, "expense_receipt", expense.uid)).status_code == 404
    client.post(page(provider, "expense_remove", expense.uid))
    assert not Expense.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"amount": "0"}, "amount"), ({"amount": "1.234"}, "amount"), ({"category": "x"}, "category"),
     ({"on": "1999-01-01"}, "on"), ({"on": "x"}, "on"),
     ({"receipt": SimpleUploadedFile("x.exe", b"MZ....")}, "receipt")],
)  # fmt: skip
def test_expense_form_says_what_is_wrong(provider: Provider, wrong: dict[str, Any], field: str) -> None:
    fields = {"category": "rent", "amount": "50.00", "on": "2026-11-01"} | wrong

    answer = web(manager_of(provider)).post(page(provider, "expenses"), fields)

    assert (answer.status_code, list(answer.context["form"].errors)) == (200, [field])
    assert not Expense.objects.exists()


def test_expenses_can_be_filtered_and_ask_the_same(provider: Provider) -> None:
    make_expense(provider)
    make_expense(provider, category="travel", note="Train")
    client = web(manager_of(provider))

    found = client.get(page(provider, "expenses") + "?category=travel").context["page_obj"]

    assert [one.note for one in found] == ["Train"]
    assert client.get(page(provider, "expenses") + "?category=x").context["page_obj"].paginator.count == 2
    assert_constant(lambda: client.get(page(provider, "expenses")), lambda: [make_expense(provider) for _ in range(4)])


def test_api_expense_is_written_read_changed_and_removed(provider: Provider) -> None:
    client, url = api(manager_of(provider)), f"/api/v1/providers/{provider.uid}/finance/expenses/"
    body = {"category": "rent", "amount": {"amount": 5000, "currency": "EUR"}, "on": "2026-11-01", "note": "Hall"}

    added = client.post(url, body)
    one = f"{url}{added.json()['id']}/"
    changed = client.patch(one, {"amount": {"amount": 4950, "currency": "EUR"}})
    receipt = client.put(f"{one}receipt/", {"receipt": photo()}, format="multipart")

    assert added.status_code == 201
    assert {name: added.json()[name] for name in body} == body
    assert (changed.json()["amount"]["amount"], changed.json()["note"]) == (4950, "Hall")
    assert (receipt.status_code, receipt.json()["has_receipt"]) == (200, True)
    assert client.get(f"{one}receipt/").headers["Content-Type"] == "image/jpeg"
    assert client.get(url).json()["count"] == 1
    assert client.delete(f"{one}receipt/").status_code == 204
    assert client.get(f"{one}receipt/").status_code == 404
    assert client.delete(one).status_code == 204
    assert client.get(one).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"amount": {"amount": 0, "currency": "EUR"}}, "amount"), ({"amount": {"amount": 5, "currency": "USD"}}, "amount"),
     ({"category": "x"}, "category"), ({"on": "2026-02-30"}, "on"), ({"on": "1950-01-01"}, "on"),
     ({"note": "a\nb"}, "note"), ({"receipt": "x"}, "receipt")],
)  # fmt: skip
def test_api_expense_refuses_nonsense(provider: Provider, wrong: dict[str, Any], field: str) -> None:
    body = {"category": "rent", "amount": {"amount": 5000, "currency": "EUR"}, "on": "2026-11-01"} | wrong

    answer = api(manager_of(provider)).post(f"/api/v1/providers/{provider.uid}/finance/expenses/", body)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_api_expense_of_another_provider_is_not_there(provider: Provider) -> None:
    expense, other = make_expense(provider), make_business()
    client = api(manager_of(other))

    for path in (f"{expense.uid}/", f"{expense.uid}/receipt/"):
        assert client.get(f"/api/v1/providers/{other.uid}/finance/expenses/{path}").status_code == 404
    assert (
        api(staff_of(provider)).delete(f"/api/v1/providers/{provider.uid}/finance/expenses/{expense.uid}/").status_code
        == 403
    )
    assert api(manager_of(provider)).put(
        f"/api/v1/providers/{provider.uid}/finance/expenses/{expense.uid}/receipt/",
        {"receipt": SimpleUploadedFile("x.pdf", b"%PDF-1.4 nonsense")}, format="multipart",
    ).status_code == 400  # fmt: skip
