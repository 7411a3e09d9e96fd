"""The search and the profile in a real browser: list and map, chips without a page load, accessible in both themes."""

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome
from tests.factories import make_branch, make_provider, make_resource, make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures


@pytest.fixture
def day(transactional_db: None) -> str:
    """Three walkers in Berlin, always there; the day after tomorrow, at which they are asked."""
    now = timezone.now()
    for number in range(3):
        branch = make_branch(make_provider(name=f"Walker {number}"), latitude=52.5 + number / 50, now=now)
        make_resource(branch, now=now)
        make_service(branch, price=1800 + number * 200, now=now)
    return (now + dt.timedelta(days=2)).date().isoformat()


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_search_and_profile_are_accessible_and_fit(chrome: Any, theme: str, size: Any, day: str) -> None:
    page = chrome(theme=theme, size=size)
    page.goto(f"/search/?near=Berlin&service=walking&date={day}&time=17:00&duration=30")
    page.wait_for_selector(".map-pin")
    assert page.locator(".map-pin").count() == page.locator(".provider-card").count() == 3
    assert_accessible(page)
    assert_fits(page)
    page.goto(f"/search/?near=Berlin&date={day}&time=17:00&duration=480")
    assert page.get_by_role("heading", name="Nobody is free then").is_visible()
    assert_accessible(page)
    page.goto(f"/search/?near=Berlin&date={day}&time=17:00&duration=30")
    page.get_by_role("link", name="Walker 1").first.click()
    page.wait_for_url("**/p/walker-1/**")
    assert page.get_by_role("heading", level=1, name="Walker 1").is_visible()
    page.wait_for_selector("#profile-map .map-circle", state="attached")
    assert_accessible(page)
    assert_fits(page)


def test_filters_change_the_list_the_map_and_the_address_without_a_page_load(chrome: Any, day: str) -> None:
    page = chrome()
    page.goto(f"/search/?near=Berlin&service=walking&date={day}&time=17:00&duration=30")
    page.wait_for_selector(".map-pin")
    page.evaluate("window.isSamePage = true")

    page.get_by_label("Up to (EUR)").fill("20")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url("**price_max=20**")
    expect(page.locator(".map-pin")).to_have_count(2)
    assert page.locator(".provider-card").count() == 2

    page.get_by_role("link", name=re.compile("Up to €20")).click()
    expect(page.locator(".map-pin")).to_have_count(3)
    assert "price_max" not in page.url
    assert page.evaluate("window.isSamePage") is True


def test_towns_are_offered_while_typing(chrome: Any, transactional_db: None) -> None:
    page = chrome()
    page.goto("/search/")
    page.get_by_label("Where").press_sequentially("Almat")
    page.wait_for_selector("#sb-places option[value^='Almaty']", state="attached")


def test_search_works_without_javascript(chrome: Any, day: str) -> None:
    page = chrome(java_script_enabled=False)
    page.goto("/search/")
    page.get_by_label("Where").fill("Berlin")
    page.get_by_label("Day").fill(day)
    page.get_by_label("Time").fill("17:00")
    page.get_by_role("button", name="Find care").click()
    assert page.locator(".provider-card").count() == 3
    page.get_by_role("link", name="Walker 2").first.click()
    assert page.get_by_role("heading", name="When A walking service is free").is_visible()
