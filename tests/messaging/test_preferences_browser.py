"""Settings > Notifications, the developer's outbox and the administration's health panel in a real browser."""

import os
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from messaging.choices import Channel
from messaging.domain import notify, outbox, preferences
from messaging.models import ContactSettings, Device, OutboxMessage
from petplace.models import Heartbeat
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome
from tests.factories import StaffFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "chrome"]  # fixtures
LOOKS = [("light", PHONE), ("dark", DESKTOP)]


def look(page, name, theme, size):
    """Check the page, and keep a picture where ``PETPLACE_SHOTS`` names a folder."""
    if folder := os.environ.get("PETPLACE_SHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}-{size['width']}-{theme}.png"), full_page=True)
    assert_fits(page)
    assert_accessible(page)


@pytest.fixture
def staff():
    staff = StaffFactory(phone="+4930123456", time_zone="Europe/Berlin")
    ContactSettings.objects.create(user=staff, texts_are_on=True, quiet_is_on=False, email_bounced_at=None)
    Device.objects.create(user=staff, kind="fcm", address="token", label="My phone", last_seen_at=timezone.now())
    return staff


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_switches_are_set_and_saved(chrome, staff, theme, size):
    page = chrome(user=staff, theme=theme, size=size)
    page.goto(reverse("messaging:preferences"))
    page.locator(".switch-group summary").filter(has_text="Bookings").click()
    look(page, "preferences", theme, size)

    page.get_by_role("switch", name="Reminder two days before: Text").check()
    page.get_by_role("switch", name="Reminder two days before: E-mail").uncheck()
    page.get_by_role("button", name="Save bookings").click()

    page.get_by_text("Saved: Bookings.").wait_for()
    chosen = preferences.chosen_by(staff)
    assert chosen == {("booking_reminder", "sms"): True, ("booking_reminder", "email"): False}
    assert page.get_by_role("switch", name="Reminder two days before: Text").is_visible()


@pytest.mark.parametrize(("theme", "size"), LOOKS)
def test_the_outbox_shows_what_would_have_gone_out(chrome, staff, settings, theme, size):
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.SITE_URL = "http://localhost:8000"
    now = timezone.now()
    notify(
        staff, "booking_reminder_soon", key="k", title="In three hours: Dog walk", now=now, url="/bookings/BK-1/",
        body="Dog walk for Rex, Tue, Nov 24, 2026, 17:00 (Europe/Berlin).",
    )  # fmt: skip
    outbox.deliver_due(now=now)
    page = chrome(user=staff, theme=theme, size=size)

    page.goto(reverse("dev:outbox"))
    look(page, "outbox", theme, size)
    for channel in (Channel.EMAIL, Channel.SMS):
        page.goto(reverse("dev:outbox_message", args=[OutboxMessage.objects.get(channel=channel).uid]))
        look(page, f"outbox-{channel}", theme, size)
        if channel == Channel.EMAIL:
            page.frame_locator("iframe").get_by_role("heading").first.wait_for()


@pytest.mark.parametrize(("theme", "size"), LOOKS)
@pytest.mark.parametrize("is_late", [True, False])
def test_staff_see_whether_notifications_are_on_time(chrome, staff, theme, size, is_late):
    if not is_late:
        Heartbeat.beat("worker", now=timezone.now())
    page = chrome(user=staff, theme=theme, size=size)

    page.goto(reverse("admin:index"))

    page.get_by_role("heading", name="Notifications are late" if is_late else "Notifications are on time").wait_for()
    look(page, f"admin-{'red' if is_late else 'green'}", theme, size)
