"""The same POST sent twice does its work once."""

import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from petplace.api import idempotency
from petplace.models import IdempotencyKey
from pets.models import Pet
from tests.bursts import burst
from tests.factories import UserFactory
from tests.petplace import toy

pytestmark = [pytest.mark.urls("tests.petplace.toy"), pytest.mark.django_db]


def _client(user: User) -> APIClient:
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(user)
    return client


def _post(client: APIClient, key: str | None, name: str = "Rex", **more: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/api/v1/work/", {"name": name, **more}, headers=headers)


@pytest.fixture
def user(db: None) -> User:
    return UserFactory()


@pytest.fixture
def client(user: User) -> APIClient:
    return _client(user)


def test_repeat_gets_the_same_answer_byte_for_byte(client: APIClient) -> None:
    first, second = _post(client, "k1"), _post(client, "k1")

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Pet.objects.count() == 1


def test_other_key_no_key_or_another_person_is_other_work(client: APIClient, user: User) -> None:
    answers = [_post(client, "k1"), _post(client, "k2"), _post(client, None), _post(_client(UserFactory()), "k1")]

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.content for answer in answers}) == 4
    assert Pet.objects.filter(owner=user).count() == 3


def test_other_body_is_422_and_the_order_of_members_is_no_other_body(client: APIClient) -> None:
    first = client.post(
        "/api/v1/work/", '{"name": "Rex", "note": 1}', content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    same = client.post(
        "/api/v1/work/", '{"note":1,"name":"Rex"}', content_type="application/json", headers={"Idempotency-Key": "k"}
    )
    other = _post(client, "k", name="Other")

    assert same.content == first.content
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert Pet.objects.count() == 1


@pytest.mark.parametrize(("name", "code"), [("refused", "not_now"), ("soft", "soft")])
def test_refusal_is_kept_and_what_it_wrote_is_undone(client: APIClient, name: str, code: str) -> None:
    first, second = _post(client, "k", name=name), _post(client, "k", name=name)

    assert (first.status_code, first.json()["code"]) == (409, code)
    assert first.content == second.content
    assert first.headers["Content-Type"] == second.headers["Content-Type"]
    assert not Pet.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a b", "ä", "x" * 256, "a\tb"])
def test_key_that_is_none_is_400(client: APIClient, key: str) -> None:
    answer = _post(client, key)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]
    assert not Pet.objects.exists()


def test_key_older_than_a_day_is_a_new_key(client: APIClient) -> None:
    _post(client, "k")
    IdempotencyKey.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR)

    answer = _post(client, "k", name="Other")

    assert answer.status_code == 201
    assert sorted(Pet.objects.values_list("name", flat=True)) == ["Other", "Rex"]


@pytest.mark.django_db(transaction=True)
def test_failure_is_not_kept_and_undone(client: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = _post(client, "k", name="bug")
    assert (failed.status_code, Pet.objects.count()) == (500, 0)
    assert IdempotencyKey.objects.get().response_status is None

    def works(self: Any, request: Any) -> Any:
        return toy.Response({"ok": True}, status=201)

    monkeypatch.setattr(toy.Work, "post", idempotency.idempotent(works))

    assert _post(client, "k", name="bug").status_code == 201


@pytest.fixture
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the work take long enough that all repeats come while the first still runs."""

    def post(self: Any, request: Any) -> Any:
        time.sleep(0.3)
        pet = Pet.objects.create(owner=request.user, name=request.data["name"], species="dog")
        return toy.Response({"id": str(pet.uid)}, status=201)

    monkeypatch.setattr(toy.Work, "post", idempotency.idempotent(post))


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_one_of_twenty_four_works_and_the_others_are_told_that_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    user = UserFactory()
    others = threading.Semaphore(0)

    def post(self: Any, request: Any) -> Any:
        for _ in range(23):  # the work ends when everybody else has an answer
            assert others.acquire(timeout=10)
        return toy.Response({"id": str(Pet.objects.create(owner=request.user, name="Rex", species="dog").uid)}, 201)

    def call(number: int) -> Any:
        answer = _post(_client(user), "k")
        others.release()
        return answer

    monkeypatch.setattr(toy.Work, "post", idempotency.idempotent(post))

    answers = burst(24, call)

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 23
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"idempotency_in_progress"}
    assert {answer.headers.get("Retry-After") for answer in answers} == {"1", None}
    assert Pet.objects.count() == 1
    assert _post(_client(user), "k").content == next(a.content for a in answers if a.status_code == 201)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_twenty_four_at_once_do_the_work_once_and_answer_alike() -> None:
    user = UserFactory()
    for round_ in range(5):
        answers = burst(24, lambda number, key=f"k{round_}": _post(_client(user), key))

        assert {answer.status_code for answer in answers} <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Pet.objects.count() == 5


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_slow")
def test_control_keys_looked_up_and_then_stored_do_the_work_often(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: dict[str, IdempotencyKey] = {}

    def lock(user_id: int, route: str, key: str) -> IdempotencyKey:
        found = IdempotencyKey(user_id=user_id, route=route, key=key, created_at=timezone.now())
        known = rows.get(key)
        found.body_hash = known.body_hash if known else hashes[key]
        found.response_status = known.response_status if known else None
        monkeypatch.setattr(found, "save", lambda: rows.__setitem__(key, found))
        return found

    hashes: dict[str, str] = {}
    monkeypatch.setattr(idempotency, "claim", lambda user_id, route, key, body_hash: hashes.update({key: body_hash}))
    monkeypatch.setattr(idempotency, "lock", lock)
    user = UserFactory()

    burst(24, lambda number: _post(_client(user), "k"))

    assert Pet.objects.count() > 1


@pytest.mark.django_db(transaction=True)
def test_line_cut_after_the_claim_leaves_nothing_to_wait_for() -> None:
    user = UserFactory()
    body = idempotency._hash({"name": "Rex"})
    idempotency.claim(user.pk, "POST /api/v1/work/", "k", body)  # and then the process died
    connection.close()

    assert _post(_client(user), "k").status_code == 201
    assert Pet.objects.count() == 1
