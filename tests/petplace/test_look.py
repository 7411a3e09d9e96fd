"""The shared pages in a real browser: readable by all, in both themes, on a phone and on a desk."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures

PUBLIC = [
    "home",
    "ui-gallery",
    "how_it_works",
    "terms",
    "privacy",
    "account_login",
    "account_signup",
    "account_reset_password",
]
OWN = ["account_email", "account_change_password", "usersessions_list", "account_logout"]


@pytest.fixture
def ann(transactional_db):
    return get_user_model().objects.create_user("ann@demo.petplace.test", "x", full_name="Ann Demo")


@pytest.mark.parametrize(("theme", "size"), [("light", PHONE), ("dark", DESKTOP)])
def test_public_pages_are_accessible_and_fit(chrome, theme, size):
    page = chrome(theme=theme, size=size)
    for name in PUBLIC:
        page.goto(reverse(name))
        assert page.locator("html").get_attribute("data-bs-theme") == theme
        assert_fits(page)
        assert_accessible(page)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_account_pages_are_accessible_and_fit(chrome, theme, ann):
    page = chrome(theme=theme, user=ann, size=PHONE)
    for name in OWN:
        page.goto(reverse(name))
        assert_fits(page)
        assert_accessible(page)


def test_theme_button_changes_the_theme_and_the_choice_stays(chrome):
    page = chrome(theme="light")
    page.goto("/")
    page.get_by_role("button", name="Switch to the dark theme").click()
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    page.goto(reverse("terms"))
    assert page.locator("html").get_attribute("data-bs-theme") == "dark"
    assert page.get_by_role("button", name="Switch to the light theme").is_visible()


def test_skip_link_is_the_first_stop_of_the_keyboard(chrome):
    page = chrome()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_account_menu_opens_without_script_and_escape_closes_it(chrome, ann):
    plain = chrome(user=ann, java_script_enabled=False)
    plain.goto("/")
    plain.locator("summary[aria-label='Your account']").click()
    assert plain.get_by_role("button", name="Sign out").is_visible()

    page = chrome(user=ann)
    page.goto("/")
    page.locator("summary[aria-label='Your account']").click()
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Sign out").is_visible()


def test_confirm_form_asks_first_and_can_be_left(chrome):
    page = chrome()
    page.goto(reverse("ui-gallery"))
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    page.get_by_role("button", name="Cancel the booking").click()
    dialog = page.get_by_role("dialog", name="Cancel this booking?")
    assert "You get $129.00 back." in dialog.inner_text()
    dialog.get_by_role("button", name="Go back").click()
    assert page.get_by_role("dialog").count() == 0
    assert sent == []

    page.get_by_role("button", name="Cancel the booking").click()
    with page.expect_request(lambda request: request.method == "POST"):
        page.get_by_role("dialog").get_by_role("button", name="Cancel the booking").click()


def test_my_location_fills_the_search(chrome):
    page = chrome(geolocation={"latitude": 43.24, "longitude": 76.9}, permissions=["geolocation"])
    page.goto("/")
    page.get_by_role("button", name="Use my location").click()
    page.wait_for_function("document.querySelector('[name=lat]').value === '43.24000'")
    assert page.locator("[name=lng]").input_value() == "76.90000"
    page.get_by_label("Where").fill("Berlin")
    assert page.locator("[name=lat]").input_value() == ""
