"""A cache that costs little when its server is away."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

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

    def _try(self, work: Callable[[], Answer], otherwise: Answer) -> Answer:
        if self.circuit.is_open():
            return otherwise
        try:
            answer = work()
        except (RedisError, OSError) as error:
            self.circuit.failed(error)
            return otherwise
        self.circuit.worked()
        return answer

    def add(self, key: str, value: Any, timeout: int | None) -> bool:
        return self._try(lambda: super(FailSafeClient, self).add(key, value, timeout), True)

    def get(self, key: str, default: Any) -> Any:
        return self._try(lambda: super(FailSafeClient, self).get(key, default), default)

    def set(self, key: str, value: Any, timeout: int | None) -> None:
        self._try(lambda: super(FailSafeClient, self).set(key, value, timeout), None)

    def touch(self, key: str, timeout: int | None) -> bool:
        return self._try(lambda: super(FailSafeClient, self).touch(key, timeout), False)

    def delete(self, key: str) -> bool:
        return self._try(lambda: super(FailSafeClient, self).delete(key), False)

    def get_many(self, keys: Iterable[str]) -> dict[str, Any]:
        return self._try(lambda: super(FailSafeClient, self).get_many(keys), {})

    def has_key(self, key: str) -> bool:
        return self._try(lambda: super(FailSafeClient, self).has_key(key), False)

    def incr(self, key: str, delta: int) -> int:
        return self._try(lambda: super(FailSafeClient, self).incr(key, delta), delta)

    def set_many(self, data: Mapping[str, Any], timeout: int | None) -> None:
        self._try(lambda: super(FailSafeClient, self).set_many(data, timeout), None)

    def delete_many(self, keys: Iterable[str]) -> None:
        self._try(lambda: super(FailSafeClient, self).delete_many(keys), None)

    def clear(self) -> bool:
        return self._try(lambda: super(FailSafeClient, self).clear(), False)

    def hit(self, key: str, period: int) -> tuple[int, int] | None:
        def count() -> tuple[int, int]:
            # SET NX opens the window with its end, INCR counts in it: one round trip, one step for the server.
            with self.get_client(key, write=True).pipeline(transaction=True) as pipe:
                pipe.set(key, 0, ex=period, nx=True).incr(key).ttl(key)
                _, number, seconds = pipe.execute()
            return int(number), int(seconds)

        return self._try(count, None)


class FailSafeRedisCache(RedisCache):
    """Redis as Django's cache, where a lost or silent server is an empty cache, never an error or a long wait.

    A read finds nothing, a write does nothing, ``add`` answers as if the key were new, ``incr`` counts from nothing.
    One operation waits half a second at most (connecting and answering a quarter each), and after a failure the
    operations of the next two seconds do not try. Nothing that must be right may live here alone.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = FailSafeClient

    def hit(self, key: str, period: int) -> tuple[int, int] | None:
        """Count ``key`` within ``period`` seconds from its first hit, atomically.

        Returns the count with this one and the seconds until the window ends; None when the server is away.
        """
        client: FailSafeClient = self._cache
        return client.hit(self.make_and_validate_key(key), period)
