"""A circuit breaker for each gateway, shared by all processes through the cache.

After ``THRESHOLD`` failures within ``WINDOW`` seconds with no success between them, calls are refused at once for
``COOLING`` seconds; silence, which holds a process of ours up, counts double. Then one call is let through as a probe:
its success closes the breaker, its failure starts the pause again. With Redis away every breaker counts as closed:
calls then cost their timeout, and nothing is lost.
"""

import time
from dataclasses import dataclass
from typing import cast

from django.core.cache import cache

from petplace.cache import FailSafeRedisCache

THRESHOLD = 5
WINDOW = 30  # seconds
COOLING = 20  # seconds until a probe
PROBE = 40  # seconds after which a probe that was never heard of again is given up
FORGET = 600  # seconds after which an open breaker that nobody probes is closed


@dataclass(frozen=True)
class Pass:
    """The leave to make one call, to be given back with what came of it."""

    name: str
    is_probe: bool


def is_open(name: str) -> bool:
    """Tell whether paying is paused: from the failure that opened the breaker to the first success."""
    return cache.get(_key(name, "open")) is not None


def is_probe_due(name: str) -> bool:
    """Tell whether the next call would be the probe."""
    retry_at = cache.get(_key(name, "open"))
    return retry_at is not None and time.time() >= retry_at


def ask(name: str) -> Pass | None:
    """Return the leave to call, or None while the breaker is open."""
    retry_at = cache.get(_key(name, "open"))
    if retry_at is None:
        return Pass(name, is_probe=False)
    if time.time() < retry_at or not cache.add(_key(name, "probe"), 1, timeout=PROBE):
        return None
    return Pass(name, is_probe=True)


def worked(leave: Pass) -> None:
    """Note an answer, also one that says no: the service is there."""
    keys = ("failures", "open", "probe") if leave.is_probe else ("failures",)
    cache.delete_many([_key(leave.name, key) for key in keys])


def failed(leave: Pass, *, is_slow: bool = False) -> bool:
    """Note that no answer came; return whether this opened the breaker. ``is_slow`` is one that took its whole time."""
    if not leave.is_probe:
        shared = cast(FailSafeRedisCache, cache)
        counts = [shared.hit(_key(leave.name, "failures"), WINDOW) for _ in range(2 if is_slow else 1)]
        if not any(counted is not None and counted[0] >= THRESHOLD for counted in counts):
            return False
    cache.set(_key(leave.name, "open"), time.time() + COOLING, timeout=FORGET)
    cache.delete_many([_key(leave.name, "failures"), _key(leave.name, "probe")])
    return True


def close(name: str) -> None:
    """Forget every failure."""
    cache.delete_many([_key(name, key) for key in ("failures", "open", "probe")])


def _key(name: str, what: str) -> str:
    return f"gateway:{name}:{what}"
