"""Answers that stay open. Django decides who may read and with which headers; then it is done with the request.

A streaming answer of Django's would keep a thread, and under this site's settings a share of the connection pool, for
as long as it is open. So a view only hands its viewer over, through an object in the ASGI scope; this small
application keeps the headers of the view's answer (security, CORS) and writes the stream without Django.
"""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from messaging.domain.live import Position
from messaging.live.hub import Hub, Stream, Viewer

Scope = dict[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PATHS = ("/events/", "/api/v1/events/")
KEY = "petplace.live"
PING_EVERY = 15.0
WRITE_WITHIN = 10.0  # a reader whose line is full for longer is too slow
LINGER = 60.0  # how long such a one may take to hear that it is over
OPENED_AT_ONCE = 3  # when all come back at once, pages go on: each opening needs a thread and a connection
RETRY_MS = (1000, 4000)  # they come back spread over this time
RETRY_AFTER = 60
PING = b": ping\n\n"


class HandOver:
    """Where a view leaves the viewer of a stream that may be opened."""

    def __init__(self) -> None:
        self.viewer: Viewer | None = None


def is_possible(request: HttpRequest) -> bool:
    """Tell whether this server can keep an answer open. Under WSGI none can."""
    return KEY in getattr(request, "scope", {})


def hand_over(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Return the answer whose headers the stream of ``viewer`` gets."""
    request.scope[KEY].viewer = viewer  # type: ignore[attr-defined]
    answer = HttpResponse(content_type="text/event-stream")
    answer["X-Accel-Buffering"] = "no"  # nginx in front must not collect it
    answer["Cache-Control"] = "no-store"
    return answer


def no_streams() -> HttpResponse:
    """Say that there are no streams here, and that one may ask again."""
    answer = JsonResponse(
        {
            "type": "about:blank", "title": "Service unavailable", "status": 503, "code": "service_unavailable",
            "detail": "There are no streams at this address now. Ask from time to time instead.",
        },
        status=503, content_type="application/problem+json",
    )  # fmt: skip
    answer["Retry-After"] = str(RETRY_AFTER)
    answer._has_been_logged = True  # type: ignore[attr-defined] # by Django, as an error, which it is not
    answer["Cache-Control"] = "no-store"
    return answer


def place_of(request: HttpRequest) -> dict[str, Any]:
    """Read from where on: the header that browsers send when they come back, or ``?after=``, or ``?since=``."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    if text:
        after = Position.parse(text)
        return {"after": after, "is_lost": after is None}
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return {"since": datetime.fromtimestamp(int(request.GET.get("since", "")), UTC)}
    return {}


def fingerprint(password: str) -> str:
    """Return what tells whether a stored password hash is still the same, without keeping it."""
    return hashlib.sha256(password.encode()).hexdigest()


class WithStreams:
    """An ASGI application that opens streams where ``django`` allows it and passes everything else on."""

    def __init__(self, django: Application, *, only_streams: bool = False) -> None:
        self.django = django
        self.hub = Hub()
        self.only_streams = only_streams
        self._doors = asyncio.Semaphore(OPENED_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_request = scope["type"] == "http"
        if is_request and scope["method"] in ("GET", "OPTIONS") and scope["path"] in PATHS:
            await self._open(scope, receive, send)
        elif is_request and self.only_streams and scope["path"] not in ("/healthz", "/readyz"):
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.django(scope, receive, send)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._doors:
            allowed = await self._ask_django(scope, receive, send)
        if allowed is not None:
            await self._serve(*allowed, receive, send)

    async def _ask_django(self, scope: Scope, receive: Receive, send: Send) -> tuple[Stream, list[Any]] | None:
        """Return the stream that a view handed over and the headers of its answer; any other answer is passed on."""
        place = HandOver()
        headers: list[Any] = []

        async def keep(message: Message) -> None:
            if place.viewer is None:
                await send(message)
            elif message["type"] == "http.response.start":
                headers.extend(one for one in message["headers"] if one[0].lower() != b"content-length")

        await self.django({**scope, KEY: place}, receive, keep)
        return None if place.viewer is None else (Stream(place.viewer), headers)

    async def _serve(self, stream: Stream, headers: list[Any], receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        retry = f"retry: {random.randint(*RETRY_MS)}\n\n"  # noqa: S311 (spreads them, guards nothing)
        await send({"type": "http.response.body", "body": retry.encode(), "more_body": True})
        self.hub.join(stream)
        gone = asyncio.create_task(_watch(receive, stream))
        try:
            with contextlib.suppress(TimeoutError):
                while (chunk := await _next(stream)) is not None:
                    async with asyncio.timeout(WRITE_WITHIN):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
            self.hub.leave(stream)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER):
                    await send({"type": "http.response.body", "body": b""})
        finally:
            self.hub.leave(stream)
            gone.cancel()


async def _next(stream: Stream) -> bytes | None:
    """Wait for what is to be written, all of it at once; a ping when there is nothing for long."""
    try:
        async with asyncio.timeout(PING_EVERY):
            chunk = await stream.queue.get()
    except TimeoutError:
        return PING
    chunks = []
    while chunk is not None:
        chunks.append(chunk)
        if stream.queue.empty():
            break
        chunk = stream.queue.get_nowait()
    else:
        # The end: first what stands before it, then, asked again, the end itself.
        if not chunks:
            return None
        stream.queue.put_nowait(None)
    return b"".join(chunks)


async def _watch(receive: Receive, stream: Stream) -> None:
    """End the stream when its reader goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()
