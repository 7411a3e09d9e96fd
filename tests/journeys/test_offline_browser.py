"""The installed app in a real browser: what it shows without a network, what it keeps, and what a push does."""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from bookings.models import Booking
from messaging.models import Device
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, session_cookie  # noqa: F401
from tests.factories import DEVICE_KEYS, make_booking

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

KEPT = """async (url) => Boolean(
    navigator.serviceWorker.controller && await caches.match(url, {cacheName: "petplace-private"})
)"""
ALL_KEPT = """async () => {
    const found = {};
    for (const name of await caches.keys()) {
        found[name.replace(/-[0-9a-f]{16}$/, "")] = (await (await caches.open(name)).keys())
            .map((request) => new URL(request.url).pathname);
    }
    return found;
}"""


@pytest.fixture
def booking() -> Booking:
    now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
    noon = (now + dt.timedelta(days=1 if now.hour < 11 else 2)).replace(hour=11)  # near enough for its address
    return make_booking(state="confirmed", now=now, starts_at=noon)


@pytest.fixture
def context(browser: Browser, live_server: Any, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:  # noqa: F811
    theme, size = getattr(request, "param", ("light", DESKTOP))
    made = browser.new_context(base_url=live_server.url, color_scheme=theme, viewport=size)
    yield made
    made.close()


def sign_in(context: BrowserContext, user: Any, url: str) -> Page:
    context.add_cookies([session_cookie(user, url)])
    page = context.new_page()
    page.goto("/bookings/")
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function(KEPT, arg="/offline/bookings/")
    return page


@pytest.mark.parametrize("context", [("light", DESKTOP), ("dark", PHONE)], indirect=True, ids=["desktop", "phone"])
def test_next_booking_is_there_without_a_network(context: BrowserContext, booking: Booking, live_server: Any) -> None:
    page = sign_in(context, booking.owner, live_server.url)

    context.set_offline(True)
    page.goto(f"/bookings/{booking.reference}/")

    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    visit = page.locator("[data-offline-list] li")
    expect(visit).to_have_count(1)
    expect(visit).to_contain_text(booking.service.name)
    expect(visit).to_contain_text(booking.service.branch.address)
    assert page.evaluate("getComputedStyle(document.body).fontFamily").startswith('"Onest')
    assert_accessible(page)
    assert_fits(page)

    context.set_offline(False)  # the page notices by itself
    expect(page.get_by_role("heading", name="You are offline")).to_have_count(0)


def test_signing_out_wipes_what_was_kept(context: BrowserContext, booking: Booking, live_server: Any) -> None:
    page = sign_in(context, booking.owner, live_server.url)
    page.goto(f"/bookings/{booking.reference}/")
    kept = page.evaluate(ALL_KEPT)
    assert kept["petplace-private"] == ["/offline/bookings/"]  # no other private page is ever kept
    assert {path for path in kept["petplace-shell"] if not path.startswith("/static/")} == {"/offline/"}

    page.locator("summary[aria-label='Your account']").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/")
    page.wait_for_function("async () => !(await caches.has('petplace-private'))")

    context.set_offline(True)
    page.goto("/bookings/")
    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    expect(page.locator("[data-offline]")).to_be_hidden()
    assert booking.service.name not in page.content()


def test_next_person_does_not_see_what_the_last_one_kept(
    context: BrowserContext, booking: Booking, live_server: Any
) -> None:
    """The session ran out instead of being ended, and somebody else signs in."""
    sign_in(context, booking.owner, live_server.url).close()
    context.clear_cookies()
    stranger = make_booking(state="held", now=dt.datetime.now(dt.UTC), starts_at=booking.starts_at).owner
    page = sign_in(context, stranger, live_server.url)

    context.set_offline(True)
    page.goto("/bookings/")

    expect(page.get_by_role("heading", name="You are offline")).to_be_visible()
    assert booking.service.branch.address not in page.content()


def shown_on(page: Page) -> list[dict[str, Any]]:
    """Return the notifications the browser shows now."""
    return page.evaluate(
        """async () => (await (await navigator.serviceWorker.ready).getNotifications()).map((one) => ({
            title: one.title, body: one.body, data: one.data, actions: one.actions.map((action) => action.title),
        }))"""
    )


def wait_for(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait while the browser works on it; its events come only while the page is asked to wait."""
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def test_push_is_shown_with_its_links(context: BrowserContext, booking: Booking, live_server: Any) -> None:
    context.grant_permissions(["notifications"], origin=live_server.url)
    page = sign_in(context, booking.owner, live_server.url)
    line = context.new_cdp_session(page)
    registrations: list[str] = []
    line.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one["registrationId"] for one in event["registrations"]),
    )
    line.send("ServiceWorker.enable")
    wait_for(page, lambda: bool(registrations))
    said = {
        "title": "Confirmed",
        "body": "Rex is coming.",
        "url": f"{live_server.url}/bookings/{booking.reference}/",
        "tag": "booking",
        "actions": [
            {"title": "Cancel", "url": f"{live_server.url}/cancel"},
            {"title": "Trap", "url": "https://x.test/"},
        ],
    }
    messages = (json.dumps(said), json.dumps(said | {"body": "Rex comes later."}), "not JSON")
    for data, body in zip(messages, ("Rex is coming.", "Rex comes later.", "not JSON"), strict=True):
        line.send(
            "ServiceWorker.deliverPushMessage",
            {"origin": live_server.url, "registrationId": registrations[-1], "data": data},
        )
        wait_for(page, lambda body=body: body in [one["body"] for one in shown_on(page)])
    shown = shown_on(page)

    found = next(one for one in shown if one["title"] == "Confirmed")
    assert found["body"] == "Rex comes later."  # the newer one took the place of the older
    assert found["actions"] == ["Cancel", "Trap"]
    assert found["data"]["url"] == said["url"]
    assert found["data"]["actions"] == [f"{live_server.url}/cancel", live_server.url]  # nothing leads elsewhere
    assert next(one for one in shown if one["title"] == "Pet Place")["body"] == "not JSON"
    assert len(shown) == 2


# Chromium without a network has no push service: this one stands in for it, and nothing else is replaced.
SUBSCRIBES = """
    const made = (key) => ({
        endpoint: "https://push.example.test/send/browser",
        options: {applicationServerKey: key},
        toJSON() { return {endpoint: this.endpoint, keys: KEYS}; },
        async unsubscribe() { localStorage.removeItem("subscribed"); return true; },
    });
    const decode = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0)).buffer;
    PushManager.prototype.getSubscription = async () =>
        localStorage.getItem("subscribed") ? made(decode(localStorage.getItem("subscribed"))) : null;
    PushManager.prototype.subscribe = async ({applicationServerKey: key}) => {
        localStorage.setItem("subscribed", btoa(String.fromCharCode(...key)));
        return made(key.buffer);
    };
"""


def test_browser_is_switched_on_and_off(context: BrowserContext, booking: Booking, live_server: Any) -> None:
    context.grant_permissions(["notifications"], origin=live_server.url)
    keys = json.dumps({"p256dh": DEVICE_KEYS[0], "auth": DEVICE_KEYS[1]})
    context.add_init_script(SUBSCRIBES.replace("KEYS", keys))
    page = sign_in(context, booking.owner, live_server.url)
    page.goto("/notifications/devices/")
    expect(page.locator("[data-push-status]")).to_have_text("Gets no notifications.")

    page.get_by_role("button", name="Turn on here").click()
    expect(page.locator("[data-device]")).to_have_count(1)
    expect(page.locator("[data-push-status]")).to_have_text("Gets notifications.")
    assert Device.objects.get().user == booking.owner
    assert_accessible(page)

    page.get_by_role("button", name="Turn off here").click()
    expect(page.get_by_role("button", name="Turn on here")).to_be_visible()
    assert not Device.objects.exists()


def test_browser_is_told_of_again_when_its_owner_signs_in_again(
    context: BrowserContext, booking: Booking, live_server: Any
) -> None:
    context.grant_permissions(["notifications"], origin=live_server.url)
    keys = json.dumps({"p256dh": DEVICE_KEYS[0], "auth": DEVICE_KEYS[1]})
    context.add_init_script(SUBSCRIBES.replace("KEYS", keys))
    page = sign_in(context, booking.owner, live_server.url)
    page.goto("/notifications/devices/")
    page.get_by_role("button", name="Turn on here").click()
    expect(page.locator("[data-device]")).to_have_count(1)
    page.close()
    context.clear_cookies()
    Device.objects.all().delete()

    with context.expect_event("response", lambda answer: answer.url.endswith("/notifications/devices/add/")):
        sign_in(context, booking.owner, live_server.url)

    assert Device.objects.get().user == booking.owner
