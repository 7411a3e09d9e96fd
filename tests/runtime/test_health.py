"""What machines ask."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from messaging.models import Channel, Delivery, Notification
from petplace import health


def test_healthz_answers_without_the_database(client: Client) -> None:
    response = client.get("/healthz")  # no database mark: a query would fail the test

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_readyz_reports_every_part(client: Client) -> None:
    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "database": "ok",
        "migrations": "ok",
        "oldest_due_delivery_seconds": 0,
        "redis": "ok",
    }


@pytest.mark.django_db
def test_readyz_tells_how_long_the_oldest_delivery_waits(client: Client, django_user_model: type) -> None:
    now = timezone.now()
    user = django_user_model.objects.create_user(email="someone@demo.petplace.test", password="x")
    for minutes in (1, 10, -5):
        due_at = now - timedelta(minutes=minutes)
        notification = Notification.objects.create(
            user=user, kind="test", key=str(minutes), title="A title", due_at=due_at
        )
        Delivery.objects.create(notification=notification, channel=Channel.EMAIL, due_at=due_at)

    assert client.get("/readyz").json()["oldest_due_delivery_seconds"] in range(600, 605)


@pytest.mark.django_db
def test_readyz_is_not_ready_before_the_migrations(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'reviews'")

    response = client.get("/readyz")

    assert (response.status_code, response["Retry-After"]) == (503, "2")
    assert (response.json()["database"], response.json()["migrations"]) == ("ok", "missing")


@pytest.mark.django_db
def test_readyz_does_not_need_redis(client: Client, settings, tmp_path: Path) -> None:
    caches = {"default": {**settings.CACHES["default"], "LOCATION": f"unix://{tmp_path / 'nothing.sock'}"}}
    settings.CACHES = caches

    response = client.get("/readyz")

    assert (response.status_code, response.json()["redis"]) == (200, "away")


def test_metrics_are_open_outside_production(client: Client) -> None:
    response = client.get("/metrics")

    assert response.status_code == 200
    assert b"django_http_requests_before_middlewares_total" in response.content


@pytest.mark.parametrize(
    ("token", "header", "status"),
    [
        ("right", "Bearer right", 200),
        ("right", "Bearer wrong", 404),
        ("right", "", 404),
        ("", "Bearer ", 404),
        ("", "", 404),
    ],
)
def test_metrics_in_production_need_the_token(client: Client, settings, token: str, header: str, status: int) -> None:
    settings.IS_PRODUCTION = True
    settings.METRICS_TOKEN = token

    assert client.get("/metrics", headers={"Authorization": header}).status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_only_read(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
