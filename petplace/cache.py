"""A cache that costs little when its server is away."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, cast

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

# After a failure nobody in this process waits for the server again for so long (seconds).
PAUSE = 2.0


class Circuit:
    """Remember that the server is away, and say so once."""

    def __init__(self, pause: float = PAUSE) -> None:
        self.pause = pause
        self._lock = threading.Lock()
        self._is_away = False
        self._retry_at = 0.0

    def is_open(self) -> bool:
        return time.monotonic() < self._retry_at

    def failed(self, error: Exception) -> None:
        with self._lock:
            is_first = not self._is_away
            self._is_away = True
            self._retry_at = time.monotonic() + self.pause
        if is_first:
            logger.warning("The cache is away, going on without it: %s", error)

    def worked(self) -> None:
        if self._is_away:
            with self._lock:
                self._is_away = False
                self._retry_at = 0.0
            logger.warning("The cache is back")


# One circuit and one pool for each server in a process: Django makes a cache object for every thread, and under ASGI
# for every request, none of which should connect or find out about an outage for itself.
_circuits: dict[str, Circuit] = {}
_pools: dict[str, ConnectionPool] = {}
_pools_lock = threading.Lock()


class FailSafeClient(RedisCacheClient):
    """Connect and ask once: the library's own retries would multiply the time that a request waits."""

    # Private names of Django's client, which its type stubs leave out.
    _servers: list[str]
    _pool_options: dict[str, Any]
    _get_connection_pool_index: Callable[[bool], int]

    def __init__(self, servers: list[str], **options: Any) -> None:
        options.setdefault("socket_timeout", 0.25)
        options.setdefault("socket_connect_timeout", 0.25)
        super().__init__(servers, **options, retry=Retry(NoBackoff(), 0), retry_on_timeout=False)
        self.circuit = _circuits.setdefault("|".join(servers), Circuit())

    def _get_connection_pool(self, write: bool) -> ConnectionPool:
        server = self._servers[self._get_connection_pool_index(write)]
        with _pools_lock:
            if server not in _pools:
                _pools[server] = ConnectionPool.from_url(server, **self._pool_options)
            return _pools[server]

    def _try(self, work: Callable[..., Any], *arguments: Any, otherwise: Any) -> Any:
        if self.circuit.is_open():
            return otherwise
        try:
            answer = work(*arguments)
        except (RedisError, OSError) as error:
            self.circuit.failed(error)
            return otherwise
        self.circuit.worked()
        return answer

    def add(self, key: Any, value: Any, timeout: Any) -> Any:
        return self._try(super().add, key, value, timeout, otherwise=True)

    def get(self, key: Any, default: Any) -> Any:
        return self._try(super().get, key, default, otherwise=default)

    def set(self, key: Any, value: Any, timeout: Any) -> Any:
        return self._try(super().set, key, value, timeout, otherwise=None)

    def touch(self, key: Any, timeout: Any) -> Any:
        return self._try(super().touch, key, timeout, otherwise=False)

    def delete(self, key: Any) -> Any:
        return self._try(super().delete, key, otherwise=False)

    def get_many(self, keys: Any) -> Any:
        return self._try(super().get_many, keys, otherwise={})

    def has_key(self, key: Any) -> Any:
        return self._try(super().has_key, key, otherwise=False)

    def incr(self, key: Any, delta: Any) -> Any:
        return self._try(super().incr, key, delta, otherwise=delta)

    def set_many(self, data: Any, timeout: Any) -> Any:
        return self._try(super().set_many, data, timeout, otherwise=None)

    def delete_many(self, keys: Any) -> Any:
        return self._try(super().delete_many, keys, otherwise=None)

    def clear(self) -> Any:
        return self._try(super().clear, otherwise=False)

    def hit(self, key: str, period: int, by: int) -> tuple[int, int] | None:
        def count() -> tuple[int, int]:
            # SET NX opens the window with its end, INCR counts in it: one round trip, one step for the server.
            with self.get_client(key, write=True).pipeline(transaction=True) as pipe:
                pipe.set(key, 0, ex=period, nx=True)
                pipe.incrby(key, by)
                pipe.ttl(key)
                _, number, seconds = pipe.execute()
            return int(number), int(seconds)

        counted: tuple[int, int] | None = self._try(count, otherwise=None)
        return counted


class FailSafeRedisCache(RedisCache):
    """Redis as Django's cache, where a lost or silent server is an empty cache, never an error or a long wait.

    A read finds nothing, a write does nothing, ``add`` answers as if the key were new, ``incr`` counts from nothing.
    One operation waits half a second at most (connecting and answering a quarter each), and after a failure the
    operations of the next two seconds do not try. Nothing that must be right may live here alone.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = FailSafeClient

    def hit(self, key: str, period: int, by: int = 1) -> tuple[int, int] | None:
        """Count ``key`` within ``period`` seconds from its first hit, atomically; ``by`` -1 takes one back.

        Returns the count with this one and the seconds until the window ends; None when the server is away.
        """
        client = cast(FailSafeClient, self._cache)
        return client.hit(self.make_and_validate_key(key), period, by)
