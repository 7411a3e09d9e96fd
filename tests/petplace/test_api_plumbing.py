"""What every endpoint has from the plumbing: one shape of error, strict JSON, typed parameters, pages, tags."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.test import APIClient

from accounts.models import User
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from tests.factories import PetFactory, UserFactory
from tests.petplace import toy

pytestmark = [pytest.mark.urls("tests.petplace.toy"), pytest.mark.django_db]
JSON = "application/json"


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def _send(api: APIClient, body: Any, content_type: str = JSON) -> Any:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return api.post("/api/v1/echo/", data=data, content_type=content_type)


def _problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code"} <= set(body)
    assert (body["status"], body["code"]) == (status, code)
    return body


# --- bodies


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not valid JSON"),
        ("", "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ('{"size": 1, "size": 2}', "same key twice"),
        ('{"tags": [{"a": 1, "a": 1}]}', "same key twice"),
        ('{"ratio": NaN}', "NaN"),
        ('{"ratio": -Infinity}', "Infinity"),
        ('{"ratio": 1e400}', "too large"),
        ('{"name": "a\\u0000b"}', "NUL"),
        ('{"a\\u0000b": 1}', "NUL"),
        ('{"name": "\\ud800"}', "surrogate"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": "\xed\xa0\x80"}', "UTF-8"),
        ("[" * 100_000, "nested"),
        ("[" * 33 + "]" * 33, "nested"),
        ('{"a":' * 100_000, "nested"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
    ],
)
def test_unreadable_body_is_400(api: APIClient, body: str | bytes, words: str) -> None:
    answer = _send(api, body) if body else api.post("/api/v1/echo/", data=" ", content_type=JSON)

    assert words in _problem(answer, 400, "invalid")["detail"]


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true", "[1, 2]"])
def test_body_that_is_no_object_is_400(api: APIClient, body: str) -> None:
    assert "non_field_errors" in _problem(_send(api, body), 400, "invalid")["errors"]


def test_body_too_large_is_413_before_it_is_parsed(api: APIClient) -> None:
    _problem(_send(api, b"[" * 1_000_001), 413, "too_large")


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/xml", "application/json; charset=latin-1", "application/json; charset=x"],
)
def test_other_types_and_charsets_are_415(api: APIClient, content_type: str) -> None:
    _problem(_send(api, "{}", content_type), 415, "unsupported_media_type")


def test_utf8_may_be_said(api: APIClient) -> None:
    assert _send(api, '{"name": "Åse 🐕"}', 'application/json; charset="UTF-8"').json() == {"name": "Åse 🐕"}


@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/echo", "/api/v2/", "/api/", "/api/v1/users/not-a-uuid/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_address_is_404(api: APIClient, path: str, method: str) -> None:
    _problem(getattr(api, method)(path), 404, "not_found")


@pytest.mark.parametrize("method", ["put", "patch", "delete", "options", "trace"])
def test_other_methods_are_405_with_allow(api: APIClient, method: str) -> None:
    answer = getattr(api, method)("/api/v1/echo/")

    _problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, POST, HEAD"


def test_whatever_is_accepted_the_answer_is_json(api: APIClient) -> None:
    answer = api.get("/api/v1/echo/", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, JSON)


# --- fields


@pytest.mark.parametrize(
    ("given", "answered"),
    [
        ({"name": " Rex "}, {"name": "Rex"}),
        ({"text": "two\nlines"}, {"text": "two\nlines"}),
        ({"text": ""}, {"text": ""}),
        ({"email": "ANN@Example.test"}, {"email": "ann@example.test"}),
        ({"size": 5.0}, {"size": 5}),
        ({"big": -(2**63)}, {"big": -(2**63)}),
        ({"ratio": 1}, {"ratio": 1.0}),
        ({"weight": 1.235}, {"weight": 1.24}),
        ({"weight": 30}, {"weight": 30.0}),
        ({"flag": False}, {"flag": False}),
        ({"kind": "a"}, {"kind": "a"}),
        ({"day": "2028-02-29"}, {"day": "2028-02-29"}),
        ({"at": "2027-03-14T17:00:00+01:00"}, {"at": "2027-03-14T16:00:00Z"}),
        ({"at": "2027-03-14t17:00:00.1234567z"}, {"at": "2027-03-14T17:00:00.123456Z"}),
        ({"opens": "09:30"}, {"opens": "09:30"}),
        ({"price": {"amount": 2500, "currency": "EUR"}}, {"price": {"amount": 2500, "currency": "EUR"}}),
        ({"price": {"amount": 2500.0, "currency": "EUR"}}, {"price": {"amount": 2500, "currency": "EUR"}}),
        ({"tags": ["a", "b"]}, {"tags": ["a", "b"]}),
    ],
)
def test_field_takes_what_it_says(api: APIClient, given: dict[str, Any], answered: dict[str, Any]) -> None:
    answer = _send(api, given)

    assert answer.status_code == 200, answer.content
    assert answer.json() == answered


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", [5, True, None, ["a"], {}, "", "   ", "a\nb", "a\u0007b", "x" * 11, " " * 11 + "x", "\u2028x"]),
        ("text", [5, None, "x" * 21]),
        ("email", ["x", 5, None, "a@b", "a b@example.test"]),
        ("size", ["1", "1_0", "١٢", "１２", True, 1.5, 101, None, [], {}]),
        ("big", [2**63, -(2**63) - 1, 10**400, 1e300]),
        ("ratio", ["1", True, None, 10**400, -(10**400)]),
        ("weight", ["1.5", -0.01, 1000, True, None, 10**400]),
        ("flag", ["true", 1, 0, "yes", None]),
        ("kind", ["c", "A", 1, True, None, [], {}, ""]),
        (
            "day",
            ["2027-02-29", "20270301", "2027-W01-1", "2027-3-1", "0000-01-01", "9999-12-31", 5, None, "１999-01-01"],
        ),
        (
            "at",
            [
                "2027-03-14T17:00:00",
                "2027-03-14 17:00:00Z",
                "2027-03-14",
                "2027-02-30T00:00:00Z",
                "0001-01-01T00:00:00+14:00",
                "9999-12-31T23:59:59-14:00",
                "2027-03-14T24:00:00Z",
                "2027-03-14T17:00:00+25:00",
                1789000000,
                None,
                "",
            ],
        ),
        ("opens", ["9:30", "24:00", "09:30:00", "0930", 9, None]),
        (
            "price",
            [
                2500,
                "25.00 EUR",
                {},
                {"amount": 1},
                {"amount": -1, "currency": "EUR"},
                {"amount": 1.5, "currency": "EUR"},
                {"amount": "1", "currency": "EUR"},
                {"amount": True, "currency": "EUR"},
                {"amount": 10**13, "currency": "EUR"},
                {"amount": 1, "currency": "eur"},
                {"amount": 1, "currency": "EURO"},
                {"amount": 1, "currency": 978},
                {"amount": 1, "currency": "EUR", "tip": 1},
                None,
            ],
        ),
        ("tags", ["a", {"a": 1}, ["a", "b", "c", "d"], [1], ["toolong"], ["x"] * 10_000, None]),
        ("pet", [5, "x", None, "00000000-0000-0000-0000-000000000000", "{00000000-0000-0000-0000-000000000000}"]),
        ("pets", ["x", None, [5], ["x"], ["00000000-0000-0000-0000-000000000000"], ["x"] * 10_000]),
        ("state", ["new"]),
        ("unknown", [1]),
    ],
)
def test_field_refuses_everything_else_by_name(api: APIClient, field: str, values: list[Any]) -> None:
    for value in values:
        errors = _problem(_send(api, {field: value}), 400, "invalid")["errors"]
        assert {name.split(".")[0] for name in errors} == {field}, (value, errors)


def test_related_objects_are_those_of_the_caller(api: APIClient) -> None:
    user = UserFactory()
    mine, other, foreign = PetFactory(owner=user), PetFactory(owner=user), PetFactory()
    api.force_authenticate(user)

    good = _send(api, {"pet": str(mine.uid), "pets": [str(other.uid), str(mine.uid)]})
    bad = _send(api, {"pet": str(foreign.uid)})
    absent = _send(api, {"pet": "00000000-0000-4000-8000-000000000000"})
    mixed = _send(api, {"pets": [str(mine.uid), str(foreign.uid)]})
    twice = _send(api, {"pets": [str(mine.uid)] * 2})

    assert good.json() == {"pet": str(mine.uid), "pets": [str(other.uid), str(mine.uid)]}
    assert bad.status_code == 400
    assert bad.content == absent.content
    assert str(foreign.uid) in mixed.json()["errors"]["pets"][0]
    assert twice.json()["errors"] == {"pets": ["Name each one once."]}


# --- query parameters


def test_parameters_are_typed(api: APIClient) -> None:
    query = (
        "?size=3&ratio=1e-3&kind=a&kinds=a,b&kinds=c&kinds=a&day=2027-03-14&at=2027-03-14T17:00:00+01:00&open=true"
        "&who=5f0c1e3e-8a5c-4d3c-9b67-0a0d3c1f4b11&text= ab &unknown=1"
    )

    assert api.get(f"/api/v1/echo/{query}").json() == {
        "size": "3",
        "ratio": "0.001",
        "kind": "a",
        "kinds": "['a', 'b', 'c']",
        "day": "2027-03-14",
        "at": "2027-03-14 16:00:00+00:00",
        "open": "True",
        "who": "5f0c1e3e-8a5c-4d3c-9b67-0a0d3c1f4b11",
        "text": "ab",
    }
    assert api.get("/api/v1/echo/?size=&kind=").json() == {"text": "x"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("size", ["x", "0", "10", "1_0", "١", "１", "1.0", "+1", " 1", "9" * 30, "nan", "1e1", "null"]),
        ("ratio", ["nan", "inf", "-1", "1_0", "0x1", "1e999", "", "١"]),
        ("kind", ["c", "A", "a,b", "[]"]),
        ("kinds", ["a,d", "a,,b", "[]"]),
        ("day", ["2027-02-30", "today", "0000-01-01", "2027-1-1", "20270101"]),
        ("at", ["2027-03-14", "2027-03-14T17:00:00", "now", "0000-00-00T00:00:00Z"]),
        ("who", ["1", "x", "{5f0c1e3e-8a5c-4d3c-9b67-0a0d3c1f4b11}", "5f0c1e3e8a5c4d3c9b670a0d3c1f4b11"]),
        ("open", ["1", "yes", "True", "TRUE"]),
        ("text", ["toolong"]),
    ],
)
def test_wrong_parameter_is_400_by_name(api: APIClient, name: str, values: list[str]) -> None:
    for value in filter(None, values):
        assert list(_problem(api.get(f"/api/v1/echo/?{name}={quote(value)}"), 400, "invalid")["errors"]) == [name]


def test_parameter_given_twice_is_400(api: APIClient) -> None:
    assert list(_problem(api.get("/api/v1/echo/?size=1&size=2"), 400, "invalid")["errors"]) == ["size"]


# --- errors


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (DomainError("No.", code="slot_taken", extra={"alternatives": []}), 409, "slot_taken"),
        (InvalidTransition(), 409, "invalid_transition"),
        (NotAllowed(), 403, "not_allowed"),
        (InvalidInput(fields={"start": ["Too late."]}), 400, "invalid"),
        (Http404(), 404, "not_found"),
        (PermissionDenied("Not you."), 403, "not_allowed"),
        (DjangoValidationError({"name": ["Bad."]}), 400, "invalid"),
        (DjangoValidationError("Bad."), 400, "invalid"),
        (exceptions.Throttled(), 429, "throttled"),
        (exceptions.AuthenticationFailed(), 401, "authentication_failed"),
        (RequestDataTooBig(), 413, "too_large"),
        (SuspiciousOperation(), 400, "invalid"),
        (ProtectedError("in use", set()), 409, "conflict"),
        (exceptions.ValidationError({"a": [{}, {"b": ["Bad."]}], "c": {"d": "Bad."}}), 400, "invalid"),
    ],
)
def test_expected_error_is_a_problem(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(toy.Raise, "errors", {"it": error})

    answer = api.get("/api/v1/raise/it/")

    body = _problem(answer, status, code)
    assert ("errors" in body) == (status == 400)
    assert ("Retry-After" in answer.headers) == (status == 429)
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)


def test_error_names_fields_of_lists_and_objects(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    error = exceptions.ValidationError({"a": [{}, {"b": ["Bad."]}], "c": {"d": "Worse."}})
    monkeypatch.setattr(toy.Raise, "errors", {"it": error})

    assert api.get("/api/v1/raise/it/").json()["errors"] == {"a.1.b": ["Bad."], "c.d": ["Worse."]}


@pytest.mark.parametrize(
    ("state", "kind", "status"),
    [
        ("23505", IntegrityError, 409),
        ("23P01", IntegrityError, 409),
        ("23514", IntegrityError, 400),
        ("22003", DataError, 400),
    ],
)
def test_what_the_database_refuses_is_no_500(
    api: APIClient, monkeypatch: pytest.MonkeyPatch, state: str, kind: type[Exception], status: int
) -> None:
    class Cause(Exception):
        sqlstate = state

    error = kind("refused")
    error.__cause__ = Cause()
    monkeypatch.setattr(toy.Raise, "errors", {"it": error})

    assert api.get("/api/v1/raise/it/").status_code == status


@pytest.mark.parametrize("error", [RuntimeError("a bug"), IntegrityError("without a state")])
def test_a_bug_stays_a_bug(api: APIClient, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(toy.Raise, "errors", {"it": error})

    with pytest.raises(type(error)):
        api.get("/api/v1/raise/it/")


# --- pages


def test_pages_are_counted_linked_and_bounded(api: APIClient) -> None:
    users = [UserFactory() for _ in range(5)]

    first = api.get("/api/v1/users/?page_size=2").json()
    last = api.get(first["next"].replace("page=2", "page=3")).json()

    assert [row["id"] for row in first["results"]] == [str(user.uid) for user in users[:2]]
    assert (first["count"], first["previous"]) == (5, None)
    assert first["next"] == "http://testserver/api/v1/users/?page=2&page_size=2"
    assert ([row["id"] for row in last["results"]], last["next"]) == ([str(users[4].uid)], None)
    assert last["previous"] == "http://testserver/api/v1/users/?page=2&page_size=2"


def test_page_size_is_capped(api: APIClient) -> None:
    User.objects.bulk_create(User(email=f"u{number}@example.test") for number in range(101))

    for size in ("101", "1000000000", "9" * 30):
        assert len(api.get(f"/api/v1/users/?page_size={size}").json()["results"]) == 100
    assert len(api.get("/api/v1/users/").json()["results"]) == 20


@pytest.mark.parametrize(
    ("query", "status"),
    [("page=2", 404), ("page=10001", 404), ("page=" + "9" * 30, 404)]
    + [
        (f"{name}={value}", 400)
        for name in ("page", "page_size")
        for value in ("0", "-1", "x", "1.5", "١", "1_0", "%20", "00")
    ]
    + [("page=1&page=2", 400)],
)
def test_pages_that_are_none(api: APIClient, query: str, status: int) -> None:
    UserFactory()

    assert api.get(f"/api/v1/users/?{query}").status_code == status


@pytest.mark.parametrize("count", [1, 15])
def test_a_page_takes_two_queries_and_a_cursor_page_one(
    api: APIClient, django_assert_num_queries: Any, count: int
) -> None:
    for _ in range(count):
        UserFactory()

    with django_assert_num_queries(2):
        api.get("/api/v1/users/")
    with django_assert_num_queries(1):
        api.get("/api/v1/feed/")


def test_cursor_walks_the_feed_without_gaps_while_it_grows(api: APIClient) -> None:
    users = [UserFactory() for _ in range(5)]
    User.objects.filter(pk__in=[user.pk for user in users[:2]]).update(date_joined=users[0].date_joined)

    seen, link = [], "/api/v1/feed/?page_size=2"
    while link:
        body = api.get(link).json()
        seen += [row["id"] for row in body["results"]]
        link = body["next"]
        UserFactory()

    assert len(seen) == len(set(seen)) == 5
    assert set(seen) == {str(user.uid) for user in users}


@pytest.mark.parametrize("cursor", ["x", "====", "é", "MjAyNw==", "a" * 1000, "%00", "MjAyNyB4"])
def test_broken_cursor_is_400(api: APIClient, cursor: str) -> None:
    assert api.get(f"/api/v1/feed/?cursor={cursor}").status_code == 400


def test_row_is_named_by_its_uid_alone(api: APIClient) -> None:
    user = UserFactory()

    assert api.get(f"/api/v1/users/{user.uid}/").json()["id"] == str(user.uid)
    _problem(api.get(f"/api/v1/users/{user.pk}/"), 404, "not_found")
    _problem(api.get("/api/v1/users/5f0c1e3e-8a5c-4d3c-9b67-0a0d3c1f4b11/"), 404, "not_found")


# --- tags and keeping


def test_get_is_tagged_and_repeated_as_304(api: APIClient) -> None:
    tag = api.get("/api/v1/echo/").headers["ETag"]

    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = api.get("/api/v1/echo/", headers={"If-None-Match": given})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", tag)
    for given in ('"other"', "nonsense", ""):
        assert api.get("/api/v1/echo/", headers={"If-None-Match": given}).status_code == 200
    assert api.head("/api/v1/echo/").headers["ETag"] == tag


def test_only_anonymous_answers_of_public_views_may_be_kept(api: APIClient) -> None:
    public = api.get("/api/v1/echo/")
    wrong = api.get("/api/v1/echo/?size=x")
    api.force_authenticate(UserFactory())
    private = api.get("/api/v1/echo/")

    assert public.headers["Cache-Control"] == "public, max-age=30"
    assert wrong.headers["Cache-Control"] == private.headers["Cache-Control"] == "private, no-store"
    assert "Authorization" in public.headers["Vary"]
    assert "ETag" not in wrong.headers
