"""What machines ask."""

import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from messaging.models import Channel, Delivery, Notification
from petplace import health
from petplace.models import Heartbeat


def test_healthz_answers_without_the_database(client: Client) -> None:
    response = client.get("/healthz")  # no database mark: a query would fail the test

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.fixture
def worker(db: None, time_machine) -> None:
    """A worker that was seen at this moment, at which the clock stands still."""
    time_machine.move_to(timezone.now(), tick=False)
    Heartbeat.beat("worker", now=timezone.now())


@pytest.mark.usefixtures("worker")
def test_readyz_reports_every_part(client: Client) -> None:
    response = client.get("/readyz?strict=1")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "database": "ok",
        "migrations": "ok",
        "oldest_due_delivery_seconds": 0,
        "deliveries": "ok",
        "worker_seen_seconds": 0,
        "clock": "ok",
        "clock_ahead_seconds": 0,
        "redis": "ok",
    }


def statuses(client: Client) -> tuple[int, int, str, str]:
    """Return the two answers, for balancers and for monitors, and what they say."""
    plain, strict = client.get("/readyz"), client.get("/readyz?strict=1")
    assert plain.json()["status"] == strict.json()["status"]
    assert ("Retry-After" in strict) is (strict.status_code == 503)
    return plain.status_code, strict.status_code, plain.json()["status"], plain.json()["deliveries"]


@pytest.mark.django_db
@pytest.mark.parametrize("seen", [None, timedelta(seconds=61), timedelta(seconds=50)])
def test_a_stopped_worker_is_red_for_monitors_and_takes_no_page_away(client: Client, seen: timedelta | None) -> None:
    if seen is not None:
        Heartbeat.beat("worker", now=timezone.now() - seen)

    is_well = seen == timedelta(seconds=50)
    assert statuses(client) == (200, 200, "ready", "ok") if is_well else (200, 503, "degraded", "late")
    assert client.get("/readyz").json()["worker_seen_seconds"] in (
        [None] if seen is None else range(int(seen.total_seconds()), int(seen.total_seconds()) + 3)
    )


def owe(user: object, ago: timedelta, **fields: object) -> Delivery:
    due_at = timezone.now() - ago
    notification = Notification.objects.create(user=user, kind="test", key=str(ago), title="A title", due_at=due_at)
    return Delivery.objects.create(notification=notification, **{"channel": Channel.EMAIL, "due_at": due_at, **fields})


@pytest.mark.django_db
@pytest.mark.parametrize(("ours", "workers"), [(360, 360), (-360, -360), (0, 360), (0, 0)])
def test_a_clock_that_is_off_is_red_for_monitors(
    client: Client, monkeypatch: pytest.MonkeyPatch, ours: int, workers: int
) -> None:
    """Compared with the database's clock, and the worker's with ours. One that is behind is a late worker."""
    monkeypatch.setattr(health, "time", SimpleNamespace(time=lambda: time.time() + ours))
    Heartbeat.beat("worker", now=timezone.now() + timedelta(seconds=workers - ours))

    is_well = ours == workers == 0
    assert statuses(client)[:3] == ((200, 200, "ready") if is_well else (200, 503, "degraded"))
    told = client.get("/readyz").json()
    assert (told["clock"] == "ok", round(told["clock_ahead_seconds"], -1)) == (is_well, ours)


@pytest.mark.usefixtures("worker")
def test_what_waits_for_more_than_five_minutes_is_late(client: Client, django_user_model: type) -> None:
    user = django_user_model.objects.create_user(email="someone@demo.petplace.test", password="x")

    owe(user, timedelta(minutes=4))
    assert statuses(client) == (200, 200, "ready", "ok")
    owe(user, timedelta(minutes=6))
    assert statuses(client) == (200, 503, "degraded", "late")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("channel", "is_late"), [(Channel.EMAIL, True), (Channel.SMS, True), (Channel.PUSH, False)])
def test_a_server_that_is_away_is_late_although_its_rows_wait_for_their_next_try(
    client: Client, django_user_model: type, channel: str, is_late: bool
) -> None:
    user = django_user_model.objects.create_user(email="someone@demo.petplace.test", password="x")
    owe(user, timedelta(minutes=-1), channel=channel, outages=3)

    assert statuses(client)[3] == ("late" if is_late else "ok")


@pytest.mark.django_db
def test_staff_see_the_same_on_the_administrations_first_page(admin_client: Client) -> None:
    red = admin_client.get("/admin/").content.decode()
    Heartbeat.beat("worker", now=timezone.now())
    green = admin_client.get("/admin/").content.decode()

    assert "Notifications are late" in red
    assert "The worker has never been seen." in red
    assert "Notifications are on time" in green


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
