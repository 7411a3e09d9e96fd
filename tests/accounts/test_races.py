"""What must hold when twenty come at once, each with a control that shows that the test can fail.

``PETPLACE_RACES=500`` (``make races``) spends 100 refresh tokens and guesses at 50 accounts; without it, a few.
"""

import os
import threading
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.domain import families
from accounts.models import TokenFamily, User
from petplace import limits
from tests.accounts.conftest import PASSWORD
from tests.bursts import burst
from tests.factories import UserFactory

ASKED = int(os.environ.get("PETPLACE_RACES", "0"))
TOKENS, ACCOUNTS = ASKED // 5 or 5, ASKED // 10 or 2

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def _statuses(path: str, bodies: list[dict[str, str]], **headers: str) -> list[int]:
    def call(number: int) -> int:
        client = APIClient()
        extra = {name: value.format(number) for name, value in headers.items()}
        return int(client.post(path, bodies[number], headers=extra).status_code)

    return burst(len(bodies), call)


# --- one refresh token, spent twenty times (A01)


def _spend_twenty_times(user: User) -> list[int]:
    client = APIClient()
    tokens = client.post("/api/v1/auth/login/", {"email": user.email, "password": PASSWORD}).json()
    return _statuses("/api/v1/auth/refresh/", [{"refresh": tokens["refresh"]}] * 20)


def test_refresh_token_works_once_of_twenty() -> None:
    for _ in range(TOKENS):
        user = UserFactory()

        statuses = _spend_twenty_times(user)

        assert sorted(statuses) == [200] + [401] * 19
        family = TokenFamily.objects.get(user=user)
        assert family.revoked_at is not None  # nineteen copies were seen


def test_who_waits_for_a_rotation_is_refused() -> None:
    """Both have found the row with the old id; the second gets to it when the first has changed it."""
    user, refused = UserFactory(), []
    jti, soon = uuid.uuid4(), timezone.now() + timedelta(days=1)
    family = families.start(user, jti=jti, user_agent="test", expires_at=soon)
    claim = families.Claim(family.uid, user.uid, jti, user.token_version)

    def rotate() -> None:
        families.rotate(claim, new_jti=uuid.uuid4(), now=timezone.now(), expires_at=soon)

    def second() -> None:
        try:
            rotate()
        except families.TokenRefusedError:
            refused.append(True)
        finally:
            connection.close()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        rotate()
        thread.start()
        deadline = time.monotonic() + 20
        while not _somebody_waits():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    thread.join(20)

    assert refused == [True]


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_control_rotation_that_reads_and_then_writes_lets_several_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def rotate(claim: families.Claim, *, new_jti: Any, now: Any, expires_at: Any) -> TokenFamily:
        family = TokenFamily.objects.select_related("user").get(uid=claim.family)
        if family.current_jti != claim.jti:
            raise families.TokenRefusedError
        time.sleep(0.2)  # longer than it takes twenty threads to get here on a busy machine
        family.current_jti = new_jti
        family.save()
        return family

    monkeypatch.setattr(families, "rotate", rotate)

    assert _spend_twenty_times(UserFactory()).count(200) > 1


# --- guessing a password (A08)


@pytest.fixture
def _ten_a_minute(settings: Any) -> None:
    rates = {**settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "sign_in": "10/min"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}


def _guess_forty_times() -> list[int]:
    user = UserFactory()
    bodies = [{"email": user.email, "password": f"guess-number-{number}"} for number in range(40)]
    # What a client writes into these headers must not make it forty clients.
    return _statuses("/api/v1/auth/login/", bodies, **{"X-Forwarded-For": "10.0.0.{}", "X_Forwarded_For": "10.1.0.{}"})


@pytest.mark.usefixtures("_ten_a_minute")
@pytest.mark.parametrize("proxies", [0, 1], ids=["one address", "forty addresses"])
def test_ten_guesses_of_forty_reach_the_check(settings: Any, proxies: int) -> None:
    settings.TRUSTED_PROXY_COUNT = proxies

    for _ in range(ACCOUNTS):
        assert sorted(_guess_forty_times()) == [401] * 10 + [429] * 30
        cache.clear()  # an address counts for all accounts together


@pytest.mark.usefixtures("_ten_a_minute")
def test_control_counting_that_reads_and_then_writes_lets_more_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def hit(scope: str, ident: str) -> int | None:
        count = cache.get(ident, 0)
        time.sleep(0.2)  # longer than it takes twenty threads to get here on a busy machine
        cache.set(ident, count + 1)
        return 60 if count >= 10 else None

    monkeypatch.setattr(limits, "hit", hit)

    assert _guess_forty_times().count(401) > 10


def test_one_of_twenty_gets_a_new_address() -> None:
    body = {"email": "new@example.test", "password": "a-better-password-2", "full_name": "New Person"}

    assert sorted(_statuses("/api/v1/auth/register/", [body] * 20)) == [201] + [400] * 19
    assert User.objects.filter(email="new@example.test").count() == 1
