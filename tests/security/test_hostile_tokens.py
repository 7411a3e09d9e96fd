"""Tokens that were made up, have ended or are somebody else's, and forms that another site sent."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.api import tokens
from accounts.domain import credentials, families
from accounts.models import TokenFamily, User
from tests.api.operations import World
from tests.security.hostile import EVIL, Hostile, check, page

KEY = settings.JWT_SIGNING_KEY


def _part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _owner(world: World) -> User:
    """Return the owner as a fresh object: the world's own outlives what a test does to the row."""
    return User.objects.get(pk=world.owner.pk)


def _pair(world: World) -> tokens.Pair:
    return tokens.start(_owner(world), user_agent="x", now=timezone.now())


def _claims(world: World) -> dict[str, Any]:
    made: dict[str, Any] = jwt.decode(
        _pair(world).access, KEY, algorithms=["HS256"], audience="petplace-api", options={"verify_exp": False}
    )
    return made


def _signed(world: World, key: str = KEY, algorithm: str = "HS256", headers: Any = None, **changes: Any) -> str:
    return jwt.encode({**_claims(world), **changes}, key, algorithm=algorithm, headers=headers)


def _none(name: str) -> Callable[[World], str]:
    return lambda world: f"{_part({'alg': name, 'typ': 'JWT'})}.{_part(_claims(world))}."


def _signed_out(world: World) -> str:
    pair = _pair(world)
    tokens.end(pair.refresh, now=timezone.now())
    return pair.access


def _ended_by(change: Callable[[World], object]) -> Callable[[World], str]:
    def token(world: World) -> str:
        access = _pair(world).access
        change(world)
        return access

    return token


def _reused(world: World) -> str:
    """A refresh token spent twice ends everything that came from it."""
    first = _pair(world)
    second = tokens.rotate(first.refresh, now=timezone.now())
    with pytest.raises(families.TokenRefusedError):
        tokens.rotate(first.refresh, now=timezone.now())
    return second.access


def _banned(world: World) -> None:
    User.objects.filter(pk=world.owner.pk).update(is_active=False)


TOKENS: dict[str, Callable[[World], str]] = {
    "alg none": _none("none"),
    "alg None": _none("None"),
    "alg NONE": _none("NONE"),
    "alg nOnE": _none("nOnE"),
    "alg of no name": _none(""),
    "signed with another key": lambda world: _signed(world, "k" * 64),
    "signed with the site's other key": lambda world: _signed(world, settings.SECRET_KEY),
    "signed with nothing": lambda world: _signed(world).rsplit(".", 1)[0] + ".",
    "signed with HS512": lambda world: _signed(world, KEY * 2, "HS512"),
    "key from a path": lambda world: _signed(world, "k" * 64, headers={"kid": "../../../../dev/null"}),
    "key from a query": lambda world: _signed(world, "k" * 64, headers={"kid": "x' UNION SELECT 'x'--"}),
    "key from another site": lambda world: _signed(world, "k" * 64, headers={"jku": f"https://{EVIL}/keys"}),
    "key in the token": lambda world: _signed(world, "k" * 64, headers={"jwk": {"kty": "oct", "k": "kkkk"}}),
    "certificate of another site": lambda world: _signed(world, "k" * 64, headers={"x5u": f"https://{EVIL}/x"}),
    "expired": lambda world: _signed(world, exp=1),
    "of the future": lambda world: _signed(world, nbf=2**33),
    "for another site": lambda world: _signed(world, aud="other"),
    "of another issuer": lambda world: _signed(world, iss="other"),
    "refresh in place of access": lambda world: _pair(world).refresh,
    "of somebody else": lambda world: _signed(world, sub=str(world.staff.uid)),
    "of another version": lambda world: _signed(world, ver=99),
    "signed out": _signed_out,
    "of a family that was spent twice": _reused,
    "older than the password": _ended_by(
        lambda world: credentials.set_password(_owner(world), "another-good-password-2", now=timezone.now())
    ),
    "of who was banned": _ended_by(_banned),
    "of a family that was revoked": _ended_by(lambda world: TokenFamily.objects.update(revoked_at=timezone.now())),
    "no token": lambda world: "x",
    "ten thousand letters": lambda world: "x" * 10_000,
    "bytes": lambda world: "\xff\xfe\xfd",
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("url", ["/api/v1/me/", "/api/v1/events/"])
def test_token_is_refused(world: World, name: str, url: str) -> None:
    client = APIClient(raise_request_exception=False)

    answer = client.get(url, headers={"Authorization": f"Bearer {TOKENS[name](world)}"})

    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_that_nobody_touched_is_taken(world: World) -> None:
    answer = APIClient().get("/api/v1/me/", headers={"Authorization": f"Bearer {_signed(world)}"})

    assert answer.status_code == 200


FORMS: list[Hostile] = [
    Hostile("form without a token", page("post", "/pets/<pets>/archive/", has_checks=True), (403,)),
    Hostile(
        "form with a token made up",
        page("post", "/pets/<pets>/archive/", {"csrfmiddlewaretoken": "a" * 64}, has_checks=True),
        (403,),
    ),
    Hostile(
        "form with a token of no length",
        page("post", "/pets/<pets>/archive/", {"csrfmiddlewaretoken": ""}, has_checks=True),
        (403,),
    ),
    Hostile("token in the query", page("post", "/pets/<pets>/archive/?csrfmiddlewaretoken=a", has_checks=True), (403,)),
    Hostile("token in a header", page("post", "/pets/<pets>/archive/", has_checks=True, X_CSRFToken="a" * 32), (403,)),
    Hostile("htmx says so", page("post", "/pets/<pets>/archive/", has_checks=True, HX_Request="true"), (403,)),
    Hostile("PUT in place of POST", page("put", "/pets/<pets>/archive/", has_checks=True), (403, 405)),
    Hostile("sign-out of another", page("post", "/accounts/logout/", has_checks=True), (403,)),
    Hostile("close of an account", page("post", "/account/close/", {"password": "x"}, has_checks=True), (403,)),
    Hostile("sign-in into another account", page("post", "/accounts/login/", by=None, has_checks=True), (403,)),
    Hostile("sign-up", page("post", "/accounts/signup/", by=None, has_checks=True), (403,)),
    Hostile("administration's door", page("post", "/admin/login/", by=None, has_checks=True), (403,)),
]


@pytest.mark.parametrize("hostile", FORMS, ids=str)
def test_form_of_another_site_is_refused(world: World, hostile: Hostile) -> None:
    check(hostile, world)


ORIGINS = [f"https://{EVIL}", "null", f"http://testserver.{EVIL}", "http://testserver:81", "file://"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_form_with_a_good_token_but_another_origin_is_refused(world: World, origin: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(world.owner)
    client.get("/pets/new/")
    token = client.cookies["csrftoken"].value
    url, data = f"/pets/{world.pet.uid}/archive/", {"csrfmiddlewaretoken": token}

    assert client.post(url, data, headers={"Origin": origin}).status_code == 403
    assert client.post(url, data).status_code == 302, "the token itself is good"


def test_cookie_of_the_pages_opens_nothing_in_the_api(world: World) -> None:
    client = Client()
    client.force_login(world.owner)

    assert client.get("/api/v1/me/").status_code == 401
    assert client.post("/api/v1/pets/", {}, content_type="application/json").status_code == 401


@pytest.mark.parametrize("origin", [f"https://{EVIL}", "null", "http://localhost:3000"])
def test_no_other_site_may_read_the_api(world: World, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for answer in (
        Client().get("/api/v1/providers/", headers=headers),
        Client().options("/api/v1/me/", headers=headers),
    ):
        assert "Access-Control-Allow-Origin" not in answer.headers
