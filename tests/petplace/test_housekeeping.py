"""Nightly housekeeping."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from accounts.models import TokenFamily
from bookings.models import Quote
from petplace import tasks
from petplace.models import IdempotencyKey
from tests.factories import NOW, UserFactory, make_booking, make_quote, make_service

pytestmark = pytest.mark.django_db


def test_what_has_had_its_day_goes_and_the_rest_stays(time_machine: Any) -> None:
    now = NOW + timedelta(days=3)
    time_machine.move_to(now, tick=False)
    user = UserFactory()
    ages = {"old": timedelta(hours=25), "young": timedelta(hours=23)}
    for name, age in ages.items():
        key = IdempotencyKey.objects.create(user=user, route="r", key=name, body_hash="h")
        IdempotencyKey.objects.filter(pk=key.pk).update(created_at=now - age)
        TokenFamily.objects.create(
            user=user, user_agent=name, current_jti="00000000-0000-4000-8000-000000000000",
            expires_at=now - age + timedelta(hours=24),
        )  # fmt: skip
    service = make_service()
    booked = make_booking(service).quote
    stale = make_quote(service, starts_at=NOW + timedelta(days=9))
    fresh = make_quote(service, starts_at=NOW + timedelta(days=9), now=now)

    tasks.housekeeping()
    tasks.housekeeping()

    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["young"]
    assert list(TokenFamily.objects.values_list("user_agent", flat=True)) == ["young"]
    assert set(Quote.objects.all()) == {booked, fresh}
    assert stale not in Quote.objects.all()


def test_sessions_that_ended_are_forgotten() -> None:
    browsers = [Client(), Client()]
    for browser in browsers:
        browser.force_login(UserFactory())
        browser.get("/account/settings/")
    first = UserSession.objects.earliest("pk")
    Session.objects.filter(session_key=first.session_key).update(expire_date=timezone.now() - timedelta(days=1))

    tasks.housekeeping()

    assert (Session.objects.count(), UserSession.objects.count()) == (1, 1)
    assert not UserSession.objects.filter(pk=first.pk).exists()


def test_one_chore_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    done = []

    def fails(*, now: Any) -> int:
        raise DatabaseError

    monkeypatch.setattr(tasks, "CHORES", {"bad": fails, "good": lambda *, now: done.append(now) or 0})

    tasks.housekeeping()

    assert len(done) == 1
    assert "bad could not be removed" in caplog.text
