"""Who is counted, and what happens when nobody counts."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import RequestFactory
from rest_framework.test import APIClient

from petplace import limits
from petplace.cache import FailSafeClient


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


def test_nobody_is_limited_while_the_server_is_away(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _rates(settings, sign_in="1/min")

    def away(self: FailSafeClient, *args: Any, **kwargs: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(FailSafeClient, "get_client", away)
    answers = [limits.hit("sign_in", "a") for _ in range(5)]
    cache._cache.circuit.worked()  # type: ignore[attr-defined]

    assert answers == [None] * 5


@pytest.mark.django_db
@pytest.mark.urls("tests.petplace.toy")
def test_throttled_answer_says_when_to_come_back(settings: Any) -> None:
    _rates(settings, anon="2/min")
    client = APIClient()

    answers = [client.get("/api/v1/echo/") for _ in range(3)]

    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert (answers[2].status_code, answers[2].json()["code"]) == (429, "throttled")
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 60
