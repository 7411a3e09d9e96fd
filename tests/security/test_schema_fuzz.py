"""What the OpenAPI document promises, held to by requests that schemathesis makes from it.

Every operation is called by everybody, on the WSGI application, with data that fits the document and, where there is
something to spoil, with data that does not. Never a 5xx; each answer has a status, a type, headers and a body that the
document names, and nothing besides; nonsense is refused. Every request is undone.

The ordinary run makes two cases for each operation and kind of data, ``PETPLACE_FUZZ=<cases>`` so many: 30 are more
than 50,000 requests. What is sent depends on nothing but the document.
"""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpResponse
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from rest_framework.response import Response as Answer
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
)

from accounts.api import tokens
from accounts.models import User
from pets.api.serializers import PetSerializer
from pets.api.views import PetViewSet
from pets.models import Pet
from tests.api.operations import Operation, World, client_of, closed, document, make_world, operations
from tests.api.test_nasty_inputs import undone

_asked = os.environ.get("PETPLACE_FUZZ", "")
CASES = int(_asked) if _asked.isdigit() else 30 if _asked else 2
CHECKS: list[Any] = [
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# A stream, which a WSGI server refuses: the tests of messaging read it.
STREAM = "/api/v1/events/"
SCHEMA = schemathesis.openapi.from_dict(closed(document()))
SCHEMA.app = WSGIHandler()
FUZZED = {(made.method.lower(), made.path): made for made in (result.ok() for result in SCHEMA.get_all_operations())}


@dataclass
class People:
    """Who calls, what is theirs and what is not."""

    world: World
    other: World
    headers: dict[str, dict[str, str]]
    seen: Counter[tuple[str, int]] = field(default_factory=Counter)


def _headers(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.start(user, user_agent='fuzz', now=timezone.now()).access}"}


@pytest.fixture(scope="module")
def module_people(module_world: World, request: pytest.FixtureRequest) -> Iterator[People]:
    world = module_world
    people = {
        "owner": world.owner,
        "provider manager": world.manager,
        "provider staff": world.worker,
        "support": world.support,
        "admin": world.admin,
    }
    made = People(
        world, make_world(code="AUTUMN"), {"visitor": {}, **{role: _headers(user) for role, user in people.items()}}
    )
    yield made
    if _asked:
        counted = Counter(status for role, status in made.seen.elements())
        said = ", ".join(f"{number:,} x {status}" for status, number in sorted(counted.items()))
        plugins = request.config.pluginmanager
        with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
            plugins.get_plugin("terminalreporter").write_line(f"\n{made.seen.total():,} requests were answered: {said}")


@pytest.fixture(autouse=True)
def _no_safety_net(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The database must not be the first to notice: the plumbing's last net logs when it catches something."""
    yield
    caught = [record.getMessage() for record in caplog.records if "checks let pass" in record.getMessage()]
    assert not caught, caught


@pytest.fixture
def people(module_people: People, db: None) -> People:
    return module_people


@contextmanager
def kept_connection() -> Iterator[None]:
    """Keep the connection open with its transaction where a request begins and ends, as Django's test client does."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    try:
        yield
    finally:
        request_started.connect(close_old_connections)
        request_finished.connect(close_old_connections)


def _kinds(operation: Operation) -> list[GenerationMode]:
    can_be_spoiled = operation.placeholders or operation.query or operation.spec.get("requestBody")
    return [GenerationMode.POSITIVE, GenerationMode.NEGATIVE] if can_be_spoiled else [GenerationMode.POSITIVE]


def _aim(case: Any, operation: Operation, world: World, *, is_whole: bool) -> None:
    """Put ids that exist in the place of made-up ones, which lead to 404 alone; in the data too where ``is_whole``."""
    if operation.placeholders:
        case.path_parameters = world.path_ids(operation)
    if is_whole:
        known = world.known()
        for part in (case.query, case.body):
            if isinstance(part, dict):
                part.update({name: known[name] for name in part.keys() & known.keys()})


def _checks(case: Any, operation: Operation, *, is_aimed: bool) -> list[Any]:
    """Nonsense must be refused where it is still sent: everybody's token and an id that exists are good again."""
    spoiled = {place for place, part in case.meta.components.items() if part.mode.is_negative}
    broken = [
        mutation
        for mutation in getattr(case.meta.phase.data, "mutations", ())
        if mutation.parameter_location is ParameterLocation.QUERY
    ]
    if broken and all(_is_ignored(mutation, case.query or {}, operation) for mutation in broken):
        spoiled.discard(ParameterLocation.QUERY)
    mended = {ParameterLocation.HEADER, *([ParameterLocation.PATH] if is_aimed else [])}
    return [*CHECKS, negative_data_rejection] if spoiled - mended else CHECKS


def _is_ignored(mutation: Any, query: dict[str, Any], operation: Operation) -> bool:
    """In a query a name that the document does not have is ignored, and nothing is what forms send for "any"."""
    if mutation.keywords == ("additionalProperties",):
        return True
    name = mutation.schema_pointer.removeprefix("/properties/").split("/")[0]
    can_be_left_out = any(one["name"] == name and not one.get("required") for one in operation.query)
    return can_be_left_out and query.get(name) == ""


def call(case: Any, operation: Operation, people: People, checks: list[Any]) -> set[int]:
    """Send the case as everybody. Returns the answers' statuses."""
    cache.clear()  # or the limits on guessing would answer all but the first few
    statuses = set()
    for role, headers in people.headers.items():
        with undone(), kept_connection():
            answer = case.call(headers=headers)
        status = answer.status_code
        people.seen[role, status] += 1
        statuses.add(status)
        said = f"{operation} as {role}: {status} {answer.content[:500]!r} to {case.as_curl_command()[:1500]}"
        if operation.path == STREAM and status == 503:
            continue
        assert status < 500, said
        assert str(status) in operation.spec["responses"], f"not in the document: {said}"
        try:
            case.validate_response(answer, checks=checks)
        except FailureGroup as failures:
            raise AssertionError(
                "\n".join([said, *(f"{failure.title}: {failure.message}" for failure in failures.exceptions)])
            ) from None
    return statuses


def fuzz(operation: Operation, people: People) -> set[int]:
    reached: set[int] = set()
    for kind in _kinds(operation):
        is_whole = kind is GenerationMode.POSITIVE
        strategy = FUZZED[operation.method, operation.path].as_strategy(generation_mode=kind)

        @seed(7_001 if is_whole else 7_002)
        @settings(
            max_examples=CASES,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(case=strategy, aim=st.sampled_from(["own", "own", "other", "nowhere"]), is_whole=st.just(is_whole))
        def run(case: Any, aim: str, is_whole: bool) -> None:
            checks = _checks(case, operation, is_aimed=aim != "nowhere")
            if aim != "nowhere":
                world = people.world if aim == "own" else people.other
                _aim(case, operation, world, is_whole=is_whole)
            reached.update(call(case, operation, people, checks))

        run()
    return reached


def test_every_operation_is_called() -> None:
    assert {(operation.method, operation.path) for operation in operations()} == set(FUZZED)


@pytest.mark.long
@pytest.mark.parametrize("operation", operations(), ids=str)
def test_answers_are_as_the_document_says(people: People, operation: Operation) -> None:
    reached = fuzz(operation, people)

    assert reached - {401, 403, 404, 405}, f"nobody came past the door of {operation}: {reached}"


PATHS = sorted({operation.path for operation in operations()})
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "FROB")


def test_a_method_that_the_document_does_not_name_is_refused(people: People) -> None:
    """405 with the methods that there are, unless somebody has no business at the address in the first place."""
    wrong = []
    clients = [client_of(user) for user in (None, people.world.owner, people.world.manager)]
    for place, path in enumerate(PATHS):
        named = {operation.method.upper(): operation for operation in operations() if operation.path == path}
        url = people.world.url(next(iter(named.values())))
        expected = {*named, *(["HEAD"] if "GET" in named and path != STREAM else [])}
        unnamed = [method for method in METHODS if method not in named]
        for number, method in enumerate(unnamed if _asked else unnamed[place % 3 :: 3]):
            with undone():
                answer = clients[(number + place) % 3].generic(method, url)
            if method == "HEAD" and "GET" in named and path != STREAM:
                is_right = str(answer.status_code) in named["GET"].spec["responses"] and not answer.content
            elif answer.status_code == 405:
                is_right = set(answer.headers["Allow"].split(", ")) == expected and is_problem(answer)
            else:
                is_right = answer.status_code in (401, 403, 404) and is_problem(answer)
            if not is_right:
                wrong.append((method, path, answer.status_code, answer.headers.get("Allow"), answer.content[:200]))
    assert not wrong, wrong


def is_problem(answer: Any) -> bool:
    return answer.headers["Content-Type"] == "application/problem+json" or answer.request["REQUEST_METHOD"] == "HEAD"


ODD_TYPES = [
    "", "text/plain", "application/xml", "application/json; charset=utf-16", "application/json; charset",
    "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=", "*/*", "json",
    "application/problem+json", "application/json, application/json", "x" * 5_000, "\xff/\xff", ";", "/",
]  # fmt: skip


def test_a_type_that_the_document_does_not_name_is_refused(people: People) -> None:
    wrong = []
    for number, operation in enumerate(item for item in operations() if item.spec.get("requestBody")):
        for kind in ODD_TYPES if _asked else ODD_TYPES[number % 4 :: 4]:
            with undone():
                client, url = (
                    client_of((people.world.owner, people.world.manager)[number % 2]),
                    people.world.url(operation),
                )
                answer = client.generic(operation.method, url, b'{"x": 1}', content_type=kind)
            if answer.status_code not in (400, 401, 403, 404, 409, 413, 415, 422) or not is_problem(answer):
                wrong.append((str(operation), kind[:50], answer.status_code, answer.content[:200]))
    assert not wrong, wrong


# --- That it can fail ---------------------------------------------------------------------------

PETS = next(operation for operation in operations() if str(operation) == "GET /api/v1/pets/")
NEW_PET = next(operation for operation in operations() if str(operation) == "POST /api/v1/pets/")


def _broken(*args: Any, **kwargs: Any) -> Any:
    raise RuntimeError("broken on purpose")


def test_a_view_that_breaks_is_caught(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PetViewSet, "list", _broken)

    with pytest.raises(AssertionError, match="GET /api/v1/pets/ as owner: 500"):
        fuzz(PETS, people)


def test_a_status_that_the_document_does_not_name_is_caught(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PetViewSet, "list", lambda *args, **kwargs: Answer({}, status=418))

    with pytest.raises(AssertionError, match="not in the document: GET /api/v1/pets/ as owner: 418"):
        fuzz(PETS, people)


@pytest.mark.parametrize(
    "changes", [{"password": "x"}, {"name": 1}, {"weight_kg": "heavy"}], ids=["one more", "a number", "a text"]
)
def test_a_field_that_the_document_does_not_name_is_caught(
    people: People, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    honest = PetSerializer.to_representation
    monkeypatch.setattr(PetSerializer, "to_representation", lambda self, pet: {**honest(self, pet), **changes})

    with pytest.raises(AssertionError, match="GET /api/v1/pets/ as owner: 200"):
        fuzz(PETS, people)


def test_another_type_of_answer_is_caught(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PetViewSet, "list", lambda *args, **kwargs: HttpResponse("Pets"))

    with pytest.raises(AssertionError, match="GET /api/v1/pets/ as owner: 200"):
        fuzz(PETS, people)


def test_nonsense_that_is_taken_is_caught(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PetViewSet, "create", lambda *args, **kwargs: Answer(None, status=204))
    monkeypatch.setitem(NEW_PET.spec["responses"], "204", {"description": "Taken"})

    with pytest.raises(AssertionError, match="POST /api/v1/pets/ as owner: 204"):
        fuzz(NEW_PET, people)


def test_what_is_done_is_undone(people: People) -> None:
    before = Pet.objects.count(), Pet.objects.latest("pk").pk

    assert 201 in fuzz(NEW_PET, people)

    assert (Pet.objects.count(), Pet.objects.latest("pk").pk) == before
