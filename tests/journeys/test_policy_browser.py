"""The browser refuses nothing on any page: no violation of the content policy, no error in the console."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, Page

from accounts.models import User
from tests.accounts.conftest import PASSWORD
from tests.api.addresses import page_url
from tests.api.operations import World, make_world
from tests.api.test_urlconf import PAGES
from tests.browser import browser, chrome  # noqa: F401
from tests.factories import NOW

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LISTEN = """addEventListener("securitypolicyviolation", (event) => noteViolation(
    `${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile || ""}:${event.lineNumber} ${event.sample}`
))"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))"


@pytest.fixture
def world(settings: Any, tmp_path: Any) -> Iterator[World]:
    settings.MEDIA_ROOT = tmp_path
    with time_machine.travel(NOW, tick=True):
        made = make_world()
        yield made


def listen(page: Page) -> list[str]:
    """Return what ``page`` will have been refused."""
    heard: list[str] = []
    page.expose_function("noteViolation", lambda text: heard.append(text))
    page.add_init_script(LISTEN)
    return heard


def signed_in(user: User | None) -> Client:
    """Return a client that has typed a password just now: pages of the second factor ask for that."""
    client = Client()
    if user is not None:
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        client.post("/accounts/reauthenticate/", {"password": PASSWORD})
        assert "_auth_user_id" in client.session
    return client


def is_page(client: Client, url: str) -> bool:
    answer = client.get(url)
    return answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")


def pages_of(world: World, who: str) -> Iterator[str]:
    if who == "staff":
        yield from administration()
        return
    for name, pattern in PAGES.items():
        if name.startswith("provider:") == (who == "manager"):
            yield page_url(world, name, pattern)


def administration() -> Iterator[str]:
    yield from (reverse(f"admin:{name}") for name in ("index", "password_change"))
    for model in admin.site._registry:
        base = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{base}_changelist")
        row = model._default_manager.first()
        if row is not None:
            yield reverse(f"{base}_change", args=[row.pk])


@pytest.mark.long
@pytest.mark.parametrize(("who", "at_least"), [("", 15), ("owner", 40), ("manager", 30), ("staff", 50)])
def test_no_page_breaks_its_policy(
    chrome: Callable[..., Page],  # noqa: F811
    live_server: Any,
    world: World,
    who: str,
    at_least: int,
) -> None:
    client = signed_in(getattr(world, who) if who else None)
    urls = [url for url in dict.fromkeys(pages_of(world, who)) if is_page(client, url)]
    assert len(urls) >= at_least
    page = chrome()  # at its end, nothing may stand in the console
    name = django_settings.SESSION_COOKIE_NAME
    if who:
        page.context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
    heard = listen(page)
    broken: dict[str, list[str]] = {}
    for url in urls:
        page.goto(url)
        page.evaluate(SETTLED)
        if heard:
            broken[url] = heard[:]
            heard.clear()
    assert broken == {}


@pytest.mark.control
def test_control_an_inline_style_would_be_heard(browser: Browser, live_server: Any) -> None:  # noqa: F811
    page = browser.new_page(base_url=live_server.url)
    heard = listen(page)
    page.goto("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    page.evaluate(SETTLED)
    page.close()

    assert [line.split()[0] for line in heard] == ["style-src-attr"]
