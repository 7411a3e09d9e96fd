"""Fixtures for every test: no network, an empty cache, cheap passwords, mail in memory."""

import gc
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import override_settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the machine most comes last, when both workers have only that left.

    Long are kills and hangs, the walks over whole families of pages, and a journey's second time, in the dark.
    """
    for item in items:
        theme = getattr(item, "callspec", None) and item.callspec.params.get("theme")
        is_second_look = item.get_closest_marker("browser") and (theme == "dark" or "accessible_and_fit" in item.name)
        if item.get_closest_marker("fault") or is_second_look:
            item.add_marker(pytest.mark.long)
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("browser", "fault", "race")))


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: walking them for garbage now and then took a tenth of a run."""
    from petplace.warming import freeze  # needs Django set up

    freeze()
    gc.set_threshold(700, 10, 100)


@pytest.fixture(autouse=True, scope="session")
def _cheap_and_quiet() -> Iterator[None]:
    """For the whole session: the worlds that a module makes once come before the fixtures of its tests."""
    with override_settings(
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend",
        WHITENOISE_USE_FINDERS=False,  # each test client would index every static file; none asks for one
    ):
        yield


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Throttles and idempotency helpers count in the cache: each test starts from nothing."""
    cache.clear()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """The Redis-compatible server of this test run."""
    return django_settings.REDIS_URL


class NetworkAccessError(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Refuse every connection that is not a Unix socket or loopback."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guard(sock: socket.socket, address: Any) -> None:
        if sock.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise NetworkAccessError(f"tests do not use the network: {address}")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        guard(self, address)
        return connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        guard(self, address)
        return connect_ex(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded_connect)
    patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    yield
    patch.undo()
