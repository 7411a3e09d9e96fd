"""What machines ask: is the process alive, can it serve, what does it measure."""

import time
from datetime import datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from redis.backoff import NoBackoff
from redis.retry import Retry

from messaging.domain import health as deliveries

_migrated = False


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers. It asks nothing else, so a lost database does not get the process killed."""
    return JsonResponse({"status": "ok"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether this process can serve: 200, or 503 while the database is away or not migrated.

    Redis is reported and not required: everything but live updates works without it. A worker that stopped or
    deliveries that are late make it ``degraded``, and so does a clock that differs from the database's. That is still
    200, or balancers would take away the pages, too; monitors ask with ``?strict=1`` and get 503 for that.
    """
    report = _database_report(timezone.now())
    is_ready = report["database"] == "ok" and report["migrations"] == "ok"
    is_degraded = is_ready and (report["deliveries"] != "ok" or report["clock"] != "ok")
    status = "not ready" if not is_ready else "degraded" if is_degraded else "ready"
    body = {"status": status, **report, "redis": "ok" if redis_answers() else "away"}
    is_bad = not is_ready or (is_degraded and request.GET.get("strict") == "1")
    response = JsonResponse(body, status=503 if is_bad else 200)
    if is_bad:
        response["Retry-After"] = "2"
    return response


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Give Prometheus its figures. In production only to the bearer of ``METRICS_TOKEN``; others find nothing here."""
    if settings.IS_PRODUCTION:
        token = settings.METRICS_TOKEN
        given = request.headers.get("Authorization", "")
        if not token or not constant_time_compare(given, f"Bearer {token}"):
            raise Http404
    response: HttpResponse = ExportToDjangoView(request)
    return response


UNKNOWN = {
    "oldest_due_delivery_seconds": None,
    "deliveries": "unknown",
    "worker_seen_seconds": None,
    "clock": "unknown",
    "clock_ahead_seconds": None,
}
CLOCK_TOLERANCE = 60  # seconds. Gateways sign webhooks with their time; we refuse what is five minutes away from ours


def _database_report(now: datetime) -> dict[str, Any]:
    try:
        if not is_migrated():
            return {"database": "ok", "migrations": "missing", **UNKNOWN}
        seen = deliveries.report(now=now)
        ahead = clock_ahead()
    except DatabaseError:
        return {"database": "away", "migrations": "unknown", **UNKNOWN}
    return {
        "database": "ok",
        "migrations": "ok",
        "oldest_due_delivery_seconds": round(seen.oldest.total_seconds()),
        "deliveries": "late" if seen.is_late else "ok",
        "worker_seen_seconds": None if seen.worker_seen is None else round(seen.worker_seen.total_seconds()),
        # A worker that was seen in the future has a clock that is ahead of ours; one that is behind is late.
        "clock": "off" if abs(ahead) > CLOCK_TOLERANCE or _is_in_the_future(seen.worker_seen) else "ok",
        "clock_ahead_seconds": round(ahead),
    }


def clock_ahead() -> float:
    """Return by how many seconds this machine's clock is ahead of the database's, the one that all machines share."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return time.time() - float(cursor.fetchone()[0])


def _is_in_the_future(worker_seen: timedelta | None) -> bool:
    return worker_seen is not None and worker_seen.total_seconds() < -CLOCK_TOLERANCE


def is_migrated() -> bool:
    """Tell whether the database has every migration of this code. A yes is remembered: it cannot become a no."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def redis_answers() -> bool:
    """Ask once, half a second at most."""
    client = redis.Redis.from_url(
        str(settings.CACHES["default"]["LOCATION"]),
        socket_timeout=0.25,
        socket_connect_timeout=0.25,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()
