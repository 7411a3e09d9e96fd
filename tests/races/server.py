"""The site as two server processes on the test's database, and a client that lets go of all requests at once."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.db import connection

from petplace.embedded.paths import BASE_DIR
from tests.races.burst import Tally

PROCESSES = 2


@dataclass(frozen=True)
class Request:
    """A POST to be sent by somebody."""

    path: str
    token: str
    body: dict[str, Any]

    def encode(self) -> bytes:
        body = json.dumps(self.body).encode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


@contextlib.contextmanager
def running(host: str | None) -> Iterator[list[int]]:
    """Run the processes with the database at ``host`` (None: where the tests have it); yield their ports."""
    folder = host or connection.settings_dict["OPTIONS"]["host"]
    name = connection.settings_dict["NAME"]
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgresql://postgres@/{name}?host={quote(folder, safe='')}",
        "DJANGO_SETTINGS_MODULE": "petplace.settings",
    }
    ports = [_free_port() for _ in range(PROCESSES)]
    command = [sys.executable, "-m", "uvicorn", "petplace.asgi:application", "--log-level", "error", "--port"]
    children = [subprocess.Popen([*command, str(port)], cwd=BASE_DIR, env=environment) for port in ports]
    try:
        for port in ports:
            _wait_for(port)
        yield ports
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(20)


def burst(ports: Sequence[int], requests: Sequence[Request]) -> Tally:
    """Connect and send all but the last byte of each request; then send the last bytes together."""
    sockets = []
    for index, request in enumerate(requests):
        one = socket.create_connection(("127.0.0.1", ports[index % len(ports)]), 30)
        one.sendall(request.encode()[:-1])
        sockets.append(one)
    time.sleep(0.05)  # until the servers have read what there is
    began = time.monotonic()
    for one, request in zip(sockets, requests, strict=True):
        one.sendall(request.encode()[-1:])
    with ThreadPoolExecutor(len(sockets)) as readers:
        answers = list(readers.map(lambda one: _read(one, began), sockets))
    return Tally([one[0] for one in answers], [one[1] for one in answers], [one[2] for one in answers])


def _read(one: socket.socket, began: float) -> tuple[str, float, Any]:
    received = b""
    with one:
        while chunk := one.recv(1 << 16):
            received += chunk
    seconds = time.monotonic() - began
    head, _, raw = received.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status >= 500:
        return f"HTTP {status}", seconds, raw
    body = json.loads(raw)
    return ("won" if status in (200, 201) else body["code"]), seconds, body


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as probe:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            if b" 200 " in probe.recv(4096):
                return
        time.sleep(0.2)
    raise RuntimeError("The server did not start.")
