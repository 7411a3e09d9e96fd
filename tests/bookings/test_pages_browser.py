"""Booking, and moving visits in the calendar, in a real browser."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from bookings.models import Booking
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome
from tests.factories import (
    PetFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_provider,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def branch(now):
    branch = make_branch(make_provider(now=now), now=now)
    make_resource(branch, name="Anna", now=now)
    return branch


@pytest.fixture
def service(branch, now):
    return make_service(branch, is_instant=True, addons=[("Photos", 300)], now=now)


def in_two_days(hour: int) -> datetime:
    day = timezone.now().astimezone(BERLIN).date() + timedelta(days=2)
    return datetime.combine(day, time(hour), BERLIN)


@pytest.mark.parametrize("has_script", [True, False])
def test_a_visit_is_booked_step_by_step(chrome, service, has_script):
    owner = UserFactory()
    PetFactory(owner=owner, name="Rex")
    page = chrome(user=owner, size=PHONE, java_script_enabled=has_script)

    page.goto(reverse("bookings:book", args=[service.uid]))
    page.get_by_text("Rex").check()
    page.locator("#step-form").get_by_role("button", name="Go on").click()
    page.locator(".slot-day").nth(2).get_by_role("link", name="10:00", exact=True).click()
    page.get_by_label("Photos").check()
    if not has_script:
        page.get_by_role("button", name="Update the price").click()
    expect(page.locator("#price-bar .sum")).to_have_text("€28.00")
    page.get_by_label("What should they know?").fill("Ring twice.")
    page.locator("section").get_by_role("button", name="Keep this time").click()
    expect(page.get_by_role("heading", name="Look once more, then book")).to_be_visible()
    page.locator("section").get_by_role("button", name="Book it").click()

    expect(page.locator("main .state-badge").first).to_have_text("Confirmed")
    booking = Booking.objects.get()
    assert (booking.owner, booking.note, booking.total) == (owner, "Ring twice.", 2800)
    assert booking.starts_at.astimezone(BERLIN).hour == 10


def test_every_step_is_accessible_and_fits(chrome, service):
    owner = UserFactory()
    pet = PetFactory(owner=owner)
    book, start = reverse("bookings:book", args=[service.uid]), in_two_days(10).isoformat()
    urls = [f"{book}?step={step}&species=dog&pets=1&pet={pet.uid}&start={start.replace('+', '%2B')}"
            for step in ("pets", "time", "extras")]  # fmt: skip
    held = make_booking(service, owner=owner, pets=[pet], starts_at=in_two_days(10), state="held", now=timezone.now())
    urls.append(reverse("bookings:checkout", args=[held.reference]))

    for user in (None, owner):
        for theme, size in (("light", PHONE), ("dark", DESKTOP)):
            page = chrome(theme=theme, size=size, user=user)
            for url in urls[: 3 if user is None else 4]:
                page.goto(url)
                assert_fits(page)
                assert_accessible(page)


@pytest.mark.parametrize(("theme", "size"), [("light", PHONE), ("dark", DESKTOP)])
def test_the_pages_of_both_sides_are_accessible_and_fit(chrome, service, theme, size):
    booking = make_booking(service, starts_at=in_two_days(10), now=timezone.now())
    slug, reference = booking.provider.slug, booking.reference
    own = [reverse(f"bookings:{name}", args=[reference]) for name in ("detail", "cancel", "move")]
    own += [reverse(f"bookings:{name}") for name in ("home", "list", "feeds")]
    theirs = [reverse(f"provider:{name}", args=[slug]) for name in ("today", "requests", "bookings")]
    theirs += [reverse(f"provider:{name}", args=[slug, reference]) for name in ("booking", "move")]
    theirs.append(reverse("provider:reasoned_step", args=[slug, reference, "cancel"]))
    theirs += [
        f"{reverse('provider:calendar', args=[slug])}?date={in_two_days(10):%Y-%m-%d}&view={view}"
        for view in ("day", "week", "list")
    ]

    for user, urls in ((booking.owner, own), (manager_of(booking), theirs)):
        page = chrome(theme=theme, size=size, user=user)
        for url in urls:
            page.goto(url)
            page.wait_for_load_state("networkidle")
            assert_fits(page)
            assert_accessible(page)


def open_day(page: Page, booking: Booking) -> None:
    url = reverse("provider:calendar", args=[booking.provider.slug])
    page.goto(f"{url}?date={booking.starts_at.astimezone(BERLIN):%Y-%m-%d}")
    page.wait_for_load_state("networkidle")


def drag(page: Page, booking: Booking, to_column: int, hours: int) -> None:
    """Pull the booking's event to the middle of a column, so many hours down."""
    event = page.locator(".ec-event.ev-confirmed").filter(has_text=booking.pets.get().name).first
    event.scroll_into_view_if_needed()
    box = event.bounding_box()
    column = page.locator(".ec-body .ec-day").nth(to_column).bounding_box()
    assert box is not None
    assert column is not None
    x, y, hour = column["x"] + column["width"] / 2, box["y"] + 6, column["height"] / 24
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(x, y + hours * hour / 2, steps=6)
    page.mouse.move(x, y + hours * hour, steps=6)
    page.mouse.up()


def test_a_visit_is_dragged_to_another_person_and_time(chrome, service, branch):
    booking = make_booking(service, starts_at=in_two_days(10), now=timezone.now())
    names = [resource.name for resource in branch.resources.filter(is_active=True)]
    taken = booking.allocations.get().resource.name
    target = 1 - names.index(taken)
    page = chrome(user=manager_of(booking))
    open_day(page, booking)

    drag(page, booking, to_column=target, hours=2)

    expect(page.locator(".toast-item")).to_contain_text("is moved")
    booking.refresh_from_db()
    assert booking.starts_at == in_two_days(12)
    assert booking.allocations.get(is_live=True).resource.name == names[target]


def test_a_visit_that_is_dragged_onto_another_goes_back_with_the_reason(chrome, service, branch):
    anna = branch.resources.get(name="Anna")
    booking = make_booking(service, starts_at=in_two_days(10), resource=anna, now=timezone.now())
    make_booking(service, starts_at=in_two_days(12), resource=anna, now=timezone.now())
    names = [resource.name for resource in branch.resources.filter(is_active=True)]
    page = chrome(user=manager_of(booking))
    open_day(page, booking)

    drag(page, booking, to_column=names.index("Anna"), hours=2)

    expect(page.locator(".toast-item")).to_contain_text("not free")
    booking.refresh_from_db()
    assert booking.starts_at == in_two_days(10)


def test_the_calendar_without_a_script_is_a_table(chrome, service, branch):
    booking = make_booking(service, starts_at=in_two_days(10), now=timezone.now())
    page = chrome(user=manager_of(booking), java_script_enabled=False)

    open_day(page, booking)

    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader", name="Anna")).to_be_visible()
    table.get_by_role("link", name=booking.pets.get().name).click()
    assert page.url.endswith(reverse("provider:booking", args=[booking.provider.slug, booking.reference]))
