"""Who is counted, and what happens when nobody counts."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from petplace import limits
from petplace.cache import FailSafeClient
from petplace.models import LimitCount
from tests.bursts import burst


def _rates(settings: Any, **rates: str) -> None:
    all_rates = {**settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], **rates}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": all_rates}


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "198.51.100.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "198.51.100.1"),
        (1, "", "198.51.100.1"),
        (1, " , ", "198.51.100.1"),
    ],
)
def test_client_is_what_the_nearest_trusted_proxy_saw(
    settings: Any, proxies: int, forwarded: str, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="198.51.100.1")

    assert limits.client_ip(request) == expected


def test_client_of_a_unix_socket_has_a_name() -> None:
    assert limits.client_ip(RequestFactory().get("/", REMOTE_ADDR="")) == "unknown"


def test_hits_are_counted_per_scope_and_person(settings: Any) -> None:
    _rates(settings, sign_in="2/min", anon="1/hour")

    answers = [limits.hit("sign_in", "a"), limits.hit("sign_in", "a"), limits.hit("sign_in", "a")]

    assert answers == [None, None, 60]
    assert limits.hit("sign_in", "b") is None
    assert limits.hit("anon", "a") is None
    assert limits.hit("anon", "a") == 3600


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redis refuses every connection."""

    def refuse(self: FailSafeClient, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(FailSafeClient, "get_client", refuse)
    yield
    cache._cache.circuit.worked()  # type: ignore[attr-defined]


def test_load_is_not_limited_while_the_server_is_away(settings: Any, away: None) -> None:
    _rates(settings, anon="1/min", user="1/min")

    assert [limits.hit(scope, "a") for scope in ("anon", "user") for _ in range(3)] == [None] * 6


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", ["sign_in", "promo", "promo_address"])
def test_the_database_counts_while_the_server_is_away(settings: Any, away: None, scope: str) -> None:
    _rates(settings, **{scope: "2/min"})

    answers = [limits.hit(scope, ident) for ident in ("a", "a", "b", "a", "a")]
    limits.forget(scope, "b")

    assert answers[:3] == [None] * 3
    assert all(wait is not None and 58 <= wait <= 60 for wait in answers[3:])
    assert sorted(LimitCount.objects.values_list("count", flat=True)) == [0, 4]


@pytest.mark.django_db(transaction=True)
def test_a_window_ends_and_is_forgotten(settings: Any, away: None) -> None:
    _rates(settings, sign_in="1/min")
    assert [limits.hit("sign_in", "a") is None for _ in range(2)] == [True, False]
    LimitCount.objects.update(ends_at=timezone.now() - timedelta(seconds=1))

    assert limits.hit("sign_in", "a") is None
    assert LimitCount.delete_old(now=timezone.now()) == 0
    assert LimitCount.delete_old(now=timezone.now() + timedelta(minutes=2)) == 1


@pytest.mark.django_db(transaction=True)
def test_a_try_counts_although_its_request_is_undone(settings: Any, away: None) -> None:
    _rates(settings, sign_in="1/min")
    for _ in range(2):
        with transaction.atomic():
            limits.hit("sign_in", "a")
            transaction.set_rollback(True)

    assert limits.hit("sign_in", "a") is not None
    assert LimitCount.objects.get().count == 3


@pytest.mark.django_db(transaction=True)
def test_a_burst_gets_no_more_than_the_limit_while_the_server_is_away(settings: Any, away: None) -> None:
    _rates(settings, sign_in="10/min")

    answers = burst(40, lambda number: limits.hit("sign_in", "a"))

    assert sum(wait is None for wait in answers) == 10
    assert LimitCount.objects.get().count == 40


@pytest.mark.control
@pytest.mark.django_db(transaction=True)
def test_control_a_count_that_is_read_and_then_written_lets_more_through() -> None:
    """The same burst against a counter of two steps, which shows that the one above can fail."""
    LimitCount.objects.create(key="a", count=0, ends_at=timezone.now() + timedelta(minutes=1))

    def naive(number: int) -> bool:
        count = LimitCount.objects.get(key="a").count
        time.sleep(0.01)
        LimitCount.objects.filter(key="a").update(count=count + 1)
        return count < 10

    assert sum(burst(40, naive)) > 10


@pytest.mark.django_db(transaction=True)
def test_guessing_is_stopped_at_the_door_while_the_server_is_away(settings: Any, away: None) -> None:
    _rates(settings, sign_in="3/min")
    client = APIClient()
    data = {"email": "a@example.test", "password": "wrong"}

    answers = [client.post("/api/v1/auth/login/", data) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0


@pytest.mark.django_db
@pytest.mark.urls("tests.petplace.toy")
def test_throttled_answer_says_when_to_come_back(settings: Any) -> None:
    _rates(settings, anon="2/min")
    client = APIClient()

    answers = [client.get("/api/v1/echo/") for _ in range(3)]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert (answers[2].status_code, answers[2].json()["code"]) == (429, "throttled")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
