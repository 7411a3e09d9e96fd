"""Counting what people may only do so often. One atomic counter per scope and person, in Redis.

Redis away means no limit: care that cannot be booked is worse than a guess too many, and an outage is short.
"""

import hashlib
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


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
    counted: tuple[int, int] | None = cache.hit(_key(scope, ident), period)  # type: ignore[attr-defined]
    if counted is None:
        return None
    count, wait = counted
    return max(1, wait) if count > limit else None


def forget(scope: str, ident: str) -> None:
    """Take one try back that :func:`hit` has counted, because it was none of those that are limited."""
    cache.hit(_key(scope, ident), rate_of(scope)[1], by=-1)  # type: ignore[attr-defined]


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
