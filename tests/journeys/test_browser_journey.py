"""The main job in a real browser, as the two people who do it: found, booked, accepted, visited, reviewed."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from bookings.models import Booking
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome  # noqa: F401
from tests.factories import UserFactory, make_branch, make_provider, make_resource, make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "a-long-and-odd-password-7"


@pytest.fixture
def manager() -> User:
    """Someone who walks dogs around the clock and can be asked at short notice."""
    manager = UserFactory(full_name="Walker")
    branch = make_branch(make_provider(manager, kind="walker", name="Park Pack"))
    branch.resources.all().delete()
    make_resource(branch, name="Walker 1")
    make_service(
        branch,
        name="60-minute walk",
        duration_minutes=60,
        price=1900,
        minimum_notice_minutes=0,
        slot_step_minutes=15,
    )
    return manager


def look(page: Page) -> None:
    """What every page of the journey must be: usable by everyone, and no wider than the screen."""
    assert_accessible(page)
    assert_fits(page)


def soon() -> dt.datetime:
    """Return the next quarter of an hour that is at least 20 minutes away, so that the visit can start at once."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=20)
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + dt.timedelta(minutes=15)


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop-light", "phone-dark"])
def test_journey_from_sign_up_to_review(
    chrome: Callable[..., Page],  # noqa: F811
    manager: User,
    theme: str,
    size: Any,
) -> None:
    owner_page = chrome(theme=theme, size=size)

    # Sign up.
    owner_page.goto("/accounts/signup/")
    look(owner_page)
    owner_page.get_by_label("Your name").fill("Owner")
    owner_page.get_by_label("Email").fill("owner@example.test")
    for field in owner_page.locator("input[type=password]").all():
        field.fill(PASSWORD)
    owner_page.get_by_role("button", name="Sign up").click()
    owner_page.wait_for_url(lambda url: "signup" not in url)

    # A pet.
    owner_page.goto("/pets/")
    look(owner_page)
    owner_page.get_by_role("link", name=re.compile("add", re.I)).first.click()
    look(owner_page)
    owner_page.get_by_label("Name", exact=False).first.fill("Bruno")
    owner_page.get_by_label("Species").select_option("dog")
    owner_page.get_by_label(re.compile("weight", re.I)).fill("30")
    owner_page.locator("main form button[type=submit]").last.click()
    expect(owner_page.get_by_role("heading", name="Bruno")).to_be_visible()
    look(owner_page)

    # Who is free then, at which price?
    start = soon()
    local = start.astimezone(ZoneInfo("Europe/Berlin"))
    query = {
        "near": "Berlin",
        "service": "walking",
        "species": "dog",
        "weight_kg": "30",
        "pets": "1",
        "date": f"{local:%Y-%m-%d}",
        "time": f"{local:%H:%M}",
        "duration": "60",
    }
    owner_page.goto(f"/search/?{urlencode(query)}")
    look(owner_page)
    card = owner_page.locator("article, li").filter(has_text="Park Pack").first
    expect(card).to_contain_text("€19")
    card.get_by_role("link").first.click()
    expect(owner_page.get_by_role("heading", name="Park Pack", level=1)).to_be_visible()
    look(owner_page)

    # The four steps.
    service = manager.memberships.get().provider.services.get()
    owner_page.goto(f"/bookings/book/{service.uid}/?{urlencode({'start': start.strftime('%Y-%m-%dT%H:%M:%SZ')})}")
    look(owner_page)
    owner_page.locator("label.choice", has_text="Bruno").click()
    _main_button(owner_page, "Go on")
    owner_page.wait_for_url(re.compile("step=(time|extras)"))
    look(owner_page)
    if "step=time" in owner_page.url:
        owner_page.locator("a.slot").first.click()
        look(owner_page)
    owner_page.get_by_label("What should they know?").fill("Ring twice.")
    _main_button(owner_page, "Keep this time")
    expect(owner_page.get_by_text("Kept for you")).to_be_visible()
    look(owner_page)
    _main_button(owner_page, "Send the request")
    booking = Booking.objects.get()
    expect(owner_page.get_by_role("heading", level=1)).to_be_visible()
    assert booking.state == "pending"
    look(owner_page)

    # The provider accepts, starts and finishes.
    provider_page = chrome(theme=theme, size=size, user=manager)
    slug = booking.provider.slug
    provider_page.goto(f"/provider/{slug}/requests/")
    expect(provider_page.get_by_text("Ring twice.").first).to_be_visible()
    look(provider_page)
    _main_button(provider_page, f"Accept {booking.reference}")
    _reaches(booking, "confirmed")
    provider_page.goto(f"/provider/{slug}/bookings/{booking.reference}/")
    look(provider_page)
    _main_button(provider_page, f"Start {booking.reference}")
    _reaches(booking, "in_progress")
    provider_page.goto(f"/provider/{slug}/today/")
    look(provider_page)
    provider_page.goto(f"/provider/{slug}/bookings/{booking.reference}/")
    _main_button(provider_page, f"Finish {booking.reference}")
    _reaches(booking, "completed")
    provider_page.goto(f"/provider/{slug}/calendar/")
    look(provider_page)

    # The owner says how it was.
    owner_page.goto(f"/bookings/{booking.reference}/")
    look(owner_page)
    owner_page.get_by_role("link", name=re.compile("review", re.I)).first.click()
    look(owner_page)
    owner_page.locator("input[name=rating][value='5']").check(force=True)
    owner_page.locator("main textarea").fill("On time and kind.")
    _main_button(owner_page, "Send the review")
    # Nobody reads it before the other side has written, too.
    owner_page.goto(f"/p/{slug}/")
    expect(owner_page.get_by_text("On time and kind.")).to_have_count(0)
    provider_page.goto(f"/provider/{slug}/bookings/{booking.reference}/review/")
    look(provider_page)
    provider_page.locator("input[name=rating][value='5']").check(force=True)
    _main_button(provider_page, "Send the review")
    owner_page.goto(f"/p/{slug}/")
    expect(owner_page.get_by_text("On time and kind.")).to_be_visible()


def _main_button(page: Page, name: str) -> None:
    """Press the visible button of that name: on a phone it is in the bar at the bottom."""
    page.get_by_role("button", name=name).locator("visible=true").last.click()
    page.wait_for_load_state("networkidle")


def _reaches(booking: Booking, state: str) -> None:
    booking.refresh_from_db()
    assert booking.state == state
