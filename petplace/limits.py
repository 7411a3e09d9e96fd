"""Counting what people may only do so often. One atomic counter per scope and person, in Redis.

While Redis is away, limits that protect people (guesses at passwords, codes and promotions) are counted in the
database, as atomically. Those that only spread the load are then off: care that cannot be booked is worse than a
request too many. The two counts do not know of each other, so an outage may give somebody a second window of tries.
"""

import hashlib
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Limits that spread the load and protect nobody; every other one is kept up by the database.
FOR_LOAD = frozenset({"anon", "user"})

# For ``petplace.models.LimitCount``, in one statement: its row's lock makes forty at once wait for each other, and each
# sees the count before it.
_COUNT = """
INSERT INTO petplace_limitcount AS kept (key, count, ends_at)
VALUES (%(key)s, GREATEST(%(by)s, 0), clock_timestamp() + make_interval(secs => %(period)s))
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN kept.ends_at <= clock_timestamp() THEN EXCLUDED.count ELSE GREATEST(kept.count + %(by)s, 0) END,
    ends_at = CASE WHEN kept.ends_at <= clock_timestamp() THEN EXCLUDED.ends_at ELSE kept.ends_at END
RETURNING count, CEIL(EXTRACT(EPOCH FROM ends_at - clock_timestamp()))::int
"""


def parse_rate(rate: str) -> tuple[int, int]:
    """Return how often and in how many seconds: ``"20/min"`` is ``(20, 60)``."""
    number, period = rate.split("/")
    return int(number), PERIODS[period[0]]


def rate_of(scope: str) -> tuple[int, int]:
    rates = cast(dict[str, str], settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"])
    return parse_rate(rates[scope])


def hit(scope: str, ident: str) -> int | None:
    """Count one more try of ``ident`` in ``scope``. Return None when it is allowed, else the seconds to wait.

    The window starts with the first try. Counting and asking is one step at the server, so forty tries at once are
    forty tries: a limit that reads and then writes lets most of them through.
    """
    limit, period = rate_of(scope)
    counted = _count(scope, ident, period)
    if counted is None:
        return None
    count, wait = counted
    return max(1, wait) if count > limit else None


def forget(scope: str, ident: str) -> None:
    """Take one try back that :func:`hit` has counted, because it was none of those that are limited."""
    _count(scope, ident, rate_of(scope)[1], by=-1)


def _count(scope: str, ident: str, period: int, *, by: int = 1) -> tuple[int, int] | None:
    """Return the count with this one and the seconds until its window ends; None where nobody counts."""
    key = _key(scope, ident)
    counted: tuple[int, int] | None = cache.hit(key, period, by=by)  # type: ignore[attr-defined]
    return _count_in_database(key, period, by) if counted is None and scope not in FOR_LOAD else counted


def _count_in_database(key: str, period: int, by: int) -> tuple[int, int]:
    """Count in a transaction of its own: a refusal that undoes the caller's must not undo the try."""
    own = connection.copy() if connection.in_atomic_block else connection
    try:
        with own.cursor() as cursor:
            cursor.execute(_COUNT, {"key": key, "period": period, "by": by})
            count, seconds = cursor.fetchone()
    finally:
        if own is not connection:
            own.close()
    return count, seconds


def _key(scope: str, ident: str) -> str:
    return f"limit:{scope}:{hashlib.sha256(ident.encode()).hexdigest()[:32]}"


def client_ip(request: Any) -> str:
    """Return the address of the client as the nearest proxy that we trust saw it.

    ``X-Forwarded-For`` is believed for as many entries from the right as there are proxies of ours
    (``TRUSTED_PROXY_COUNT``); what stands left of them was written by the client.
    """
    meta = request.META if isinstance(request, HttpRequest) else request._request.META
    count: int = settings.TRUSTED_PROXY_COUNT
    if count:
        hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        if len(hops) >= count:
            return str(hops[-count])
    return str(meta.get("REMOTE_ADDR") or "unknown")
