"""A real Chromium for tests of pages, and axe-core to judge them.

Import ``browser`` and ``chrome`` into a test module (or its conftest); mark the tests with ``pytest.mark.browser``.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
expect.set_options(timeout=30_000)  # milliseconds; a machine that is busy with other tests is slow, not wrong
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


def executable() -> str:
    """Return the system's Chromium; CI installs Debian's."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium on this machine (.ci/run installs Debian's)")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium per module. Playwright's loop lives in this thread, so Django must be told that this is fine."""
    before = os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=ARGUMENTS)
        yield chromium
        chromium.close()
    if before is None:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def chrome(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """Open fresh pages of the running site: ``chrome(theme="dark", size=PHONE, user=ann)``.

    At the end of the test no page may have written an error into its console (a refused inline style is one).
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def note(message: Any) -> None:
        # The test server is a WSGI one, without streams: the browser notes that, and the page asks instead.
        if message.type == "error" and "/events/" not in (message.location or {}).get("url", ""):
            errors.append(message.text)

    def open_page(*, theme: str = "light", size: Any = DESKTOP, user: Any = None, **options: Any) -> Page:
        context = browser.new_context(base_url=live_server.url, color_scheme=theme, viewport=size, **options)
        contexts.append(context)
        if user is not None:
            context.add_cookies([session_cookie(user, live_server.url)])
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    refusals = ("404 (Not Found)", "409 (Conflict)")  # the browser notes each answer that is no success
    assert [error for error in errors if not any(text in error for text in refusals)] == []


def session_cookie(user: Any, url: str) -> Any:
    """Sign ``user`` in without a form: for tests that are about something else."""
    from django.conf import settings
    from django.test import Client

    client = Client()
    client.force_login(user)
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": url,
    }


# What fades in has no contrast yet. Spinners never end and are not waited for.
SETTLE = """() => Promise.allSettled(
    document.getAnimations()
        .filter((animation) => animation.effect.getComputedTiming().endTime !== Infinity)
        .map((animation) => animation.finished)
)"""


def assert_accessible(page: Page) -> None:
    """Fail on whatever axe-core calls serious or critical (WCAG 2.2 A and AA, and its best practices)."""
    page.evaluate(SETTLE)
    found = Axe().run(page).response["violations"]
    grave = [
        f"{rule['id']}: {node['html'][:200]}\n    {node['failureSummary'][:300]}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"][:3]
    ]
    assert grave == [], f"{page.url}\n" + "\n".join(grave)


def assert_fits(page: Page) -> None:
    """Fail when the page can be scrolled sideways."""
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, page.url
