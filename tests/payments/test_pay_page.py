"""The pay page: what it says in each state, how a payment is begun there, and where one comes back to."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from payments.domain import calls, charges, invoices, refunds, subjects
from payments.domain.invoices import InvoiceTerms, Line
from payments.gateways import GatewayPaused, GatewayRefused, breaker, registry, sandbox
from payments.models import Invoice, InvoiceState, LineKind, Payment
from payments.models.sandbox import SandboxCharge
from payments.states import PaymentState
from providers.domain import team
from providers.models import Membership
from tests.factories import UserFactory, make_provider
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
MANUAL = InvoiceTerms(capture_method="manual")


@pytest.fixture(autouse=True)
def _gateways(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]


@pytest.fixture
def until() -> Iterator[list[dt.datetime]]:
    """The end of a hold, as whoever writes invoices tells it; there is a page, too."""
    ends: list[dt.datetime] = [timezone.now() + HOUR]
    subject = subjects.register(
        lock=lambda sale: None, paid=lambda invoice, payment, now: None, describe=lambda sale: {},
        deadline=lambda sale: ends[0], url=lambda sale: "/bookings/PP-1/",
    )  # fmt: skip
    yield ends
    subjects.unregister(subject)


def written(**options: Any) -> Invoice:
    options = {
        "lines": [Line(LineKind.BASE, "One-hour walk", 1, 2500), Line(LineKind.ADDON, "Bath", 2, 500)],
        "currency": "EUR", "subject": "Walk", "due_at": timezone.now(), "state": InvoiceState.DRAFT,
        "prepay_amount": 3500,
    } | options  # fmt: skip
    return invoices.write(provider=make_provider(), payer=UserFactory(), **options)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(invoice: Invoice) -> tuple[str, str]:
    """Return the state that the page names, and its whole text."""
    answer = signed_in(invoice.payer).get(reverse("payments:pay", args=[invoice.uid]))
    assert answer.status_code == 200
    return answer.context["checkout"].stage.value, answer.content.decode()


def begin(invoice: Invoice, client: Client | None = None, **data: str) -> Any:
    client = client or signed_in(invoice.payer)
    return client.post(reverse("payments:pay", args=[invoice.uid]), {"gateway": "sandbox"} | data)


def pay(invoice: Invoice, token: str = "tok_visa") -> Any:
    """Begin, pay on the sandbox's page, and come back."""
    client = signed_in(invoice.payer)
    begin(invoice, client)
    sandbox.pay(invoice.payments.latest("pk").ref or "", token=token)
    return client.get(reverse("payments:return", args=[invoice.uid]))


# --- What it says -------------------------------------------------------------------------------


def test_page_shows_lines_total_and_hold(until: list[dt.datetime]) -> None:
    stage, text = page_of(written())

    assert stage == "due"
    for part in ("One-hour walk", "Bath", "2 × €5.00", "€35.00", "Kept for you", "never sees its number"):
        assert part in text
    shown = dt.datetime.fromisoformat(text.split('data-countdown="')[1].split('"')[0])
    assert shown == until[0]  # the moment, in the zone of who pays
    assert f"until {shown:%a}" in text  # readable without JavaScript
    assert not Payment.objects.exists()  # looking begins nothing


def test_page_tells_a_deposit_from_the_rest() -> None:
    _, text = page_of(written(prepay_amount=700))

    for part in ("To pay now", "€7.00", "€28.00 more at the visit"):
        assert part in text


def test_page_says_when_money_is_only_reserved() -> None:
    _, text = page_of(written(terms=MANUAL))

    assert "only reserved" in text
    assert "only reserved" not in page_of(written())[1]


def test_page_of_an_ended_hold_takes_no_money(until: list[dt.datetime]) -> None:
    until[0] = timezone.now() - dt.timedelta(seconds=1)
    invoice = written()

    stage, text = page_of(invoice)
    answer = begin(invoice)

    assert (stage, "no longer kept" in text, '<form method="post" action="/pay/' in text) == ("expired", True, False)
    assert (answer.status_code, Payment.objects.count()) == (302, 0)


def test_page_offers_each_gateway_and_marks_a_paused_one(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox", "paypal"]
    settings.PAYPAL_CLIENT_ID = settings.PAYPAL_CLIENT_SECRET = "x"
    for _ in range(breaker.THRESHOLD):
        breaker.failed(breaker.Pass("paypal", is_probe=False))

    _, text = page_of(written())

    assert 'value="sandbox" required checked' in text
    assert 'value="paypal" required disabled' in text
    assert "paused at the moment" in text


def test_page_says_that_paying_is_paused_and_loses_nothing(until: list[dt.datetime]) -> None:
    for _ in range(breaker.THRESHOLD):
        breaker.failed(breaker.Pass("sandbox", is_probe=False))
    invoice = written()

    stage, text = page_of(invoice)

    assert stage == "due"
    assert "Paying is paused" in text
    assert "kept longer" in text
    assert 'name="gateway"' not in text


def test_page_says_that_paying_is_paused_when_the_gateway_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = written()
    begin(invoice)

    def silent(ref: str) -> None:
        raise GatewayPaused

    monkeypatch.setattr(registry.get("sandbox").adapter, "retrieve", silent)  # type: ignore[attr-defined]

    assert "Paying is paused" in page_of(invoice)[1]


def test_page_without_any_gateway_says_so(settings: Any) -> None:
    settings.PAYMENT_GATEWAYS = []

    assert "Nothing can be paid online here." in page_of(written())[1]


def test_page_of_a_credit_note_has_nothing_to_pay() -> None:
    invoice = written(state=InvoiceState.OPEN)
    invoices.settle(invoice, now=timezone.now())
    note = invoices.keep_only(invoice, keep=1000, reason="Late", now=timezone.now()).invoice.children.get()

    assert page_of(note)[0] == "nothing"


# --- Beginning ----------------------------------------------------------------------------------


def test_beginning_leads_to_the_gateway_and_ten_clicks_are_one_payment() -> None:
    invoice = written()
    client = signed_in(invoice.payer)

    answers = [begin(invoice, client) for _ in range(10)]

    charge = SandboxCharge.objects.get()
    assert {answer.status_code for answer in answers} == {302}
    assert {urlsplit(answer.url).path for answer in answers} == {reverse("sandbox:pay", args=[charge.ref])}
    assert (charge.amount, charge.is_manual, charge.currency) == (3500, False, "EUR")
    assert urlsplit(charge.return_url).path == reverse("payments:return", args=[invoice.uid])


def test_page_leads_on_to_a_payment_that_was_begun() -> None:
    invoice = written()
    begin(invoice)

    text = page_of(invoice)[1]

    assert reverse("sandbox:pay", args=[SandboxCharge.objects.get().ref]) in text
    assert "Test mode: no real card is charged." in text


@pytest.mark.parametrize("gateway", ["nonsense", "stripe"])
def test_beginning_with_a_way_that_is_not_offered_says_so(gateway: str) -> None:
    invoice = written()
    client = signed_in(invoice.payer)

    answer = client.post(reverse("payments:pay", args=[invoice.uid]), {"gateway": gateway}, follow=True)

    assert "This way of paying is not offered." in answer.content.decode()
    assert not Payment.objects.exists()


def test_beginning_what_is_paid_says_so() -> None:
    invoice = written()
    pay(invoice)

    answer = signed_in(invoice.payer).post(reverse("payments:pay", args=[invoice.uid]), follow=True)

    assert "Nothing is to be paid here now." in answer.content.decode()
    assert Payment.objects.count() == 1


# --- Coming back --------------------------------------------------------------------------------


def test_coming_back_paid_leads_to_the_booking(until: list[dt.datetime]) -> None:
    invoice = written()

    answer = pay(invoice)

    invoice.refresh_from_db()
    assert (answer.status_code, answer.url) == (302, "/bookings/PP-1/")
    assert (invoice.state, invoice.paid_amount) == (InvoiceState.PAID, 3500)
    assert page_of(invoice)[0] == "paid"


def test_coming_back_without_a_subject_leads_to_the_invoice() -> None:
    invoice = written()

    assert pay(invoice).url == reverse("payments:detail", args=[invoice.uid])


def test_coming_back_reserved_says_when_it_is_taken() -> None:
    invoice = written(terms=MANUAL)
    pay(invoice)

    stage, text = page_of(invoice)

    assert (stage, "€35.00 reserved" in text) == ("authorized", True)


@pytest.mark.parametrize("query", ["?status=succeeded", "?redirect_status=succeeded&payment_intent=pi_1", "?token=x"])
def test_the_query_string_is_never_believed(query: str) -> None:
    invoice = written()
    client = signed_in(invoice.payer)
    begin(invoice, client)

    answer = client.get(reverse("payments:return", args=[invoice.uid]) + query)

    invoice.refresh_from_db()
    assert answer.url == reverse("payments:pay", args=[invoice.uid])
    assert (invoice.paid_amount, invoice.state) == (0, InvoiceState.DRAFT)


@pytest.mark.parametrize(
    ("token", "message", "advice"),
    [
        ("tok_declined", "The card was declined.", "your bank can tell you why"),
        ("tok_insufficient_funds", "There is not enough money on this card.", "whether this one has a limit"),
    ],
)
def test_a_declined_card_says_what_to_do_and_can_be_tried_again(token: str, message: str, advice: str) -> None:
    invoice = written()

    answer = pay(invoice, token)
    stage, text = page_of(invoice)

    assert answer.url == reverse("payments:pay", args=[invoice.uid])
    assert stage == "due"
    for part in (message, advice, "Nothing was charged.", 'role="alert"'):
        assert part in text
    assert pay(invoice).url == reverse("payments:detail", args=[invoice.uid])
    assert Payment.objects.get().state == PaymentState.CAPTURED


def test_coming_back_while_the_gateway_is_away_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = written()
    client = signed_in(invoice.payer)
    begin(invoice, client)

    def silent(ref: str) -> None:
        raise GatewayPaused

    with monkeypatch.context() as patch:
        patch.setattr(registry.get("sandbox").adapter, "retrieve", silent)  # type: ignore[attr-defined]
        answer = client.get(reverse("payments:return", args=[invoice.uid]), follow=True)
    sandbox.pay(Payment.objects.get().ref or "", token="tok_visa")

    assert "Paying is paused" in answer.content.decode()
    assert client.get(reverse("payments:return", args=[invoice.uid])).url == reverse(
        "payments:detail", args=[invoice.uid]
    )


def test_page_of_a_payment_that_is_processed_asks_for_patience() -> None:
    invoice = written()
    begin(invoice)
    Payment.objects.update(state=PaymentState.PROCESSING)

    stage, text = page_of(invoice)

    assert (stage, "You need not pay again" in text) == ("processing", True)


def test_a_payment_of_another_amount_is_looked_into_and_not_asked_for_twice() -> None:
    invoice = written()
    client = signed_in(invoice.payer)
    begin(invoice, client)
    SandboxCharge.objects.update(amount=100)
    sandbox.pay(Payment.objects.get().ref or "", token="tok_visa")

    answer = client.get(reverse("payments:pay", args=[invoice.uid]), follow=True)

    assert (answer.status_code, answer.context["checkout"].stage.value) == (200, "processing")


def test_page_of_a_refund_says_how_much_comes_back() -> None:
    invoice = written()
    pay(invoice)
    invoices.keep_only(invoice, keep=0, reason="Cancelled", now=timezone.now())
    calls.run_due(now=timezone.now())

    stage, text = page_of(invoice)

    assert (stage, "€35.00 on its way back" in text) == ("refunded", True)


def test_page_of_a_refund_that_failed_says_how_much_is_still_to_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = written()
    pay(invoice)

    def refuse(ref: str, **_: Any) -> None:
        raise GatewayRefused("The card is closed.")

    with monkeypatch.context() as patch:
        patch.setattr(registry.get("sandbox").adapter, "refund", refuse)  # type: ignore[attr-defined]
        invoices.keep_only(invoice, keep=0, reason="Cancelled", now=timezone.now())
        calls.run_due(now=timezone.now())
    stage, text = page_of(invoice)

    assert (stage, "€35.00 could not be given back yet" in text) == ("unreturned", True)
    assert "Our staff know and will write to you." in text
    assert [wrong in text for wrong in ("Nothing was charged", "no longer kept", "on its way back")] == [False] * 3

    def give_back(amount: int) -> tuple[str, str]:
        refunds.request(invoice.payments.get(), amount=amount, by=None, reason="Again", now=timezone.now())
        calls.run_due(now=timezone.now())
        return page_of(invoice)

    stage, text = give_back(1000)
    assert (stage, "€25.00 could not be given back yet" in text) == ("unreturned", True)
    assert "€10.00 is on its way back" in text
    assert give_back(2500)[0] == "refunded"


# --- Tips and extras ----------------------------------------------------------------------------


def test_tips_and_extras_are_paid_on_the_same_page() -> None:
    sale = written()
    pay(sale)
    now = timezone.now()
    manager = User.objects.get(pk=Membership.objects.get(provider=sale.provider).user_id)
    invoices.earn(sale, now=now, payout_due_at=now)
    tip = invoices.tip(sale, amount=500, by=sale.payer, now=now, tip_until=now + HOUR)
    extra = invoices.charge_extra(sale, description="Cab fare", amount=900, by=manager, now=now)

    texts = [page_of(invoice)[1] for invoice in (tip, extra)]
    ends = [pay(invoice).url for invoice in (tip, extra)]

    assert ["Your tip" in texts[0], "Cab fare" in texts[1]] == [True, True]
    assert ends == [reverse("payments:detail", args=[invoice.uid]) for invoice in (tip, extra)]
    tip.refresh_from_db()
    assert (tip.paid_amount, tip.state) == (500, InvoiceState.PAID)
    assert "All of it goes to" in page_of(tip)[1]


# --- Whose --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["payments:pay", "payments:return"])
def test_page_is_the_payers_alone(client: Client, name: str) -> None:
    invoice = written()
    staff = UserFactory()
    manager = User.objects.get(pk=Membership.objects.get(provider=invoice.provider).user_id)
    team.add(invoice.provider, email=staff.email, role="staff", by=manager)
    url = reverse(name, args=[invoice.uid])

    assert client.get(url).url.startswith("/accounts/login/")
    for user in (UserFactory(), manager, staff):
        assert signed_in(user).get(url).status_code == 404
    assert signed_in(UserFactory()).post(reverse("payments:pay", args=[invoice.uid])).status_code == 404
    assert signed_in(invoice.payer).post(reverse("payments:return", args=[invoice.uid])).status_code == 405


def test_page_asks_the_same_for_one_line_and_for_many() -> None:
    invoice = written()
    client = signed_in(invoice.payer)
    url = reverse("payments:pay", args=[invoice.uid])

    def more() -> None:
        for number in range(5):
            invoice.lines.create(position=10 + number, kind="addon", description="More", unit_amount=0, amount=0)

    assert_constant(lambda: client.get(url), more)


def test_charges_start_is_where_the_page_gets_its_amount() -> None:
    invoice = written(prepay_amount=700)

    begin(invoice)

    assert (SandboxCharge.objects.get().amount, charges.due_now(invoice)) == (700, 700)
