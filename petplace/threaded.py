"""Django under ASGI, with each request whole in one of a few threads.

Django's own handler changes between the event loop and a fresh thread for each synchronous middleware and view, and
gives each request a database connection of its own: in a burst half of the time of a process went there. Pages and API
are synchronous throughout, so here a request enters a thread once, as under WSGI; the loop is free for event streams.
"""

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.core.signals import request_started
from django.http import HttpResponseBase
from django.urls import set_script_prefix

from petplace.middleware import RETRY_AFTER, problem

logger = logging.getLogger(__name__)

THREADS = 8
LONGEST_QUEUE = 5.0  # seconds; who waits longer for a thread is told to come again

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    """An ASGI application. ``threads`` requests are worked on at once, each thread with its database connection."""

    def __init__(self, threads: int = THREADS) -> None:
        super().__init__()
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self.free = asyncio.Semaphore(threads)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def handle(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request. A client that leaves meanwhile is noticed when its answer is sent."""
        try:
            body_file = await self.read_body(receive)
        except RequestAborted:
            return
        with contextlib.closing(body_file):
            request, refused = self.create_request(scope, body_file)
            response = await self._answer(request, scope) if request is not None else refused
            assert response is not None
            if response.streaming:
                await self._stream(response, receive, send)
            else:
                await self.send_response(response, send)

    async def _answer(self, request: ASGIRequest, scope: dict[str, Any]) -> HttpResponseBase:
        try:
            await asyncio.wait_for(self.free.acquire(), LONGEST_QUEUE)
        except TimeoutError:
            logger.warning("No thread was free for %s in %s s.", request.path, LONGEST_QUEUE)
            return await asyncio.to_thread(_come_again, request)
        try:
            context = contextvars.copy_context()  # so that nothing that is set for a request stays in its thread
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.executor, context.run, self._work, request, scope)
        finally:
            self.free.release()

    def _work(self, request: ASGIRequest, scope: dict[str, Any]) -> HttpResponseBase:
        """Run middleware and view, and what Django does before and after a request, in this thread."""
        set_script_prefix(get_script_prefix(scope))
        request_started.send(sender=self.__class__, scope=scope)
        response = self.get_response(request)
        setattr(response, "_handler_class", self.__class__)  # noqa: B010 (Django's, not in its types)
        if not response.streaming:
            response.close()  # ends the request for Django: its connection is left in order
        return response

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Send a file piece by piece, until it ends or the client leaves."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await asyncio.get_running_loop().run_in_executor(self.executor, response.close)
        if not sending.cancelled():
            sending.result()


def _come_again(request: ASGIRequest) -> HttpResponseBase:
    answer = problem(
        request,
        status=503,
        code="busy",
        title="Service unavailable",
        detail="The site is busy. Please try again in a moment.",
        template="503.html",
    )
    answer["Retry-After"] = str(RETRY_AFTER)
    return answer
