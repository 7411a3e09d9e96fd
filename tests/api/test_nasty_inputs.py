"""Nonsense in every field, every filter and every id of every operation: never a 5xx, always a problem document.

The list is what broke other APIs: numbers that are none, texts that the database cannot store, dates beyond the
calendar, shapes that nobody asked for, other people's things. ``PETPLACE_FUZZ`` (any value) sends all of it to every
field and filter as everybody (long); in the ordinary run whoever comes furthest sends a third of it, another one for
each operation, to all fields at once and two of it to each alone, and everybody else some of it.
"""

import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from tests.api.operations import ABSENT, Operation, World, operations

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    -0.0,
    1e300,
    2**31,
    2**63,
    -(2**63) - 1,
    10**30,
    10**400,
    "",
    " ",
    "0",
    "-1",
    "1_000",
    "1e400",
    "nan",
    "Infinity",
    "١٢",
    "１２",
    "null",
    "true",
    "x" * 10_000,
    "a\u0000b",
    "a\u0007b",
    "a\r\nBcc: b@example.test",
    "\ud800",
    "\u202egnp.exe",
    "🐕" * 50,
    "'; DROP TABLE accounts_user; --",
    "{{7*7}}{% load x %}%s%n{0.__class__}",
    "<script>alert(1)</script>",
    "../../../etc/passwd",
    "0000-00-00",
    "2027-02-30",
    "9999-12-31",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2027-03-14T02:30:00",
    "2027-03-14T02:30:00+99:99",
    "2020-01-01T00:00:00Z",
    "24:00",
    "Mars/Olympus",
    ABSENT,
    "{" + ABSENT + "}",
    [],
    [None],
    [[]],
    ["x"] * 3,
    [ABSENT] * 2,
    [ABSENT, "x"],
    list(range(10_000)),
    {},
    {"amount": 10**30, "currency": "EUR"},
    {"amount": -1, "currency": "EUR"},
    {"amount": 1.5, "currency": "XXX"},
    {"amount": 1, "currency": "USD"},
    {"$gt": ""},
    [{}],
    [{"weekday": 9, "opens": "25:00", "closes": "aa"}],
    [{"weekday": True, "opens": "09:00", "closes": "09:00"}],
]
BODIES = [
    b"",
    b" ",
    b"{",
    b"null",
    b"[]",
    b'"text"',
    b"NaN",
    b"1",
    b"\xff\xfe",
    b'{"a": 1, "a": 2}',
    b"[" * 100_000,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"x": "' + b"y" * 1_000_000 + b'"}',
    b'{"__proto__": {"x": 1}, "constructor": 1}',
]
IDS = [
    "0",
    "-1",
    "1",
    "x",
    "nan",
    "%00",
    "%F0%9F%90%95",
    "..%2f..",
    "%ff",
    "a" * 300,
    ABSENT,
    ABSENT.upper(),
    "1_0",
    "%20",
]
IS_WHOLE = bool(os.environ.get("PETPLACE_FUZZ"))
OPERATIONS = [pytest.param(operation, id=str(operation)) for operation in operations()]


@contextmanager
def undone() -> Iterator[None]:
    """Take back what a request that was accepted did."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def check(answer: Any, what: object) -> None:
    said = f"{str(what)[:200]} -> {answer.status_code} {bytes(getattr(answer, 'content', b''))[:500]!r}"
    is_stream = answer.request["PATH_INFO"] == "/api/v1/events/"  # the test client is no server that has them
    assert answer.status_code < 500 or (is_stream and answer.status_code == 503), said
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json", said
        body = answer.json()
        assert body["status"] == answer.status_code, said
        assert body["code"], said
        assert (answer.status_code == 400) <= ("errors" in body or body["code"] == "bad_request"), said


def refused(answer: Any) -> set[str]:
    """Return the fields that the answer names."""
    return {name.partition(".")[0] for name in answer.json().get("errors", {})} if answer.status_code == 400 else set()


def some(values: list[Any], *key: object, most: int = 2) -> list[Any]:
    """Return all of the values with ``PETPLACE_FUZZ``, else ``most`` that differ from field to field."""
    if IS_WHOLE or len(values) <= most:
        return values
    return random.Random(str(key)).sample(values, most)


def send(client: APIClient, operation: Operation, url: str, data: Any = None) -> Any:
    if data is None:
        return client.generic(operation.method.upper(), url)
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return client.generic(operation.method.upper(), url, raw, content_type="application/json")


_actors: dict[Operation, str] = {}


def actor(world: World, operation: Operation) -> tuple[str, APIClient]:
    """Return who comes furthest with a request that makes sense."""
    if operation not in _actors:
        _actors[operation] = _furthest(world, operation)
    name = _actors[operation]
    return name, world.clients()[name]


def everybody(world: World, operation: Operation) -> list[tuple[str, APIClient]]:
    """Return all kinds of callers, whoever comes furthest first."""
    first, clients = actor(world, operation)[0], world.clients()
    return [(first, clients.pop(first)), *clients.items()]


def _furthest(world: World, operation: Operation) -> str:
    data = None if operation.body is None else world.sample(operation.body)
    ranked = []
    for name, client in list(world.clients().items())[:4]:
        with undone():
            status = send(client, operation, world.url(operation), data).status_code
        ranked.append((status in (401, 403, 404), status, name))
    return min(ranked, key=lambda item: item[:2])[2]


@pytest.fixture(autouse=True)
def _no_safety_net(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The database must not be the first to notice: the plumbing's last net logs when it catches something."""
    yield
    caught = [record.getMessage() for record in caplog.records if "checks let pass" in record.getMessage()]
    assert not caught, caught


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.values[0].body is not None])
def test_body(world: World, operation: Operation) -> None:
    url, schema = world.url(operation), operation.body
    assert schema is not None
    for number, (role, client) in enumerate(everybody(world, operation)):
        for raw in some(BODIES, operation, role, most=1 if number else 4):
            with undone():
                check(send(client, operation, url, raw), (role, raw))
        (_send_lists if schema.get("type") == "array" else _send_fields)(
            world, operation, schema, client, role, is_short=number > 0
        )


def _send_lists(
    world: World, operation: Operation, schema: dict[str, Any], client: APIClient, role: str, *, is_short: bool
) -> None:
    for value in some(VALUES, operation, role, most=1 if is_short else len(VALUES)):
        for data in (value, [value]):
            with undone():
                check(send(client, operation, world.url(operation), data), (role, data))


def _send_fields(
    world: World, operation: Operation, schema: dict[str, Any], client: APIClient, role: str, *, is_short: bool
) -> None:
    good, url = world.sample(schema), world.url(operation)
    names = [*schema.get("properties", {}), "is_staff", "owner", "state"]
    taken: dict[str, list[Any]] = {name: [] for name in names}
    for value in some(VALUES, operation, role, most=1 if is_short else len(VALUES) // 3):
        # All at once tells which fields refuse the value by themselves; it goes alone to those that take it.
        with undone():
            answer = send(client, operation, url, dict.fromkeys(names, value))
        check(answer, (role, value))
        for name in set(names) - refused(answer):
            taken[name].append(value)
    if is_short and not IS_WHOLE:
        return
    for name, values in taken.items():
        for value in some(values, operation, name):
            with undone():
                check(send(client, operation, url, {**good, name: value}), {name: value})


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.values[0].query])
def test_filters(world: World, operation: Operation) -> None:
    for number, (role, client) in enumerate(everybody(world, operation)):
        _send_filters(world, operation, client, role, is_short=number > 0)


def _send_filters(world: World, operation: Operation, client: APIClient, role: str, *, is_short: bool) -> None:
    url = world.url(operation)
    good = {"providers": {"lat": "52.5", "lng": "13.4", "radius_km": "10"}}.get(operation.path.split("/")[3], {})
    texts = [value if isinstance(value, str) else json.dumps(value) for value in VALUES if value != 10**400]
    names = [parameter["name"] for parameter in operation.query]
    names += ["owner__password", "ordering", "_connector", "format", "expand", "cursor"]
    taken: dict[str, list[str]] = {name: [] for name in names}
    for text in some(texts, operation, role, most=2 if is_short else len(texts) // 3):
        answer = client.get(f"{url}?{urlencode(dict.fromkeys(names, text[:1000]), errors='surrogatepass')}")
        check(answer, (role, text))
        for name in set(names) - refused(answer):
            taken[name].append(text)
    if is_short and not IS_WHOLE:
        return
    for name, values in taken.items():
        for text in some(values, operation, name):
            query = urlencode({**good, name: text[:1000]}, errors="surrogatepass")
            check(client.get(f"{url}?{query}"), query)
    for name in names:
        odd = [f"{name}", f"{name}=%00", f"{name}=%ff", f"{name}=%ed%a0%80", f"{name}=1&{name}=2", f"{name}[]=1"]
        for query in some(odd, operation, name):
            check(client.get(f"{url}?{query}"), query)


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.values[0].placeholders])
def test_ids(world: World, operation: Operation) -> None:
    client = actor(world, operation)[1]
    data = None if operation.body is None else world.sample(operation.body)
    for name in operation.placeholders:
        for text in some(IDS, operation, name, most=6):
            with undone():
                answer = send(client, operation, world.url(operation, **{name: text}), data)
            check(answer, (name, text))
            assert answer.status_code in (400, 404, 405), (name, text, answer.status_code)


@pytest.mark.parametrize("operation", [item for item in OPERATIONS if item.values[0].is_upload])
def test_uploads(world: World, operation: Operation) -> None:
    client, url = actor(world, operation)[1], world.url(operation)
    boundary = "multipart/form-data; boundary=x"
    part = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n--x--\r\n'
    bodies = [
        (b"", boundary),
        (b"--x--\r\n", boundary),
        (b"nonsense", boundary),
        (b"--x\r\n", "multipart/form-data"),
        (b"{}", "application/json"),
        (b"", "text/plain"),
        *[
            (part % (name, filename, kind, content), boundary)
            for name in (b"file", b"photo", b"image", b"kind", b"\xff")
            for filename, kind, content in (
                (b"x.png", b"image/png", b""),
                (b"x.png", b"image/png", b"\x89PNG\r\n\x1a\n"),
                (b"../../x\x00.png", b"image/png", b"GIF89a"),
                (b"x.svg", b"image/svg+xml", b"<svg onload=alert(1)>"),
                (b"x.pdf", b"application/pdf", b"%PDF-1.4"),
                (b"x" * 500, b"\xff", b"\x00" * 100),
            )
        ],
    ]
    for raw, kind in bodies:
        with undone():
            check(client.generic(operation.method.upper(), url, raw, content_type=kind), (kind, raw))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_strangers_get_401_where_a_token_is_needed(world: World, operation: Operation) -> None:
    data = None if operation.body is None else world.sample(operation.body)
    with undone():
        answer = send(APIClient(raise_request_exception=False), operation, world.url(operation), data)

    check(answer, operation)
    if operation.is_public:
        assert answer.status_code != 401 or operation.path.startswith("/api/v1/auth/")
    else:
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_headers(world: World) -> None:
    client = world.clients()["owner"]
    for name in ("Accept", "If-None-Match", "Accept-Language", "User-Agent", "Idempotency-Key", "X-Forwarded-For"):
        for text in ("", "x" * 5000, "\x7f", "é", '"', "*", ",;,=", "a/b;q=x", quote("🐕")):
            for path in ("/api/v1/me/", "/api/v1/pets/"):
                check(client.get(path, headers={name: text}), (name, text))
            with undone():
                check(
                    client.post("/api/v1/pets/", {"name": "Rex", "species": "dog"}, headers={name: text}), (name, text)
                )
