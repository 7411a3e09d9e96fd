"""One's own account over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.domain import closing, credentials
from accounts.models import TokenFamily, User
from petplace.errors import DomainError
from tests.accounts.conftest import PASSWORD
from tests.factories import UserFactory

Login = Callable[[User], dict[str, str]]
pytestmark = pytest.mark.django_db


@pytest.fixture
def signed_in(api: APIClient, user: User, login: Login) -> APIClient:
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {login(user)['access']}")
    return api


def test_me_shows_the_caller(signed_in: APIClient, user: User) -> None:
    answer = signed_in.get("/api/v1/me/")

    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(user.uid),
        "email": "ann@example.test",
        "email_verified": False,
        "full_name": "Ann Example",
        "phone": "",
        "locale": "en-us",
        "time_zone": "Europe/Berlin",
        "home_place": "",
        "home_latitude": None,
        "home_longitude": None,
        "is_staff": False,
        "date_joined": user.date_joined.isoformat().replace("+00:00", "Z"),
    }
    assert answer.headers["Cache-Control"] == "private, no-store"


def test_me_needs_a_token(api: APIClient, db: None) -> None:
    for method in ("get", "patch", "delete"):
        answer = getattr(api, method)("/api/v1/me/")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


def test_me_takes_two_queries(signed_in: APIClient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):  # the user with the token, and whether the address is proven
        signed_in.get("/api/v1/me/")


def test_patch_changes_the_profile(signed_in: APIClient, user: User) -> None:
    changes = {
        "full_name": "Ann B. Example",
        "phone": "+49 30 901820",
        "time_zone": "Asia/Almaty",
        "locale": "en-gb",
        "home_place": "By the river",
        "home_latitude": 43.25,
        "home_longitude": 76.9,
    }

    answer = signed_in.patch("/api/v1/me/", changes)

    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in changes} == {**changes, "phone": "+4930901820"}
    user.refresh_from_db()
    assert (user.full_name, user.phone.as_e164, user.home_latitude) == ("Ann B. Example", "+4930901820", 43.25)


def test_patch_looks_up_a_place_named_without_a_point(signed_in: APIClient, user: User) -> None:
    body = signed_in.patch("/api/v1/me/", {"home_place": "Berlin"}).json()

    assert (round(body["home_latitude"], 1), round(body["home_longitude"], 1)) == (52.5, 13.4)
    assert signed_in.patch("/api/v1/me/", {"home_place": ""}).json()["home_latitude"] is None


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"time_zone": "Mars/Olympus"}, ["time_zone"]),
        ({"time_zone": "EST5EDT"}, ["time_zone"]),
        ({"time_zone": ""}, ["time_zone"]),
        ({"phone": "12"}, ["phone"]),
        ({"phone": 4930901820}, ["phone"]),
        ({"locale": "tlh"}, ["locale"]),
        ({"home_latitude": 91, "home_longitude": 0}, ["home_latitude"]),
        ({"home_latitude": "52", "home_longitude": 0}, ["home_latitude"]),
        ({"home_latitude": True, "home_longitude": 0}, ["home_latitude"]),
        ({"home_latitude": 1}, ["home_latitude", "home_longitude"]),
        ({"full_name": ""}, ["full_name"]),
        ({"full_name": None}, ["full_name"]),
        ({"full_name": "a\u0007b"}, ["full_name"]),
        ({"email": "other@example.test"}, ["email"]),
        ({"is_staff": True}, ["is_staff"]),
        ({"is_superuser": True}, ["is_superuser"]),
        ({"token_version": 9}, ["token_version"]),
        ({"password": "x"}, ["password"]),
    ],
)
def test_patch_refuses_bad_and_protected_fields(
    signed_in: APIClient, user: User, changes: dict[str, Any], fields: list[str]
) -> None:
    before = signed_in.get("/api/v1/me/").json()

    answer = signed_in.patch("/api/v1/me/", changes)

    assert answer.status_code == 400
    assert sorted(answer.json()["errors"]) == fields
    assert signed_in.get("/api/v1/me/").json() == before


def test_delete_anonymises_and_frees_the_address(signed_in: APIClient, user: User) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    User.objects.filter(pk=user.pk).update(phone="+4930901820", home_latitude=1, home_longitude=2, home_place="Here")

    answer = signed_in.delete("/api/v1/me/")

    assert answer.status_code == 204
    assert signed_in.get("/api/v1/me/").status_code == 401
    user.refresh_from_db()
    assert user.email == f"{user.uid}@closed.invalid"
    assert (user.full_name, str(user.phone), user.home_place, user.home_latitude) == ("Former user", "", "", None)
    assert (user.is_active, user.has_usable_password(), user.closed_at is None) == (False, False, False)
    assert not EmailAddress.objects.exists()
    assert not TokenFamily.objects.exists()
    signed_in.credentials()
    again = {"email": "ann@example.test", "password": PASSWORD, "full_name": "Somebody Else"}
    assert signed_in.post("/api/v1/auth/register/", again).status_code == 201


def test_delete_is_refused_while_something_is_open(
    signed_in: APIClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(user: User) -> None:
        raise DomainError("Two bookings are still open.", code="bookings_open")

    monkeypatch.setattr(closing, "guards", [refuse])

    answer = signed_in.delete("/api/v1/me/")

    assert (answer.status_code, answer.json()["code"]) == (409, "bookings_open")
    assert signed_in.get("/api/v1/me/").json()["email"] == "ann@example.test"


def test_every_app_may_forget_and_closing_twice_changes_nothing(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[User] = []
    monkeypatch.setattr(closing, "guards", [])
    monkeypatch.setattr(closing, "forgetters", [lambda user, now: forgotten.append(user)])
    now = timezone.now()

    closing.close(user, now=now)
    closing.close(user, now=now + timezone.timedelta(days=1))

    assert forgotten == [user]
    user.refresh_from_db()
    assert user.closed_at == now


def test_banned_user_is_out_with_the_next_request(signed_in: APIClient, user: User) -> None:
    credentials.deactivate(user, now=timezone.now())
    assert signed_in.get("/api/v1/me/").status_code == 401

    credentials.reactivate(user)
    assert signed_in.get("/api/v1/me/").status_code == 401  # old tokens stay dead


def test_role_is_read_from_the_database(api: APIClient, login: Login) -> None:
    staff = UserFactory(is_staff=True)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {login(staff)['access']}")
    assert api.get("/api/v1/me/").json()["is_staff"] is True

    User.objects.filter(pk=staff.pk).update(is_staff=False)

    assert api.get("/api/v1/me/").json()["is_staff"] is False


def test_me_answers_304_to_what_the_client_has(signed_in: APIClient, user: User) -> None:
    tag = signed_in.get("/api/v1/me/").headers["ETag"]

    same = signed_in.get("/api/v1/me/", headers={"If-None-Match": tag})
    User.objects.filter(pk=user.pk).update(full_name="Changed")
    changed = signed_in.get("/api/v1/me/", headers={"If-None-Match": tag})

    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag
