"""Signing up, in and out over the API."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.domain import verification
from accounts.models import TokenFamily, User
from tests.accounts.conftest import PASSWORD, bearer
from tests.factories import UserFactory

Login = Callable[[User], dict[str, str]]
pytestmark = pytest.mark.django_db
NEW = {"email": "New@Example.test", "password": "a-better-password-2", "full_name": "New Person"}


# --- register


def test_register_makes_account_and_working_tokens(api: APIClient) -> None:
    answer = api.post("/api/v1/auth/register/", NEW)

    assert answer.status_code == 201
    user = User.objects.get(email="new@example.test")
    body = answer.json()
    assert body["user"]["id"] == str(user.uid)
    assert body["user"]["email"] == "new@example.test"
    assert user.check_password(NEW["password"])
    assert list(EmailAddress.objects.values_list("email", "primary", "verified")) == [("new@example.test", True, False)]
    assert api.get("/api/v1/me/", **bearer(body["access"])).json()["full_name"] == "New Person"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "no-address"}, "email"),
        ({"email": None}, "email"),
        ({"email": "a" * 250 + "@example.test"}, "email"),
        ({"email": "a@example.test\nBcc: b@example.test"}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "12345678901234"}, "password"),
        ({"password": "New Person 1"}, "password"),
        ({"password": "x" * 129}, "password"),
        ({"full_name": "  "}, "full_name"),
        ({"full_name": "a\r\nb"}, "full_name"),
        ({"full_name": "x" * 121}, "full_name"),
        ({"full_name": 12}, "full_name"),
        ({"is_staff": True}, "is_staff"),
    ],
)
def test_register_refuses_bad_input_at_the_field(api: APIClient, change: dict[str, Any], field: str) -> None:
    answer = api.post("/api/v1/auth/register/", {**NEW, **change})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert not User.objects.exists()


def test_register_refuses_known_address_where_no_proof_is_asked(api: APIClient, user: User) -> None:
    answer = api.post("/api/v1/auth/register/", {**NEW, "email": "ANN@example.test"})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["email"]
    assert User.objects.count() == 1


def test_register_and_prove_where_proof_is_asked(api: APIClient, settings: Any) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True

    body = api.post("/api/v1/auth/register/", NEW).json()
    before = api.get("/api/v1/me/", **bearer(body["access"]))
    code = re.search(r"code is (\w{8})", mail.outbox[0].body)
    assert code is not None
    proven = api.post("/api/v1/auth/email/verify/", {"email": NEW["email"], "code": code[1].lower()})
    after = api.get("/api/v1/me/", **bearer(body["access"]))
    rotated = api.post("/api/v1/auth/refresh/", {"refresh": body["refresh"]})

    assert (before.status_code, before.json()["code"]) == (401, "email_not_verified")
    assert (proven.status_code, after.status_code, rotated.status_code) == (200, 200, 200)
    assert after.json()["email_verified"] is True


def test_register_does_not_tell_known_addresses_where_proof_is_asked(api: APIClient, settings: Any, user: User) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True

    known = api.post("/api/v1/auth/register/", {**NEW, "email": user.email})
    unknown = api.post("/api/v1/auth/register/", NEW)

    assert known.status_code == unknown.status_code == 201
    assert {**known.json(), "user": sorted(known.json()["user"])}.keys() == unknown.json().keys()
    assert sorted(known.json()["user"]) == sorted(unknown.json()["user"])
    assert known.json()["user"]["full_name"] == unknown.json()["user"]["full_name"]
    for path, body in (("me/", None), ("auth/refresh/", "refresh")):
        answers = []
        for registered in (known.json(), unknown.json()):
            if body:
                answers.append(api.post(f"/api/v1/{path}", {body: registered[body]}))
            else:
                answers.append(api.get(f"/api/v1/{path}", **bearer(registered["access"])))
        assert answers[0].status_code == answers[1].status_code == 401
        assert answers[0].content == answers[1].content
    assert len(mail.outbox) == 2
    assert mail.outbox[0].to == [user.email]
    assert User.objects.count() == 2


# --- prove


def test_wrong_code_and_unknown_address_get_the_same_refusal(api: APIClient) -> None:
    api.post("/api/v1/auth/register/", NEW)

    wrong = api.post("/api/v1/auth/email/verify/", {"email": NEW["email"], "code": "AAAAAAAA"})
    unknown = api.post("/api/v1/auth/email/verify/", {"email": "nobody@example.test", "code": "AAAAAAAA"})

    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_code")
    assert wrong.content == unknown.content


def test_code_is_good_for_half_an_hour_and_no_longer_than_an_hour(api: APIClient) -> None:
    api.post("/api/v1/auth/register/", NEW)
    address = EmailAddress.objects.get()
    now = timezone.now()
    code = verification.code_for(address, now=now)

    with pytest.raises(verification.InvalidInput):
        verification.verify(address.email, code, now=now + timezone.timedelta(hours=1))
    verification.verify(address.email, code, now=now + timezone.timedelta(minutes=30))

    address.refresh_from_db()
    assert address.verified


def test_asking_for_a_new_code_answers_the_same_for_anybody(api: APIClient) -> None:
    api.post("/api/v1/auth/register/", NEW)

    known = api.post("/api/v1/auth/email/verify/", {"email": NEW["email"]})
    unknown = api.post("/api/v1/auth/email/verify/", {"email": "nobody@example.test"})

    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert [letter.to for letter in mail.outbox] == [["new@example.test"]]


# --- login


def test_login_gives_tokens_and_notes_the_time(api: APIClient, user: User, login: Login) -> None:
    tokens = login(user)

    assert set(tokens) == {"access", "refresh"}
    assert api.get("/api/v1/me/", **bearer(tokens["access"])).json()["email"] == "ann@example.test"
    user.refresh_from_db()
    assert user.last_login is not None


def test_login_ignores_the_case_of_the_address_and_a_dead_token(api: APIClient, user: User) -> None:
    data = {"email": "ANN@Example.TEST", "password": PASSWORD}

    assert api.post("/api/v1/auth/login/", data, **bearer("dead")).status_code == 200


def test_login_refuses_wrong_password_unknown_address_and_banned_alike(api: APIClient, user: User) -> None:
    UserFactory(email="banned@example.test", is_active=False)
    attempts = [
        (user.email, "wrong-password-1"),
        ("nobody@example.test", PASSWORD),
        ("banned@example.test", PASSWORD),
    ]

    answers = [api.post("/api/v1/auth/login/", {"email": email, "password": word}) for email, word in attempts]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "wrong_credentials"
    assert answers[0].headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert not TokenFamily.objects.exists()


def test_login_hashes_a_password_for_an_unknown_address_too(
    api: APIClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    from django.contrib.auth import hashers

    plain = hashers.MD5PasswordHasher.encode
    monkeypatch.setattr(
        hashers.MD5PasswordHasher, "encode", lambda self, word, salt: hashed.append(word) or plain(self, word, salt)
    )

    api.post("/api/v1/auth/login/", {"email": user.email, "password": "wrong-password-1"})
    known = len(hashed)
    api.post("/api/v1/auth/login/", {"email": "nobody@example.test", "password": "wrong-password-1"})

    assert known == 1
    assert len(hashed) == 2


def test_login_without_proof_is_refused_where_proof_is_asked(api: APIClient, user: User, settings: Any) -> None:
    settings.REQUIRE_VERIFIED_EMAIL = True
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)

    answer = api.post("/api/v1/auth/login/", {"email": user.email, "password": PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (401, "email_not_verified")
    assert mail.outbox[0].to == [user.email]


# --- refresh and logout


def test_refresh_gives_a_new_pair_and_kills_the_old_token(api: APIClient, user: User, login: Login) -> None:
    first = login(user)

    second = api.post("/api/v1/auth/refresh/", {"refresh": first["refresh"]})
    third = api.post("/api/v1/auth/refresh/", {"refresh": second.json()["refresh"]})

    assert second.status_code == third.status_code == 200
    assert TokenFamily.objects.count() == 1
    assert api.get("/api/v1/me/", **bearer(third.json()["access"])).status_code == 200


@pytest.mark.parametrize("rotations", [1, 3])
def test_replayed_refresh_ends_the_family(api: APIClient, user: User, login: Login, rotations: int) -> None:
    pairs = [login(user)]
    for _ in range(rotations):
        pairs.append(api.post("/api/v1/auth/refresh/", {"refresh": pairs[-1]["refresh"]}).json())

    replayed = api.post("/api/v1/auth/refresh/", {"refresh": pairs[0]["refresh"]})
    newest = api.post("/api/v1/auth/refresh/", {"refresh": pairs[-1]["refresh"]})

    assert (replayed.status_code, replayed.json()["code"]) == (401, "token_not_valid")
    assert newest.status_code == 401
    assert api.get("/api/v1/me/", **bearer(pairs[-1]["access"])).status_code == 401
    assert TokenFamily.objects.get().revoked_at is not None


def test_one_family_ends_alone(api: APIClient, user: User, login: Login) -> None:
    phone, laptop = login(user), login(user)

    assert api.post("/api/v1/auth/logout/", {"refresh": phone["refresh"]}).status_code == 204

    assert api.get("/api/v1/me/", **bearer(phone["access"])).status_code == 401
    assert api.post("/api/v1/auth/refresh/", {"refresh": phone["refresh"]}).status_code == 401
    assert api.get("/api/v1/me/", **bearer(laptop["access"])).status_code == 200


def test_logout_twice_is_fine_and_with_nonsense_is_not(api: APIClient, user: User, login: Login) -> None:
    tokens = login(user)

    first = api.post("/api/v1/auth/logout/", {"refresh": tokens["refresh"]})
    second = api.post("/api/v1/auth/logout/", {"refresh": tokens["refresh"]})
    nonsense = api.post("/api/v1/auth/logout/", {"refresh": "nonsense"})

    assert (first.status_code, second.status_code, nonsense.status_code) == (204, 204, 401)


def test_expired_refresh_is_refused_and_ends_nothing(
    api: APIClient, user: User, login: Login, time_machine: Any
) -> None:
    tokens = login(user)

    time_machine.move_to(timezone.now() + timezone.timedelta(days=14, minutes=1))
    answer = api.post("/api/v1/auth/refresh/", {"refresh": tokens["refresh"]})

    assert answer.status_code == 401
    assert TokenFamily.objects.get().revoked_at is None


def test_access_token_dies_after_fifteen_minutes(api: APIClient, user: User, login: Login, time_machine: Any) -> None:
    tokens = login(user)

    time_machine.move_to(timezone.now() + timezone.timedelta(minutes=14))
    assert api.get("/api/v1/me/", **bearer(tokens["access"])).status_code == 200
    time_machine.move_to(timezone.now() + timezone.timedelta(minutes=2))
    assert api.get("/api/v1/me/", **bearer(tokens["access"])).status_code == 401


# --- passwords


def test_password_change_ends_every_token_but_the_new_ones(api: APIClient, user: User, login: Login) -> None:
    old, other = login(user), login(user)

    answer = api.post(
        "/api/v1/auth/password/change/",
        {"current_password": PASSWORD, "new_password": "quite-another-word-3"},
        **bearer(old["access"]),
    )

    assert answer.status_code == 200
    for pair in (old, other):
        assert api.get("/api/v1/me/", **bearer(pair["access"])).status_code == 401
        assert api.post("/api/v1/auth/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert api.get("/api/v1/me/", **bearer(answer.json()["access"])).status_code == 200
    user.refresh_from_db()
    assert user.check_password("quite-another-word-3")


def test_password_change_needs_the_present_one(api: APIClient, user: User, login: Login) -> None:
    data = {"current_password": "wrong-password-1", "new_password": "quite-another-word-3"}

    answer = api.post("/api/v1/auth/password/change/", data, **bearer(login(user)["access"]))

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["current_password"]
    assert api.post("/api/v1/auth/password/change/", data).status_code == 401


def test_reset_answers_the_same_for_anybody(api: APIClient, user: User) -> None:
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)

    known = api.post("/api/v1/auth/password/reset/", {"email": user.email})
    unknown = api.post("/api/v1/auth/password/reset/", {"email": "nobody@example.test"})

    assert known.status_code == unknown.status_code == 202
    assert known.content == unknown.content
    assert [letter.to for letter in mail.outbox] == [[user.email], ["nobody@example.test"]]
    assert "/accounts/password/reset/key/" in mail.outbox[0].body
    assert "/accounts/password/reset/key/" not in mail.outbox[1].body


def _reset_key(api: APIClient, user: User) -> str:
    EmailAddress.objects.get_or_create(user=user, email=user.email, primary=True, verified=True)
    api.post("/api/v1/auth/password/reset/", {"email": user.email}, headers={"Host": "127.0.0.1"})
    link = re.search(r"(http\S+)/accounts/password/reset/key/([^/\s]+)/", mail.outbox[-1].body)
    assert link is not None
    assert link[1] == "http://localhost:8000"
    return link[2]


def test_reset_sets_the_password_once_and_ends_tokens(api: APIClient, user: User, login: Login) -> None:
    tokens = login(user)
    key = _reset_key(api, user)

    first = api.post("/api/v1/auth/password/reset/confirm/", {"key": key, "password": "quite-another-word-3"})
    again = api.post("/api/v1/auth/password/reset/confirm/", {"key": key, "password": "quite-another-word-4"})

    assert (first.status_code, again.status_code) == (204, 400)
    assert list(again.json()["errors"]) == ["key"]
    assert api.get("/api/v1/me/", **bearer(tokens["access"])).status_code == 401
    user.refresh_from_db()
    assert user.check_password("quite-another-word-3")


@pytest.mark.parametrize("key", ["", "x", "1-2", "zzzzzzzzzzzzz-abc", "-", "a" * 201, "1y2p0ij32e8e7-x", "é-x"])
def test_reset_refuses_keys_that_are_none(api: APIClient, user: User, key: str) -> None:
    answer = api.post("/api/v1/auth/password/reset/confirm/", {"key": key, "password": "quite-another-word-3"})

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["key"]


def test_reset_with_a_weak_password_keeps_the_key(api: APIClient, user: User) -> None:
    key = _reset_key(api, user)

    weak = api.post("/api/v1/auth/password/reset/confirm/", {"key": key, "password": "short"})
    good = api.post("/api/v1/auth/password/reset/confirm/", {"key": key, "password": "quite-another-word-3"})

    assert (weak.status_code, good.status_code) == (400, 204)
    assert list(weak.json()["errors"]) == ["password"]
