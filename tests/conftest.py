"""Fixtures for every test: no network, an empty cache, cheap passwords, mail in memory."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the machine most comes last, when both workers have only that left."""
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("browser", "fault", "race")))


@pytest.fixture(autouse=True)
def _cheap_and_quiet(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    settings.WHITENOISE_USE_FINDERS = False  # each test client would index every static file; none asks for one


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
