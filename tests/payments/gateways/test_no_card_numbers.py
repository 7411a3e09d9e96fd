"""No card number reaches us: not in a request, not in a row, not in the log."""

import logging
import re
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.urls import reverse

from petplace.embedded.paths import BASE_DIR
from tests.browser import PHONE, assert_accessible, assert_fits, browser, chrome
from tests.payments.gateways.worlds import SandboxWorld, World

__all__ = ["browser", "chrome"]  # fixtures

CARD_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\d[ -]?){13,18}\d(?![0-9A-Za-z])")  # not the digits of a hash
TEST_NUMBER = "4000 0027 6000 3184"


def card_numbers(text: str) -> list[str]:
    """Return what could be a card's number: 14 to 19 digits that satisfy the Luhn check and begin as cards do."""
    found = [re.sub(r"\D", "", match) for match in CARD_NUMBER.findall(text)]
    return [digits for digits in found if digits[0] in "3456" and _luhn(digits)]


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def whole_database() -> str:
    rows = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            if model._meta.managed and not model._meta.proxy:
                cursor.execute(f'SELECT to_jsonb(t)::text FROM "{model._meta.db_table}" t')
                rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows)


def test_the_search_finds_numbers() -> None:
    """The control: a proof that could not fail would prove nothing."""
    assert card_numbers(f"card={TEST_NUMBER}&x=1") == ["4000002760003184"]
    assert card_numbers("card: 4242-4242-4242-4242.") == ["4242424242424242"]
    assert card_numbers("4242424242424241 1234567890123456 2026-11-24 00:00:00") == []


def test_no_form_of_ours_has_a_field_for_a_card() -> None:
    named = re.compile(r"<input[^>]*\bname=[\"'][^\"']*(card|number|pan|cvc|cvv|expir)", re.IGNORECASE)
    pages = [*BASE_DIR.glob("templates/sandbox/*.html"), *BASE_DIR.glob("templates/payments/**/*.html")]

    assert len(pages) > 6
    assert [page.name for page in pages if named.search(page.read_text())] == []
    assert [page.name for page in pages if 'autocomplete="cc-' in page.read_text()] == []


@pytest.mark.django_db
def test_nothing_that_gateways_exchange_holds_a_number(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for means in ("declined", "good"):
        charge = world.create()
        world.pay(charge.ref, means)
        world.gateway.retrieve(charge.ref)
    world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key="c")
    world.gateway.refund(charge.ref, amount=100, currency="EUR", key="r")

    sent = "" if world.fake is None else "\n".join(f"{one.path} {one.headers} {one.body!r}" for one in world.fake.seen)
    assert card_numbers(sent) == []
    assert card_numbers(caplog.text) == []
    assert card_numbers(whole_database()) == []


@pytest.mark.django_db
def test_number_posted_by_hand_is_not_kept(
    sandbox_world: SandboxWorld, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    charge = sandbox_world.create()

    client.post(reverse("sandbox:pay", args=[charge.ref]), {"token": "4242424242424242", "number": "4242424242424242"})

    assert card_numbers(caplog.text) == []
    assert card_numbers(whole_database()) == []


@pytest.fixture
def requests_seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whatever reaches the site, whole."""
    from django.core.handlers.base import BaseHandler

    seen: list[str] = []
    get_response = BaseHandler.get_response

    def watched(self: Any, request: Any) -> Any:
        seen.append(f"{request.get_full_path()} {dict(request.headers)} {request.body!r}")
        return get_response(self, request)

    monkeypatch.setattr(BaseHandler, "get_response", watched)
    return seen


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_typed_number_stays_in_the_browser(
    sandbox_world: SandboxWorld, chrome: Any, live_server: Any, requests_seen: list[str], theme: str
) -> None:
    charge = sandbox_world.create()
    path = reverse("sandbox:pay", args=[charge.ref])
    page = chrome(size=PHONE, theme=theme)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.post_data}"))

    page.goto(path)
    assert_fits(page)
    assert_accessible(page)
    page.get_by_label("Test card number").fill("4111 1111 1111 1111")
    page.get_by_role("button", name="Pay €100.00").click()
    assert page.url.endswith(path)  # a number that is no test card's goes nowhere
    page.get_by_label("Test card number").fill(TEST_NUMBER)
    assert page.get_by_label("Asks for 3-D Secure").is_checked()
    page.get_by_role("button", name="Pay €100.00").click()
    page.wait_for_url("**/check/")
    assert_accessible(page)
    page.get_by_role("button", name="No, refuse").click()
    page.get_by_role("alert").wait_for()

    assert "could not confirm that it is you" in page.get_by_role("alert").inner_text()
    assert sandbox_world.gateway.retrieve(charge.ref).state == "requires_payment"
    posted = [request for request in requests_seen if "tok_3ds" in request]
    assert len(posted) == 1
    assert card_numbers("\n".join(requests_seen)) == []
    assert card_numbers("\n".join(sent)) == []
    assert card_numbers(whole_database()) == []


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_pay_page_works_without_javascript(sandbox_world: SandboxWorld, chrome: Any) -> None:
    charge = sandbox_world.create()
    page = chrome(java_script_enabled=False)
    page.goto(reverse("sandbox:pay", args=[charge.ref]))

    assert not page.get_by_label("Test card number").is_visible()
    page.get_by_label("Has too little money").check()
    page.get_by_role("button", name="Pay €100.00").click()

    assert "not enough money" in page.get_by_role("alert").inner_text()
