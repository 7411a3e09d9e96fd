"""One's own data in a real browser: a copy is asked for, made, downloaded and opened; then the account is closed."""

import datetime as dt
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from playwright.sync_api import Page, expect

from accounts import tasks
from accounts.models import DataExport, User
from bookings.domain import lifecycle
from bookings.models import Booking
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome  # noqa: F401
from tests.factories import PetFactory, UserFactory, make_booking

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "a-good-password-1"


@pytest.fixture
def booking(settings: Any, tmp_path: Path) -> Booking:
    """What keeps the account open: a visit in three days."""
    settings.MEDIA_ROOT = tmp_path / "media"
    owner = UserFactory(full_name="Ida Leaving")
    pet = PetFactory(owner=owner, name="Frobnitz", photo=ContentFile(b"a picture", "x.jpg"))
    now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    noon = (now + dt.timedelta(days=3)).replace(hour=11)
    return make_booking(now=now, starts_at=noon, owner=owner, pets=[pet], note="Frobnitz barks")


def look(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)], ids=["desktop-light", "phone-dark"])
def test_take_a_copy_and_leave(
    chrome: Callable[..., Page],  # noqa: F811
    booking: Booking,
    tmp_path: Path,
    theme: str,
    size: Any,
) -> None:
    owner = booking.owner
    page = chrome(user=owner, theme=theme, size=size, accept_downloads=True)
    page.goto("/account/settings/")
    page.get_by_role("link", name="Privacy", exact=True).first.click()
    page.wait_for_url("**/privacy/")
    look(page)

    # The copy: asked for, made by the job, told, downloaded, opened.
    page.get_by_role("button", name="Make a copy").click()
    expect(page.locator("main").get_by_text("You get a mail when it is ready.")).to_be_visible()
    expect(page.get_by_role("button", name="Make a copy")).to_have_count(0)
    look(page)
    tasks.make_exports()
    page.goto("/notifications/")
    expect(page.get_by_text("Your copy of your data is ready").first).to_be_visible()
    page.goto("/account/privacy/")
    look(page)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    saved = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(saved)
    assert saved.name.startswith("pet-place-")
    with zipfile.ZipFile(saved) as copy:
        assert copy.testzip() is None
        assert json.loads(copy.read("data/accounts.user.json"))[0]["full_name"] == "Ida Leaving"
        assert json.loads(copy.read("data/bookings.booking.json"))[0]["note"] == "Frobnitz barks"
        (photo,) = [name for name in copy.namelist() if name.startswith("files/pets.pet/")]
        assert copy.read(photo) == b"a picture"
    page.get_by_role("button", name="Make a new one").click()
    expect(page.get_by_text("You can ask for one copy a day.")).to_be_visible()
    link = page.get_by_role("link", name="Download").get_attribute("href")
    assert link is not None

    # Leaving: not while a visit is to come.
    page.get_by_role("link", name="Close the account").click()
    page.wait_for_url("**/close/")
    expect(page.get_by_text(f"There are open bookings: {booking.reference}.")).to_be_visible()
    expect(page.get_by_role("button", name="Close my account")).to_have_count(0)
    look(page)
    lifecycle.cancel(booking, by=owner, now=dt.datetime.now(dt.UTC))
    page.reload()
    page.get_by_label("Your password").fill("not-it")
    page.get_by_role("button", name="Close my account").click()
    expect(page.get_by_text("This is not your password.")).to_be_visible()
    look(page)
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Close my account").click()
    expect(page.get_by_text("Your account is closed.")).to_be_visible()
    look(page)

    gone = User.objects.get(pk=owner.pk)
    assert (gone.full_name, gone.is_active) == ("Former user", False)
    assert not DataExport.objects.exists()
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []
    answer = page.goto(link)
    assert answer is not None
    assert answer.status == 404
    page.goto("/account/settings/")
    assert "/accounts/login/" in page.url
