"""Tokens that somebody made up: each is 401 with a problem document, none is an error of ours."""

import base64
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework.test import APIClient

from accounts.models import TokenFamily, User
from tests.accounts.conftest import bearer

KEY = settings.JWT_SIGNING_KEY
pytestmark = pytest.mark.django_db


def _part(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@pytest.fixture
def payload(user: User, login: Callable[[User], dict[str, str]]) -> dict[str, Any]:
    """Return the claims of a good access token."""
    good = login(user)["access"]
    claims: dict[str, Any] = jwt.decode(good, KEY, algorithms=["HS256"], audience="petplace-api")
    return claims


def _sign(claims: dict[str, Any], key: str = KEY, algorithm: str = "HS256", **headers: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers=headers)


def test_the_test_signs_as_we_do(api: APIClient, payload: dict[str, Any]) -> None:
    assert api.get("/api/v1/me/", **bearer(_sign(payload))).status_code == 200


CLAIMS = {
    "other key": lambda c: _sign(c, "another-key-that-is-long-enough-for-hs256"),
    "secret key": lambda c: _sign(c, settings.SECRET_KEY),
    "other algorithm": lambda c: _sign(c, KEY * 2, "HS512"),
    "alg none": lambda c: f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(c)}.",
    "alg None": lambda c: f"{_part({'alg': 'None', 'typ': 'JWT'})}.{_part(c)}.",
    "alg nOnE": lambda c: f"{_part({'alg': 'nOnE', 'typ': 'JWT'})}.{_part(c)}.",
    "alg missing": lambda c: f"{_part({'typ': 'JWT'})}.{_part(c)}.{_part('x')}",
    "alg a list": lambda c: f"{_part({'alg': ['HS256']})}.{_part(c)}.{_part('x')}",
    "header no object": lambda c: f"{_part([])}.{_part(c)}.{_part('x')}",
    "header deep": lambda c: f"{_part('[' * 1200)}.{_part(c)}.x",
    "kid path": lambda c: _sign(c, "x" * 40, kid="../../../dev/null"),
    "jku": lambda c: _sign(c, "x" * 40, jku="https://evil.example/keys"),
    "jwk": lambda c: _sign(c, "x" * 40, jwk={"kty": "oct", "k": _part("x" * 40)}),
    "crit": lambda c: _sign(c, crit=["exp"]),
    "b64 false": lambda c: _sign(c, b64=False, crit=["b64"]),
    "no exp": lambda c: _sign({k: v for k, v in c.items() if k != "exp"}),
    "exp past": lambda c: _sign({**c, "exp": int(time.time()) - 60}),
    "exp infinite": lambda c: _sign({**c, "exp": float("inf")}),
    "exp huge": lambda c: _sign({**c, "exp": 10**30}),
    "exp text": lambda c: _sign({**c, "exp": "tomorrow"}),
    "exp list": lambda c: _sign({**c, "exp": [1]}),
    "iat future": lambda c: _sign({**c, "iat": int(time.time()) + 3600}),
    "nbf future": lambda c: _sign({**c, "nbf": int(time.time()) + 3600}),
    "other audience": lambda c: _sign({**c, "aud": "another-api"}),
    "no audience": lambda c: _sign({k: v for k, v in c.items() if k != "aud"}),
    "other issuer": lambda c: _sign({**c, "iss": "somebody"}),
    "refresh as access": lambda c: _sign({**c, "token_type": "refresh"}),
    "no type": lambda c: _sign({k: v for k, v in c.items() if k != "token_type"}),
    "no sub": lambda c: _sign({k: v for k, v in c.items() if k != "sub"}),
    "sub a number": lambda c: _sign({**c, "sub": "1"}),
    "sub a NUL": lambda c: _sign({**c, "sub": "\0"}),
    "sub of nobody": lambda c: _sign({**c, "sub": str(uuid.uuid4())}),
    "no family": lambda c: _sign({k: v for k, v in c.items() if k != "fam"}),
    "other family": lambda c: _sign({**c, "fam": str(uuid.uuid4())}),
    "version text": lambda c: _sign({**c, "ver": "0"}),
    "version true": lambda c: _sign({**c, "ver": False}),
    "version huge": lambda c: _sign({**c, "ver": 10**30}),
    "version old": lambda c: _sign({**c, "ver": 7}),
    "jti a list": lambda c: _sign({**c, "jti": []}),
    "cut": lambda c: _sign(c)[:-2],
    "changed": lambda c: f"{_sign(c).split('.')[0]}.{_part({**c, 'sub': str(uuid.uuid4())})}.{_sign(c).split('.')[2]}",
    "two parts": lambda c: "a.b",
    "four parts": lambda c: "a.b.c.d",
    "empty parts": lambda c: "..",
    "no text": lambda c: "é" * 10,
    "10 KB": lambda c: _sign({**c, "x": "y" * 10_000}),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_forged_token_is_refused(api: APIClient, payload: dict[str, Any], name: str) -> None:
    answer = api.get("/api/v1/me/", **bearer(CLAIMS[name](payload)))

    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("name", [name for name in CLAIMS if name != "refresh as access"])
def test_forged_refresh_is_refused(api: APIClient, payload: dict[str, Any], name: str) -> None:
    family = TokenFamily.objects.get()
    claims = {**payload, "token_type": "refresh", "jti": family.current_jti.hex}
    forged = CLAIMS[name](claims)

    answer = api.post("/api/v1/auth/refresh/", {"refresh": forged})

    # What cannot even be a token (10 KB, no text) is bad input.
    assert answer.status_code == (400 if len(forged) > 2048 else 401)
    family.refresh_from_db()
    assert family.revoked_at is None


def test_access_token_is_no_refresh_token(api: APIClient, user: User, login: Any) -> None:
    tokens = login(user)

    assert api.post("/api/v1/auth/refresh/", {"refresh": tokens["access"]}).status_code == 401
    assert api.get("/api/v1/me/", **bearer(tokens["refresh"])).status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer a b", "Basic YTpi", "Token x", "bearer", "Bearer  ", "\x7f"])
def test_odd_headers_are_401(api: APIClient, user: User, header: str) -> None:
    answer = api.get("/api/v1/me/", headers={"Authorization": header})

    assert answer.status_code == 401


def test_token_in_the_address_is_not_taken(api: APIClient, payload: dict[str, Any]) -> None:
    token = _sign(payload)

    assert api.get(f"/api/v1/me/?token={token}&access={token}&access_token={token}").status_code == 401
