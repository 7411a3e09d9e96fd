"""The parts of the pay page: Stripe's element in a real browser (with a stand-in for its script), the other links."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.browser import PHONE, assert_accessible, assert_fits, browser, chrome
from tests.payments.gateways.test_no_card_numbers import card_numbers
from tests.payments.gateways.worlds import PayPalWorld, SandboxWorld, StripeWorld

__all__ = ["browser", "chrome"]  # fixtures
pytestmark = pytest.mark.urls("tests.payments.gateways.pay_urls")

JS_URL = "https://js.stripe.com/v3/"
# What our script uses of Stripe.js; it notes what it was told, and says of the first try what the test wants.
STRIPE_JS = """
window.told = [];
window.Stripe = (key) => ({
  elements: (options) => {
    told.push(["elements", key, options.clientSecret]);
    return {create: (kind) => ({
      on: (name, call) => { if (name === "ready") setTimeout(call, 0); },
      mount: (place) => { place.textContent = "Card " + kind; },
    })};
  },
  confirmPayment: async ({confirmParams}) => {
    told.push(["confirm", confirmParams.return_url]);
    if (told.length < 3) return {error: {message: "Your card was declined."}};
    location.assign(confirmParams.return_url + "?redirect_status=succeeded");
    return new Promise(() => {});
  },
});
"""


@pytest.fixture
def stripe_policy(gateways: Any) -> None:
    """As the settings of a site with Stripe make it."""
    policy = {name: list(sources) for name, sources in gateways.CONTENT_SECURITY_POLICY["DIRECTIVES"].items()}
    policy["script-src"].append("https://js.stripe.com")
    gateways.CONTENT_SECURITY_POLICY = {"DIRECTIVES": policy}


@pytest.mark.browser
@pytest.mark.usefixtures("stripe_policy")
@pytest.mark.django_db(transaction=True)
def test_card_is_paid_in_stripes_element(stripe_world: StripeWorld, chrome: Any) -> None:
    charge = stripe_world.create()
    page = chrome(size=PHONE)
    page.route(JS_URL, lambda route: route.fulfill(content_type="text/javascript", body=STRIPE_JS))

    page.goto(f"/test-pay/stripe/{charge.ref}/")
    button = page.get_by_role("button", name="Pay €100.00")
    page.get_by_text("Card payment").wait_for()
    assert_fits(page)
    assert_accessible(page)
    button.click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == "Your card was declined."
    told = json.loads(page.evaluate("JSON.stringify(told)"))
    button.click()
    page.wait_for_url("**/terms/?redirect_status=succeeded")

    assert told[0] == ["elements", "pk_test_fake", charge.client_secret]
    assert told[1][0] == "confirm"
    assert told[1][1].endswith("/terms/")


@pytest.mark.browser
@pytest.mark.usefixtures("stripe_policy")
@pytest.mark.django_db(transaction=True)
def test_script_that_does_not_load_is_said(stripe_world: StripeWorld, chrome: Any) -> None:
    charge = stripe_world.create()
    page = chrome()
    page.route(JS_URL, lambda route: route.fulfill(content_type="text/javascript", body=""))

    page.goto(f"/test-pay/stripe/{charge.ref}/")

    assert "could not be loaded" in page.get_by_role("alert").inner_text()
    assert page.get_by_role("button", name="Pay €100.00").is_disabled()


@pytest.mark.django_db
def test_stripe_part_has_no_field_for_a_card(stripe_world: StripeWorld, client: Client) -> None:
    charge = stripe_world.create()

    text = client.get(f"/test-pay/stripe/{charge.ref}/").content.decode()

    form = text[text.index("<form") : text.index("</form>")]
    assert "<input" not in form
    assert f'data-client-secret="{charge.client_secret}"' in form
    assert f'<script src="{JS_URL}" defer></script>' in text
    assert card_numbers(text) == []


@pytest.mark.django_db
def test_paypal_part_is_a_link_out(paypal_world: PayPalWorld, client: Client) -> None:
    charge = paypal_world.create()

    text = client.get(f"/test-pay/paypal/{charge.ref}/").content.decode()

    assert f'href="{charge.redirect_url}"' in text
    assert "Pay €100.00 with PayPal" in text


@pytest.mark.django_db
def test_sandbox_part_is_a_link_that_says_what_it_is(sandbox_world: SandboxWorld, client: Client) -> None:
    charge = sandbox_world.create()

    text = client.get(f"/test-pay/sandbox/{charge.ref}/").content.decode()

    assert f'href="{charge.redirect_url}"' in text
    assert "Test mode: no real card is charged." in text
