"""The site with its streams on a real port of this process, and a client that reads them."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts.api import tokens
from accounts.models import User
from messaging.live.hub import Hub
from messaging.live.stream import WithStreams
from messaging.models import LiveEvent
from petplace.threaded import ThreadedHandler


@dataclass(frozen=True)
class Event:
    id: str
    kind: str
    data: Any


class Reader:
    """One open stream."""

    def __init__(self, port: int, path: str = "/events/", **headers: str) -> None:
        self.socket = socket.socket()
        self._received = self._text = b""
        self.is_over = False
        try:
            self._ask(port, path, headers)
        except BaseException:
            self.socket.close()
            raise

    def _ask(self, port: int, path: str, headers: dict[str, str]) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        self.socket.sendall("\r\n".join([*lines, "", ""]).encode())
        head = self._until(b"\r\n\r\n", 10).decode("latin-1").split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _receive(self, deadline: float) -> None:
        self.socket.settimeout(max(0.001, deadline - time.monotonic()))
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise EOFError
        self._received += chunk

    def _until(self, mark: bytes, seconds: float) -> bytes:
        deadline = time.monotonic() + seconds
        while mark not in self._received:
            self._receive(deadline)
        found, _, self._received = self._received.partition(mark)
        return found

    def _chunk(self, deadline: float) -> bytes:
        """Return the next part of the body (chunked transfer)."""
        while b"\r\n" not in self._received:
            self._receive(deadline)
        size, _, rest = self._received.partition(b"\r\n")
        while len(rest) < int(size, 16) + 2:
            self._receive(deadline)
            size, _, rest = self._received.partition(b"\r\n")
        self._received = rest[int(size, 16) + 2 :]
        if int(size, 16) == 0:
            raise EOFError
        return rest[: int(size, 16)]

    def next(self, within: float = 10) -> Event | None:
        """Return the next event; None at the end of the stream."""
        deadline = time.monotonic() + within
        while True:
            while b"\n\n" in self._text:
                block, _, self._text = self._text.partition(b"\n\n")
                fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
                if "event" in fields:
                    return Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
            try:
                self._text += self._chunk(deadline)
            except (EOFError, ConnectionError):
                self.is_over = True
                return None

    def take(self, number: int, within: float = 10) -> list[Event]:
        """Return the next ``number`` events that tell of something."""
        taken: list[Event] = []
        deadline = time.monotonic() + within
        while len(taken) < number:
            event = self.next(max(0.001, deadline - time.monotonic()))
            if event is None:
                break
            if event.kind not in ("hello", "place"):
                taken.append(event)
        return taken

    def place(self) -> str:
        """Read on until the stream has said where it is."""
        while (event := self.next()) is not None:
            if event.kind in ("place", "reset"):
                return event.id
        raise AssertionError("The stream has ended.")

    def is_silent(self, for_seconds: float = 0.15) -> bool:
        """Tell whether nothing comes for a while."""
        try:
            return self.take(1, for_seconds) == []
        except TimeoutError:
            return True

    def ends_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        with contextlib.suppress(TimeoutError):
            while self.next(max(0.001, deadline - time.monotonic())) is not None:
                pass
        return self.is_over


@dataclass(frozen=True)
class Streams:
    """The running site."""

    port: int
    hub: Hub

    def open(self, user: Any = None, path: str = "/events/", *, client: Client | None = None, **headers: str) -> Reader:
        if user is not None:
            client = sign_in(user)
        if client is not None:
            headers["Cookie"] = f"sessionid={client.cookies[settings.SESSION_COOKIE_NAME].value}"
        return Reader(self.port, path, **headers)

    def open_by_token(self, token: str, path: str = "/api/v1/events/", **headers: str) -> Reader:
        return Reader(self.port, path, Authorization=f"Bearer {token}", **headers)


def sign_in(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def token_of(user: Any, now: Any) -> str:
    return tokens.start(user, user_agent="test", now=now).access


@contextlib.contextmanager
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    # Nothing would close the connections of the threads at the end.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    monkeypatch.setattr("messaging.live.hub.IDLE", 0.0)
    application = WithStreams(ThreadedHandler(4))
    server = uvicorn.Server(
        uvicorn.Config(application, port=0, lifespan="off", log_level="error", timeout_graceful_shutdown=1, ws="none")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    listening = server.servers[0].sockets[0]
    # Systems differ in how much they keep for a reader that does not read; accepted connections inherit this.
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    port = listening.getsockname()[1]
    try:
        yield Streams(port, application.hub)
    finally:
        loop = server.servers[0].get_loop()
        asyncio.run_coroutine_threadsafe(_end(application.hub), loop).result(5)
        server.should_exit = True
        thread.join(10)
        application.django.executor.shutdown()  # type: ignore[attr-defined]


@contextlib.contextmanager
def committed(blocker: Any) -> Iterator[None]:
    """Let a test commit, and take its people away again: sooner done than emptying the whole database."""
    with blocker.unblock():
        yield
        for model in (LiveEvent, Session, User):
            model.objects.all().delete()
        connection.close()


async def _end(hub: Hub) -> None:
    hub.end_all()
