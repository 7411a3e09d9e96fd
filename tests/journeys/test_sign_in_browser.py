"""Signing in, as people and their devices do it: second factor, passkey, the wall, and signing out everywhere."""

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.accounts.codes import code
from tests.accounts.conftest import PASSWORD
from tests.browser import DESKTOP, PHONE, assert_accessible, assert_fits, browser, chrome  # noqa: F401
from tests.factories import UserFactory, make_provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Chrome = Callable[..., Page]
SETTINGS = "/account/settings/"
LOOKS = pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)])


@pytest.fixture
def user() -> User:
    return UserFactory(full_name="Ann Example")


def see(page: Page, name: str) -> None:
    """The page is usable by everyone and fits; keep a picture where ``PETPLACE_SHOTS`` names a folder."""
    if folder := os.environ.get("PETPLACE_SHOTS"):
        width, theme = page.viewport_size["width"], page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.screenshot(path=str(Path(folder) / f"{name}-{width}-{'dark' if theme else 'light'}.png"), full_page=True)
    assert_accessible(page)
    assert_fits(page)


def sign_in(page: Page, user: User, *, to: str = SETTINGS) -> None:
    """Ask for a page, and type address and password where one is sent."""
    page.goto(to)
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(lambda url: "/accounts/login/" not in url)


def sign_out(page: Page) -> None:
    page.locator("summary[aria-label='Your account']").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: url.endswith("/"))


def type_code(page: Page, typed: str) -> None:
    page.get_by_label("Code").fill(typed)
    page.locator("main").get_by_role("button", name="Sign in").click()


def confirm(page: Page) -> None:
    """Type the password once more: asked before a page that changes how somebody signs in."""
    expect(page.get_by_role("heading", name="Is it you?")).to_be_visible()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()


def set_up_app(page: Page) -> tuple[str, list[str]]:
    """Set the app up from the page of the second factor; return its key and the recovery codes."""
    page.get_by_role("link", name="Set up the app").click()
    see(page, "is-it-you")
    confirm(page)
    secret = page.locator("#totp-key").inner_text()
    see(page, "second-factor-app")
    page.get_by_label("Code from the app").fill(code(secret=secret))
    page.get_by_role("button", name="Turn on").click()
    expect(page.get_by_role("heading", name="Recovery codes", level=1)).to_be_visible()
    see(page, "second-factor-recovery-codes")
    return secret, page.locator(".recovery-codes code").all_inner_texts()


@LOOKS
def test_app_is_set_up_and_asked_for_and_a_recovery_code_opens_once(
    chrome: Chrome,  # noqa: F811
    user: User,
    theme: str,
    size: Any,
) -> None:
    page = chrome(theme=theme, size=size)
    sign_in(page, user)
    page.get_by_role("link", name="Two-step sign-in and passkeys").click()
    see(page, "second-factor-off")
    secret, recovery = set_up_app(page)
    assert len(recovery) == 10
    page.get_by_role("link", name="Done").click()
    expect(page.get_by_text("10 left.")).to_be_visible()
    see(page, "second-factor-on")
    sign_out(page)

    sign_in(page, user)
    see(page, "second-step")
    expect(page.get_by_role("button", name="Use a passkey instead")).to_have_count(0)  # there is none
    type_code(page, "000000")
    expect(page.get_by_text("This code is wrong")).to_be_visible()
    see(page, "second-step-wrong")
    type_code(page, code(secret=secret, steps=1))  # the present one activated the app
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    sign_out(page)

    sign_in(page, user)
    type_code(page, recovery[0])
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    sign_out(page)
    sign_in(page, user)
    type_code(page, recovery[0])
    expect(page.get_by_text("This code is wrong")).to_be_visible()


def test_passkey_is_made_and_opens_without_a_password(chrome: Chrome, user: User) -> None:  # noqa: F811
    page = chrome()
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": False,
        "automaticPresenceSimulation": True,
    }
    sign_in(page, user)
    page.goto("/accounts/2fa/")
    page.get_by_role("link", name="Add a passkey").click()
    confirm(page)
    page.get_by_label("Name").fill("My laptop")
    made = device.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    page.get_by_role("button", name="Add it").click()  # somebody else's finger
    expect(page.get_by_text("Your device made no passkey.")).to_be_visible()
    see(page, "passkey-none")
    device.send("WebAuthn.setUserVerified", {"authenticatorId": made, "isUserVerified": True})
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes", level=1)).to_be_visible()
    page.goto("/accounts/2fa/webauthn/")
    expect(page.get_by_role("heading", name="My laptop")).to_be_visible()
    see(page, "passkeys")
    sign_out(page)

    sign_in(page, user)
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    sign_out(page)

    page.goto(f"/accounts/login/?next={SETTINGS}")
    see(page, "sign-in")
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    sign_out(page)

    Authenticator.objects.filter(type=Authenticator.Type.WEBAUTHN).delete()  # the device still offers it
    page.goto(f"/accounts/login/?next={SETTINGS}")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_load_state("networkidle")
    page.goto(SETTINGS)
    expect(page.get_by_role("heading", name="Welcome back")).to_be_visible()
    assert len(device.send("WebAuthn.getCredentials", {"authenticatorId": made})["credentials"]) == 1


@LOOKS
def test_wall_leads_to_the_set_up_and_back_to_where_somebody_wanted_to_go(
    chrome: Chrome,  # noqa: F811
    user: User,
    settings: Any,
    theme: str,
    size: Any,
) -> None:
    settings.REQUIRE_MFA = True
    long_ago = timezone.now() - dt.timedelta(days=15)
    provider = make_provider(user, now=long_ago)
    provider.memberships.update(created_at=long_ago)
    wanted = f"/provider/{provider.slug}/team/"
    page = chrome(theme=theme, size=size)

    sign_in(page, user, to=wanted)
    expect(page.get_by_text("Your account needs it")).to_be_visible()
    see(page, "wall")
    set_up_app(page)
    page.get_by_role("link", name="Kept them: go on").click()

    page.wait_for_url(f"**{wanted}")
    expect(page.get_by_role("heading", name="Team", level=1)).to_be_visible()


def test_one_browser_signs_the_others_out(chrome: Chrome, user: User) -> None:  # noqa: F811
    phone, laptop = chrome(size=PHONE), chrome()
    sign_in(phone, user)
    sign_in(laptop, user)

    laptop.get_by_role("link", name="Browsers").click()
    expect(laptop.locator(".row-card")).to_have_count(2)
    see(laptop, "sessions")
    laptop.get_by_role("button", name="Sign out everywhere but here").click()
    laptop.get_by_role("dialog").get_by_role("button", name="Sign out everywhere").click()
    expect(laptop.locator(".row-card")).to_have_count(1)

    phone.goto(SETTINGS)
    expect(phone.get_by_role("heading", name="Welcome back")).to_be_visible()
