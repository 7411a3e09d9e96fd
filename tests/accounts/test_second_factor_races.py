"""Codes of the second factor sent by many at once, each with a control that shows that the test can fail."""

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.domain import second_factor
from accounts.models import TokenFamily, User
from petplace import limits
from tests.accounts.codes import add_totp, code
from tests.accounts.conftest import PASSWORD
from tests.accounts.test_pages import set_rates
from tests.accounts.test_races import ACCOUNTS
from tests.bursts import burst
from tests.factories import UserFactory

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]


def _send(user: User, otp: str, times: int) -> list[int]:
    body = {"email": user.email, "password": PASSWORD, "otp": otp}
    return burst(times, lambda _: int(APIClient().post("/api/v1/auth/login/", body).status_code))


@pytest.fixture
def _many_tries(settings: Any) -> None:
    set_rates(settings, otp="1000/min", otp_long="1000/h")


@pytest.mark.usefixtures("_many_tries")
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_one_code_lets_one_of_forty_in(kind: str) -> None:
    for _ in range(ACCOUNTS):
        user = UserFactory()
        recovery = add_totp(user)[0]

        assert sorted(_send(user, code() if kind == "app" else recovery, 40)) == [200] + [401] * 39
        assert TokenFamily.objects.filter(user=user).count() == 1


def _unlocked(user: User) -> list[Authenticator]:
    rows = list(Authenticator.objects.filter(user_id=user.pk, type="totp"))
    time.sleep(0.2)  # longer than it takes twenty threads to get here on a busy machine
    return rows


@pytest.mark.control
@pytest.mark.usefixtures("_many_tries")
def test_control_without_the_lock_one_code_lets_several_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_factor, "_locked", _unlocked)
    user = UserFactory()
    add_totp(user)

    assert _send(user, code(), 20).count(200) > 1


def test_five_of_forty_guesses_reach_the_check() -> None:
    for _ in range(ACCOUNTS):
        user = UserFactory()
        add_totp(user)

        assert sorted(_send(user, "000000", 40)) == [401] * 5 + [429] * 35


@pytest.mark.control
def test_control_counting_that_reads_and_then_writes_lets_more_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def hit(scope: str, ident: str) -> int | None:
        count = cache.get(f"{scope}:{ident}", 0)
        time.sleep(0.2)  # longer than it takes forty threads to get here on a busy machine
        cache.set(f"{scope}:{ident}", count + 1)
        return 60 if count >= limits.rate_of(scope)[0] else None

    monkeypatch.setattr(limits, "hit", hit)
    user = UserFactory()
    add_totp(user)

    assert _send(user, "000000", 40).count(401) > 5
