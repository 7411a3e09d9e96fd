"""The account's pages."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.domain import closing
from accounts.middleware import zone_of
from accounts.models import TokenFamily, User
from petplace.errors import DomainError
from tests.accounts.conftest import PASSWORD
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
SETTINGS = reverse("accounts:settings")
PROFILE = {
    "full_name": "Ann B.",
    "phone": "+49 30 901820",
    "home_place": "Berlin",
    "time_zone": "Asia/Almaty",
    "locale": "en-gb",
}


@pytest.fixture
def page(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.mark.parametrize("name", ["settings", "apps", "close"])
def test_pages_send_strangers_to_sign_in(client: Client, name: str) -> None:
    url = reverse(f"accounts:{name}")

    answer = client.get(url)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/accounts/login/?next={url}")


def test_settings_save_the_profile_and_find_the_place(page: Client, user: User) -> None:
    answer = page.post(SETTINGS, PROFILE)

    assert (answer.status_code, answer.headers["Location"]) == (302, SETTINGS)
    user.refresh_from_db()
    assert (user.full_name, user.phone.as_e164, user.home_place) == ("Ann B.", "+4930901820", "Berlin, DE")
    assert (round(user.home_latitude or 0, 1), user.time_zone, user.locale) == (52.5, "Asia/Almaty", "en-gb")


def test_settings_keep_the_point_of_a_place_that_is_not_changed(page: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(home_place="Our farm", home_latitude=1, home_longitude=2)

    page.post(SETTINGS, {**PROFILE, "home_place": "Our farm"})
    user.refresh_from_db()
    assert (user.home_place, user.home_latitude) == ("Our farm", 1)

    page.post(SETTINGS, {**PROFILE, "home_place": ""})
    user.refresh_from_db()
    assert (user.home_place, user.home_latitude, user.home_longitude) == ("", None, None)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"full_name": ""}, "full_name"),
        ({"full_name": "a\r\nb"}, "full_name"),
        ({"full_name": "a\0b"}, "full_name"),
        ({"full_name": "x" * 121}, "full_name"),
        ({"phone": "12"}, "phone"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"locale": "tlh"}, "locale"),
        ({"home_place": "Qwertzuiopville"}, "home_place"),
    ],
)
def test_settings_say_beside_the_field_what_is_wrong(
    page: Client, user: User, change: dict[str, Any], field: str
) -> None:
    answer = page.post(SETTINGS, {**PROFILE, **change})

    assert answer.status_code == 200
    assert list(answer.context["form"].errors) == [field]
    assert f'id="error_1_id_{field}"' in answer.content.decode()
    user.refresh_from_db()
    assert user.full_name == "Ann Example"


def test_times_and_dates_follow_the_person(page: Client, user: User) -> None:
    TokenFamily.objects.create(
        user=user, current_jti="00000000-0000-4000-8000-000000000000", expires_at="2099-01-01T00:00:00Z"
    )
    TokenFamily.objects.update(created_at="2026-11-21T20:30:00Z", rotated_at="2026-11-21T20:30:00Z")

    User.objects.filter(pk=user.pk).update(time_zone="Asia/Almaty", locale="en-gb")
    assert "22 Nov" in page.get(reverse("accounts:apps")).content.decode()

    User.objects.filter(pk=user.pk).update(time_zone="Nowhere/Gone", locale="en-us")
    assert "Nov. 21, 2026" in page.get(reverse("accounts:apps")).content.decode()


def test_zone_that_the_machine_does_not_know_is_utc() -> None:
    assert zone_of(User(time_zone="../etc/passwd")).key == "UTC"


def test_app_can_be_signed_out_by_its_owner_alone(
    page: Client, user: User, login: Callable[[User], dict[str, str]]
) -> None:
    login(user)
    family = TokenFamily.objects.get()
    url = reverse("accounts:end_app", args=[family.uid])
    stranger = Client()
    stranger.force_login(UserFactory())

    assert stranger.post(url).status_code == 404
    assert page.get(url).status_code == 405
    assert page.post(url).headers["Location"] == reverse("accounts:apps")

    family.refresh_from_db()
    assert family.revoked_at is not None
    assert "No app is signed in" in page.get(reverse("accounts:apps")).content.decode()


def test_close_needs_the_password_and_ends_the_session(page: Client, user: User) -> None:
    url = reverse("accounts:close")

    wrong = page.post(url, {"password": "wrong-password-1"})
    right = page.post(url, {"password": PASSWORD})

    assert list(wrong.context["form"].errors) == ["password"]
    assert right.headers["Location"] == reverse("home")
    assert page.get(SETTINGS).status_code == 302
    user.refresh_from_db()
    assert user.closed_at is not None


def test_close_says_what_is_in_the_way(page: Client, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(user: User) -> None:
        raise DomainError("There are open bookings: BK-1.")

    monkeypatch.setattr(closing, "guards", [refuse])

    answer = page.post(reverse("accounts:close"), {"password": PASSWORD})

    assert "There are open bookings: BK-1." in answer.content.decode()
    user.refresh_from_db()
    assert user.is_active


# --- allauth's pages do what ours promise

SIGN_UP = {
    "email": "New@Example.test",
    "password1": "a-better-password-2",
    "password2": "a-better-password-2",
    "full_name": "New Person",
    "time_zone": "Asia/Almaty",
}


def test_sign_up_keeps_name_and_zone(client: Client) -> None:
    assert client.post("/accounts/signup/", SIGN_UP).status_code == 302

    user = User.objects.get()
    assert (user.email, user.full_name, user.time_zone) == ("new@example.test", "New Person", "Asia/Almaty")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "a" * 64])
def test_sign_up_without_a_known_zone_is_utc(client: Client, zone: str) -> None:
    client.post("/accounts/signup/", {**SIGN_UP, "time_zone": zone})

    assert User.objects.get().time_zone == "UTC"


def test_password_change_on_the_page_ends_apps_and_other_browsers(
    page: Client, user: User, login: Callable[[User], dict[str, str]]
) -> None:
    login(user)
    other = Client()
    other.force_login(user)
    data = {"oldpassword": PASSWORD, "password1": "quite-another-word-3", "password2": "quite-another-word-3"}

    assert page.post("/accounts/password/change/", data).status_code == 302

    assert TokenFamily.objects.get().revoked_at is not None
    assert page.get(SETTINGS).status_code == 200
    assert other.get(SETTINGS).status_code == 302


def test_reset_on_the_page_ends_apps(client: Client, user: User, login: Callable[[User], dict[str, str]]) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    login(user)
    client.post("/accounts/password/reset/", {"email": user.email}, headers={"Host": "127.0.0.1"})
    link = re.search(r"http://localhost:8000(/accounts/password/reset/key/\S+)", mail.outbox[0].body)
    assert link is not None
    form = client.get(link[1], follow=True)

    client.post(form.redirect_chain[-1][0], {"password1": "quite-another-word-3", "password2": "quite-another-word-3"})

    user.refresh_from_db()
    assert user.check_password("quite-another-word-3")
    assert TokenFamily.objects.get().revoked_at is not None


def set_rates(settings: Any, **rates: str) -> None:
    rates = {**settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], **rates}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


def test_sign_in_page_limits_guesses(client: Client, user: User, settings: Any) -> None:
    set_rates(settings, sign_in="3/min")
    answers = [
        client.post("/accounts/login/", {"login": user.email, "password": f"guess-number-{number}"})
        for number in range(4)
    ]

    said = ["Too many failed login attempts" in answer.content.decode() for answer in answers]
    good = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})

    assert said == [False, False, False, True]
    assert good.status_code == 200
    assert "_auth_user_id" not in client.session


def test_sign_up_does_not_tell_known_addresses_where_proof_is_asked(client: Client, user: User, settings: Any) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True

    known = client.post("/accounts/signup/", {**SIGN_UP, "email": user.email})
    unknown = Client().post("/accounts/signup/", SIGN_UP)

    assert known.status_code == unknown.status_code == 302
    assert known.headers["Location"] == unknown.headers["Location"]
