"""Staff's view of people."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.domain import closing
from accounts.models import TokenFamily, User
from petplace.errors import DomainError
from tests.accounts.codes import add_totp
from tests.accounts.conftest import PASSWORD, bearer
from tests.factories import StaffFactory, UserFactory

pytestmark = pytest.mark.django_db
USERS = reverse("admin:accounts_user_changelist")


@pytest.fixture
def boss(client: Client, db: None) -> User:
    boss = StaffFactory()
    client.force_login(boss)
    return boss


def _act(client: Client, action: str, *users: User) -> Any:
    return client.post(USERS, {"action": action, "_selected_action": [user.pk for user in users]}, follow=True)


def _support(client: Client) -> User:
    """Sign in someone of the staff who is no superuser."""
    support = UserFactory(is_staff=True)
    rights = ["view_user", "change_user", "view_tokenfamily"]
    support.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(support)
    return support


@pytest.mark.usefixtures("boss")
def test_pages_open(client: Client, user: User, login: Callable[[User], dict[str, str]]) -> None:
    login(user)
    family = TokenFamily.objects.get()
    urls = [
        USERS,
        f"{USERS}?q=ann",
        reverse("admin:accounts_user_change", args=[user.pk]),
        reverse("admin:accounts_user_add"),
        reverse("admin:auth_user_password_change", args=[user.pk]),
        reverse("admin:accounts_tokenfamily_changelist"),
        reverse("admin:accounts_tokenfamily_change", args=[family.pk]),
    ]

    assert [client.get(url).status_code for url in urls] == [200] * len(urls)
    assert client.get(reverse("admin:accounts_tokenfamily_add")).status_code == 403


@pytest.mark.usefixtures("boss")
def test_ways_to_sign_in_have_no_screen_that_keeps_no_record(client: Client, user: User) -> None:
    """Not for a superuser either: addresses, second factors and accounts elsewhere."""
    add_totp(user)
    row = Authenticator.objects.earliest("pk")
    page = client.get(reverse("admin:index")).content.decode()

    assert "/admin/accounts/user/" in page
    for address in (
        "account/emailaddress",
        "mfa/authenticator",
        "socialaccount/socialtoken",
        "usersessions/usersession",
    ):
        assert f"/admin/{address}/" not in page
        assert client.get(f"/admin/{address}/{row.pk}/change/").status_code == 404


@pytest.mark.usefixtures("boss")
def test_ban_ends_tokens_and_sessions_and_letting_in_revives_none(
    client: Client, user: User, login: Callable[[User], dict[str, str]]
) -> None:
    tokens = login(user)
    browser = Client()
    browser.force_login(user)

    _act(client, "ban", user)
    user.refresh_from_db()
    assert (user.is_active, user.token_version) == (False, 1)
    assert browser.get(reverse("accounts:settings")).status_code == 302

    _act(client, "allow", user)
    user.refresh_from_db()
    assert user.is_active
    assert APIClient().get("/api/v1/me/", **bearer(tokens["access"])).status_code == 401


def test_nobody_bans_oneself_and_one_bad_row_does_not_stop_the_rest(client: Client, boss: User, user: User) -> None:
    answer = _act(client, "ban", boss, user)

    assert "you may not do this" in answer.content.decode()
    boss.refresh_from_db()
    user.refresh_from_db()
    assert (boss.is_active, user.is_active) == (True, False)


@pytest.mark.usefixtures("boss")
def test_closing_tells_what_is_in_the_way_and_goes_on(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = UserFactory()

    def refuse(person: User) -> None:
        if person == user:
            raise DomainError("There are open bookings: BK-1.")

    monkeypatch.setattr(closing, "guards", [refuse])

    answer = _act(client, "close_accounts", user, other)

    assert "There are open bookings: BK-1." in answer.content.decode()
    user.refresh_from_db()
    other.refresh_from_db()
    assert (user.closed_at is None, other.closed_at is None) == (True, False)


@pytest.mark.usefixtures("boss")
def test_state_cannot_be_typed_and_accounts_cannot_be_deleted(client: Client, user: User) -> None:
    url = reverse("admin:accounts_user_change", args=[user.pk])
    data = {"full_name": "Ann Changed", "phone": "", "time_zone": "UTC", "locale": "en-us", "home_place": ""}

    client.post(url, {**data, "email": "x@example.test", "token_version": "9"})

    user.refresh_from_db()
    assert (user.full_name, user.email, user.token_version, user.is_active) == (
        "Ann Changed", "ann@example.test", 0, True
    )  # fmt: skip
    assert client.post(reverse("admin:accounts_user_delete", args=[user.pk])).status_code == 403


@pytest.mark.usefixtures("boss")
def test_password_set_by_staff_ends_tokens(client: Client, user: User, login: Callable[[User], dict[str, str]]) -> None:
    tokens = login(user)
    data = {"password1": "quite-another-word-3", "password2": "quite-another-word-3", "usable_password": "true"}

    client.post(reverse("admin:auth_user_password_change", args=[user.pk]), data)

    user.refresh_from_db()
    assert user.check_password("quite-another-word-3")
    assert APIClient().get("/api/v1/me/", **bearer(tokens["access"])).status_code == 401


@pytest.mark.usefixtures("boss")
def test_account_is_added_with_its_address(client: Client) -> None:
    data = {
        "email": "made@example.test",
        "full_name": "Made",
        "password1": "quite-another-word-3",
        "password2": "quite-another-word-3",
        "usable_password": "true",
    }

    client.post(reverse("admin:accounts_user_add"), data)

    assert User.objects.get(email="made@example.test").check_password("quite-another-word-3")


def test_support_gives_no_rights_and_does_not_touch_superusers(client: Client, user: User) -> None:
    support, boss = _support(client), StaffFactory()

    client.post(
        reverse("admin:accounts_user_change", args=[support.pk]),
        {"full_name": "S", "time_zone": "UTC", "locale": "en-us", "is_superuser": "on", "is_staff": "on"},
    )
    changed = client.post(reverse("admin:accounts_user_change", args=[boss.pk]), {"full_name": "Changed"})
    _act(client, "ban", boss)

    support.refresh_from_db()
    boss.refresh_from_db()
    assert not support.is_superuser
    assert changed.status_code == 403
    assert (boss.is_active, boss.full_name == "Changed") == (True, False)


def test_administration_has_no_door_of_its_own(client: Client, user: User) -> None:
    url = reverse("admin:login")

    answers = [client.get(url), client.post(url, {"username": StaffFactory().email, "password": PASSWORD})]
    client.force_login(user)
    owner = client.get(url)

    assert {(answer.status_code, answer.headers["Location"]) for answer in answers} == {
        (302, "/accounts/login/?next=%2Fadmin%2Flogin%2F")
    }
    assert owner.status_code == 403
    assert "_auth_user_id" not in Client().session


@pytest.mark.usefixtures("boss")
def test_second_factor_is_taken_away_from_who_lost_it(
    client: Client, user: User, login: Callable[[User], dict[str, str]]
) -> None:
    tokens = login(user)
    add_totp(user)

    _act(client, "remove_second_factor", user)

    assert not Authenticator.objects.filter(user=user).exists()
    assert APIClient().get("/api/v1/me/", **bearer(tokens["access"])).status_code == 401
    assert set(login(user)) == {"access", "refresh"}
