"""What is PayPal's own: decimals, tokens, the step after approval, events that name a capture only."""

import datetime as dt
import json
from concurrent.futures import ThreadPoolExecutor
from uuid import NAMESPACE_URL, uuid5

import pytest
from django.utils import timezone

from payments.domain import calls, charges, invoices
from payments.domain.invoices import Line
from payments.gateways import GatewayDeclined, GatewayRefused, GatewayUnavailable, GatewayUnknown, registry
from payments.gateways.paypal import PayPalGateway, amount_of, money
from payments.models import InvoiceState, LineKind, Payment
from tests import factories
from tests.payments.gateways import fake_paypal
from tests.payments.gateways.fake_server import Answer
from tests.payments.gateways.worlds import RETURN_URL, PayPalWorld

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [(1_999, "EUR", "19.99"), (500, "JPY", "500"), (100_000, "HUF", "1000"), (5, "USD", "0.05")],
)
def test_amounts_in_their_units(amount: int, currency: str, value: str) -> None:
    assert money(amount, currency) == {"currency_code": currency, "value": value}
    assert amount_of({"currency_code": currency, "value": value}) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "code"), [(150, "HUF", "amount_not_possible"), (1, "KWD", "currency_not_supported")]
)
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    paypal_world: PayPalWorld, amount: int, currency: str, code: str
) -> None:
    with pytest.raises(GatewayRefused) as caught:
        paypal_world.create(amount=amount, currency=currency)

    assert caught.value.code == code
    assert paypal_world.fake.seen == []


def test_what_is_sent(paypal_world: PayPalWorld) -> None:
    request = paypal_world.request(
        amount=5_000, payer_email="ann@demo.petplace.test", statement="PET PLACE", metadata={"payment": "u-1"}
    )

    charge = paypal_world.gateway.create(request, key="pay:1")

    token, sent = paypal_world.fake.seen
    assert (token.path, sent.path) == ("/v1/oauth2/token", "/v2/checkout/orders")
    assert sent.headers["paypal-request-id"] == str(uuid5(NAMESPACE_URL, "pay:1"))
    assert json.loads(sent.body) == {
        "intent": "AUTHORIZE",
        "purchase_units": [
            {
                "reference_id": "default",
                "amount": {"currency_code": "EUR", "value": "50.00"},
                "custom_id": "u-1",
                "description": "A walk with Rex",
                "soft_descriptor": "PET PLACE",
            }
        ],
        "payment_source": {
            "paypal": {
                "experience_context": {
                    "return_url": RETURN_URL,
                    "cancel_url": RETURN_URL,
                    "user_action": "PAY_NOW",
                    "shipping_preference": "NO_SHIPPING",
                },
                "email_address": "ann@demo.petplace.test",
            }
        },
    }
    assert charge.redirect_url == f"https://paypal.test/checkoutnow?token={charge.ref}"


def test_token_is_asked_for_once_and_again_when_it_ends(paypal_world: PayPalWorld) -> None:
    charge = paypal_world.create()
    paypal_world.gateway.retrieve(charge.ref)
    paypal_world.fake.tokens.clear()

    paypal_world.gateway.retrieve(charge.ref)

    assert [request.path for request in paypal_world.fake.seen].count("/v1/oauth2/token") == 2


def test_many_wait_for_one_failed_try_at_a_token(paypal_world: PayPalWorld, gateways) -> None:
    """A dozen in a row, each with a time limit of its own, would keep the last one waiting a dozen limits."""
    gateways.PAYMENT_TIMEOUT_SECONDS = 0.3
    adapter = PayPalGateway.from_settings()
    paypal_world.fake.be(silence=1.0)

    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(adapter.retrieve, "5O190127TN364715T") for _ in range(8)]
        errors = [one.exception() for one in tries]

    assert all(isinstance(error, GatewayUnavailable) for error in errors)
    assert [request.path for request in paypal_world.fake.seen].count("/v1/oauth2/token") == 1


def test_wrong_keys_are_for_staff(paypal_world: PayPalWorld, gateways) -> None:
    gateways.PAYPAL_CLIENT_SECRET = "other"

    with pytest.raises(GatewayRefused) as caught:
        paypal_world.create()

    assert caught.value.code == "gateway_key"


def test_approval_that_drops_is_completed_once(paypal_world: PayPalWorld) -> None:
    charge = paypal_world.create(capture="automatic")
    paypal_world.pay(charge.ref)
    paypal_world.fake.fail_next("drop_after", path="/capture")

    # The retry looks first, and the order says that it is completed.
    assert paypal_world.gateway.retrieve(charge.ref).state == "captured"
    assert paypal_world.made()["charges"] == 1
    assert paypal_world.fake.felt["drop_after"] == 1


def test_decline_of_the_last_step_is_told_once_more_approved_it_pays(paypal_world: PayPalWorld) -> None:
    charge = paypal_world.create(capture="automatic")
    paypal_world.pay(charge.ref, "declined")

    declined = paypal_world.gateway.retrieve(charge.ref)

    assert (declined.state, declined.failure_code) == ("requires_payment", "instrument_declined")
    assert declined.redirect_url == charge.redirect_url


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (422, {"name": "UNPROCESSABLE_ENTITY", "details": [{"issue": "TRANSACTION_REFUSED"}]}, GatewayDeclined),
        (409, {"name": "RESOURCE_CONFLICT"}, GatewayUnavailable),
        (400, {"name": "INVALID_REQUEST", "message": "No."}, GatewayRefused),
        (302, {}, GatewayRefused),
        (503, "busy", GatewayUnavailable),
    ],
)
def test_answers_in_our_words(paypal_world: PayPalWorld, monkeypatch, status: int, body, error) -> None:
    charge = paypal_world.create()
    monkeypatch.setattr(paypal_world.fake, "execute", lambda request: Answer(status, body))

    with pytest.raises(error):
        paypal_world.gateway.retrieve(charge.ref)


@pytest.mark.parametrize(("status", "state"), [("PENDING", "processing"), ("DECLINED", "failed"), ("FAILED", "failed")])
def test_capture_that_is_not_done(paypal_world: PayPalWorld, status: str, state: str) -> None:
    charge = paypal_world.captured()
    payments = paypal_world.fake.orders[charge.ref]["purchase_units"][0]["payments"]
    payments["captures"][0]["status"] = status

    found = paypal_world.gateway.retrieve(charge.ref)

    assert (found.state, found.captured) == (state, 0)


@pytest.mark.parametrize(
    ("status", "state"), [("PENDING", "processing"), ("EXPIRED", "canceled"), ("DENIED", "failed")]
)
def test_authorization_that_is_not_good(paypal_world: PayPalWorld, status: str, state: str) -> None:
    charge = paypal_world.authorized()
    payments = paypal_world.fake.orders[charge.ref]["purchase_units"][0]["payments"]
    payments["authorizations"][0]["status"] = status

    assert paypal_world.gateway.retrieve(charge.ref).state == state


@pytest.mark.parametrize("kind", ["refund", "capture", "dispute", "stranger"])
def test_events_lead_to_the_order(paypal_world: PayPalWorld, kind: str) -> None:
    charge = paypal_world.captured(metadata={"payment": "0b6c7d2e-0000-4000-8000-000000000001"})
    unit = paypal_world.fake.orders[charge.ref]["purchase_units"][0]
    capture = unit["payments"]["captures"][0]["id"]
    up = f"https://api.paypal.test/v2/payments/captures/{capture}"
    about = {
        "refund": {"id": "R1", "custom_id": "refund:1", "links": [{"rel": "up", "href": up}]},
        "capture": {
            "id": capture,
            "custom_id": unit["custom_id"],
            "links": [{"rel": "up", "href": f"https://api.paypal.test/v2/checkout/orders/{charge.ref}"}],
        },
        "dispute": {"dispute_id": "PP-D-1", "disputed_transactions": [{"seller_transaction_id": capture}]},
        "stranger": {"id": "R2", "links": [{"rel": "up", "href": f"{up}9"}]},
    }[kind]
    now = timezone.now()
    body = json.dumps({"id": "WH-9", "event_type": "ANY", "resource": about}).encode()

    event = paypal_world.gateway.parse_event(body, fake_paypal.sign(body, at=now), now=now)

    assert event.object_ref == ("R2" if kind == "stranger" else charge.ref)
    assert event.payment_uid == (unit["custom_id"] if kind == "capture" else "")


def test_signature_that_paypal_cannot_check_now_is_no_forgery(paypal_world: PayPalWorld) -> None:
    charge, now = paypal_world.create(), timezone.now()
    body = paypal_world.event(charge.ref)
    paypal_world.fake.fail_next("500", path="verify-webhook-signature")

    with pytest.raises(GatewayUnavailable):
        paypal_world.gateway.parse_event(body, fake_paypal.sign(body, at=now), now=now)


def test_test_mode_is_any_other_host(gateways) -> None:
    gateways.PAYPAL_API_BASE = "https://api-m.paypal.com"

    assert registry.get("paypal").adapter.is_test is False  # type: ignore[attr-defined]
    gateways.PAYPAL_API_BASE = "https://api-m.sandbox.paypal.com"
    assert registry.get("paypal").adapter.is_test is True  # type: ignore[attr-defined]


def test_fee_of_a_chargeback_belongs_to_its_dispute(paypal_world: PayPalWorld) -> None:
    charge = paypal_world.captured()
    dispute = paypal_world.open_dispute(charge.ref)
    capture = paypal_world.fake.orders[charge.ref]["purchase_units"][0]["payments"]["captures"][0]["id"]
    fee = {"currency_code": "EUR", "value": "-20.00"}
    paypal_world.fake._book("T0106", "FEE1", fee, reference=capture)
    paypal_world.fake._book("T0400", "BANK1", fee)  # the platform's own withdrawal is no business of ours
    now = timezone.now()

    found = paypal_world.gateway.movements(since=now - dt.timedelta(minutes=1), until=now + dt.timedelta(minutes=1))

    assert [(one.kind, one.amount, one.source_ref) for one in found if one.ref in ("FEE1", "BANK1")] == [
        ("fee", -2_000, dispute)
    ]


# --- Orders that PayPal forgot ------------------------------------------------------------------


def begun(world: PayPalWorld) -> Payment:
    payer = factories.UserFactory()
    invoice = invoices.write(
        provider=factories.make_provider(),
        payer=payer,
        subject="A walk",
        currency="EUR",
        lines=[Line(LineKind.BASE, "A walk", 1, 10_000)],
        due_at=timezone.now(),
        state=InvoiceState.DRAFT,
        prepay_amount=10_000,
    )
    return charges.start(invoice, by=payer, gateway="paypal", now=timezone.now()).payment


def test_forgotten_order_ends_its_attempt_and_the_next_one_works(paypal_world: PayPalWorld) -> None:
    payment = begun(paypal_world)
    paypal_world.fake.orders.clear()

    ended = charges.sync(payment, now=timezone.now())
    again = charges.start(payment.invoice, by=payment.invoice.payer, gateway="paypal", now=timezone.now())

    assert (ended.state, again.payment.state) == ("voided", "requires_action")
    assert again.payment.pk != payment.pk


@pytest.mark.parametrize("door", ["start", "calls"])
def test_forgotten_order_can_be_released(paypal_world: PayPalWorld, gateways, door: str) -> None:
    payment = begun(paypal_world)
    paypal_world.fake.orders.clear()

    if door == "calls":
        invoices.keep_only(payment.invoice, keep=0, reason="Too late", now=timezone.now())
        calls.run_due(now=timezone.now())
    else:  # the payer takes another gateway instead
        charges.start(payment.invoice, by=payment.invoice.payer, gateway="sandbox", now=timezone.now())

    payment.refresh_from_db()
    assert payment.state == "voided"


def test_taken_money_is_never_read_as_forgotten(paypal_world: PayPalWorld) -> None:
    payment = begun(paypal_world)
    paypal_world.pay(payment.ref or "")
    assert charges.sync(payment, now=timezone.now()).state == "captured"
    paypal_world.fake.orders.clear()

    with pytest.raises(GatewayUnknown):
        charges.sync(Payment.objects.get(), now=timezone.now())

    assert Payment.objects.get().state == "captured"
