"""The cache, with a server that works, refuses, hangs and comes back."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from petplace import cache as cache_module
from petplace.cache import FailSafeRedisCache
from petplace.embedded import paths


@pytest.fixture
def live(redis_url: str) -> FailSafeRedisCache:
    return FailSafeRedisCache(paths.derive_redis_urls(redis_url).cache, {"KEY_PREFIX": "test-cache"})


class Listener:
    """A server that accepts and never answers, counting who came."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen(50)
        self.guests: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self.guests.append(self.socket.accept()[0])
            except OSError:
                return

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(5)
        for guest in self.guests:
            guest.close()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[tuple[FailSafeRedisCache, Listener]]:
    path = tmp_path / "silent.sock"
    listener = Listener(path)
    yield FailSafeRedisCache(f"unix://{path}", {}), listener
    listener.close()


@pytest.fixture
def refusing(tmp_path: Path) -> FailSafeRedisCache:
    return FailSafeRedisCache(f"unix://{tmp_path / 'nothing.sock'}", {})


def test_live_server_serves_every_operation(live: FailSafeRedisCache) -> None:
    live.set("a", {"b": 1})
    live.set_many({"n": 1, "m": 2}, timeout=60)
    live.set("gone", 1)
    live.delete("gone")
    live.delete_many(["m"])

    answers = (
        live.get("a"), live.get("missing", "x"), live.add("a", 2), live.incr("n", 5), live.has_key("a"),
        live.touch("a", 10), live.get_many(["a", "n", "m"]), live.get("gone"),
    )  # fmt: skip

    assert answers == ({"b": 1}, "x", False, 6, True, True, {"a": {"b": 1}, "n": 6}, None)


def test_incr_of_a_missing_key_is_still_a_value_error(live: FailSafeRedisCache) -> None:
    with pytest.raises(ValueError, match="not found"):
        live.incr("never-set")


def everything(cache: FailSafeRedisCache) -> tuple[object, ...]:
    return (
        cache.get("a", "default"), cache.set("a", 1), cache.add("a", 1), cache.incr("a", 3), cache.has_key("a"),
        cache.touch("a"), cache.delete("a"), cache.get_many(["a"]), cache.set_many({"a": 1}), cache.delete_many(["a"]),
        cache.clear(),
    )  # fmt: skip


EMPTY = ("default", None, True, 3, False, False, False, {}, [], None, False)


def test_refusing_server_is_an_empty_cache(refusing: FailSafeRedisCache) -> None:
    assert everything(refusing) == EMPTY


def test_hanging_server_is_an_empty_cache_asked_once(silent: tuple[FailSafeRedisCache, Listener]) -> None:
    cache, listener = silent
    started = time.monotonic()

    assert everything(cache) == EMPTY

    assert len(listener.guests) == 1  # eleven operations, one attempt
    assert time.monotonic() - started < 2.5  # the bound of a hang, not a measure of speed


def test_outage_is_logged_once_and_its_end_too(
    tmp_path: Path, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "moved.sock"
    cache = FailSafeRedisCache(f"unix://{path}", {})
    cache._cache.circuit.pause = 0.0
    with caplog.at_level(logging.WARNING, "petplace.cache"):
        for _ in range(3):
            cache.get("a")
        path.symlink_to(paths.derive_redis_urls(redis_url).cache.removeprefix("unix://").split("?")[0])
        cache.set("a", 7)
        found = cache.get("a")

    assert found == 7
    assert [record.message.split(",")[0] for record in caplog.records] == ["The cache is away", "The cache is back"]


def test_circuit_lets_a_try_through_after_its_pause() -> None:
    circuit = cache_module.Circuit(pause=0.05)
    circuit.failed(OSError("gone"))
    was_open = circuit.is_open()
    time.sleep(0.06)

    assert (was_open, circuit.is_open()) == (True, False)


def test_all_cache_objects_of_a_process_share_one_pool(live: FailSafeRedisCache, redis_url: str) -> None:
    other = FailSafeRedisCache(paths.derive_redis_urls(redis_url).cache, {})

    assert live._cache._get_connection_pool(True) is other._cache._get_connection_pool(False)
