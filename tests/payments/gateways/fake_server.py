"""The ground of the fake payment services: real HTTP on loopback, threads, and faults on demand.

Faults: ``500`` and ``429`` (answered before anything is done), ``drop`` (the line is cut before), ``drop_after`` (the
work is done, then the line is cut: the caller cannot know), ``silence`` (accepted, never answered), ``stored_500``
(a failure that the service remembers under the request's key).
"""

import contextlib
import json
import random
import socket
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # lower-case names
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Raised by an endpoint: an error answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(str(answer))


class FakeServer:
    """Subclasses answer in :meth:`execute`, one request at a time, under ``self.lock``."""

    def __init__(self, seed: int = 0) -> None:
        self.lock = threading.RLock()
        self.chance = random.Random(seed)
        self.planned: deque[tuple[str, str]] = deque()  # (fault, part of the path)
        self.rates: dict[str, float] = {}
        self.seen: list[Request] = []
        self.felt: Counter[str] = Counter()
        self.let_go = threading.Event()
        self.server: ThreadingHTTPServer | None = None

    # --- faults ---------------------------------------------------------------------------------

    def fail_next(self, fault: str, *, path: str = "", times: int = 1) -> None:
        """Let the next ``times`` requests to a path with ``path`` in it fail like that."""
        with self.lock:
            self.planned.extend([(fault, path)] * times)

    def be(self, **rates: float) -> None:
        """Let requests fail at these rates from now on: ``be(silence=1)``, ``be(e500=0.05)``; ``be()`` is well."""
        with self.lock:
            self.rates = {name.removeprefix("e"): rate for name, rate in rates.items()}
            self.planned.clear()
        if not rates.get("silence"):
            self.let_go.set()
            self.let_go = threading.Event()

    def _fault(self, path: str) -> str:
        with self.lock:
            for planned in self.planned:
                if planned[1] in path:
                    self.planned.remove(planned)
                    self.felt[planned[0]] += 1
                    return planned[0]
            for name, rate in self.rates.items():
                if self.chance.random() < rate:
                    self.felt[name] += 1
                    return name
        return ""

    # --- answering ------------------------------------------------------------------------------

    def execute(self, request: Request) -> Answer:
        raise NotImplementedError

    def unavailable(self, status: int) -> Answer:
        return Answer(status, {"error": {"type": "api_error", "message": "Something went wrong."}})

    def stored_failure(self, request: Request) -> Answer:
        return self.unavailable(500)

    def answer(self, request: Request) -> Answer | None:
        """Return what to send, or None to cut the line."""
        with self.lock:
            self.seen.append(request)
        fault = self._fault(request.path)
        if fault in ("500", "429"):
            return self.unavailable(int(fault))
        if fault == "stored_500":
            return self.stored_failure(request)
        if fault == "silence":
            self.let_go.wait(SILENCE_SECONDS)
            return None
        if fault == "drop":
            return None
        answer = self.execute(request)
        return None if fault == "drop_after" else answer

    # --- running --------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator["FakeServer"]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(ConnectionError, socket.timeout):
                    super().handle_one_request()

            def _handle(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                request = Request(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query, keep_blank_values=True)),
                    {name.lower(): value for name, value in self.headers.items()},
                    self.rfile.read(length),
                )
                answer = fake.answer(request)
                if answer is None:
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = b"" if answer.body is None else json.dumps(answer.body).encode()
                lines = [f"HTTP/1.1 {answer.status} Answer", f"Content-Length: {len(content)}"]
                lines += [f"{name}: {value}" for name, value in answer.headers.items()]
                lines.append("Content-Type: application/json")
                # In one piece: two writes would wait for each other on a loopback line.
                self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

            do_GET = do_POST = do_PATCH = do_DELETE = _handle  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self.server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.be()
            self.server.shutdown()
            self.server.server_close()
            thread.join(5)
