"""At the gate: each request gets its id, what no part of the site can read is refused, a database away is said so."""

import errno
import logging
import sys
from collections.abc import Awaitable, Callable
from contextvars import Token
from typing import Any
from urllib.parse import unquote_to_bytes

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template import TemplateDoesNotExist
from django.template.loader import render_to_string

from petplace import request_context

logger = logging.getLogger(__name__)

RETRY_AFTER = 2  # seconds; an embedded or a managed PostgreSQL is back within a few

# https://www.postgresql.org/docs/current/errcodes-appendix.html
RETRYABLE_STATES = {
    "25P03",  # idle in transaction for too long: this process got no time to work
    "40001",  # serialization failure
    "40P01",  # deadlock detected
    "53100",  # disk full
    "53200",  # out of memory
    "53300",  # too many connections
    "55P03",  # lock not available: lock_timeout
    "57014",  # query canceled: statement_timeout
    "57P01",  # admin shutdown
    "57P02",  # crash shutdown
    "57P03",  # cannot connect now: starting up or shutting down
    "57P05",  # idle session timeout
}

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class GuardMiddleware:
    """Common ground of the guards: works under WSGI and ASGI alike."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        early = self.before(request)
        return early if early is not None else self.get_response(request)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        early = self.before(request)
        return early if early is not None else await self.get_response(request)

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        return None


class RequestIdMiddleware(GuardMiddleware):
    """Give each request an id (or keep the one that a proxy gave it), for log lines and the audit, and answer it back.

    The first of all, so that what the others log has it, too.
    """

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        token = self._enter(request)
        try:
            return self._named(request, self.get_response(request))
        finally:
            request_context.leave(token)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        token = self._enter(request)
        try:
            return self._named(request, await self.get_response(request))
        finally:
            request_context.leave(token)

    @staticmethod
    def _enter(request: HttpRequest) -> Token[request_context.RequestContext]:
        context = request_context.of_request(request)
        request.context = context  # type: ignore[attr-defined]
        return request_context.enter(context)

    @staticmethod
    def _named(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response[request_context.HEADER] = request.context.request_id  # type: ignore[attr-defined]
        return response


class PrivacyHeadersMiddleware(GuardMiddleware):
    """Say what the page may ask the browser for, and that no cache keeps what was made for somebody.

    A page for who is signed in, or that signs somebody in or out, says ``no-store`` unless it says otherwise itself:
    neither a proxy nor the back button of a shared device shows it again.
    """

    def __init__(self, get_response: Any) -> None:
        super().__init__(get_response)
        self.policy = ", ".join(f"{name}={who}" for name, who in settings.PERMISSIONS_POLICY.items())

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        return self._marked(request, self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        return self._marked(request, await self.get_response(request))

    def _marked(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Permissions-Policy", self.policy)
        name = settings.SESSION_COOKIE_NAME
        if name in request.COOKIES or name in response.cookies:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response


class RefuseBadBytesMiddleware(GuardMiddleware):
    """Answer 400 to a path or query with NUL or with bytes that are not UTF-8.

    PostgreSQL stores neither, so each such request would otherwise be an error somewhere deeper. Surrogates written
    as UTF-8 are not valid UTF-8 and are refused with the rest. Bodies are checked by their parsers and forms.
    """

    def before(self, request: HttpRequest) -> HttpResponseBase | None:
        if _is_clean(request.path) and _is_clean_query(request.META.get("QUERY_STRING", "")):
            return None
        return problem(
            request,
            status=400,
            code="bad_request",
            title="Bad request",
            detail="The address contains characters that are not text.",
            template="400.html",
        )


def _is_clean(text: str) -> bool:
    # Django decodes a path's broken bytes to U+FFFD-free percent escapes or surrogates, depending on the server.
    return "\0" not in text and not any(0xD800 <= ord(char) <= 0xDFFF for char in text)


def _is_clean_query(query: str) -> bool:
    try:
        raw = query.encode("latin-1")
    except UnicodeEncodeError:
        raw = query.encode("utf-8", "surrogatepass")
    try:
        return b"\0" not in unquote_to_bytes(raw) and _is_clean(unquote_to_bytes(raw).decode())
    except UnicodeDecodeError:
        return False


class DatabaseAwayMiddleware(GuardMiddleware):
    """Answer 503 with ``Retry-After`` when the database is away, overloaded or gave this request up, or a disk is full.

    Other database errors are faults of ours and stay errors. The broken connection is closed, so that the next
    request of this worker makes a new one instead of failing once more. Django calls ``process_exception`` for what
    views raise; an error inside another middleware reaches ``server_error`` below.
    """

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return unavailable_answer(request, error) if is_passing(error) else None


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Be the URLconf's ``handler400``: what Django itself refuses, such as a host that is not ours."""
    return problem(
        request,
        status=400,
        code="bad_request",
        title="Bad request",
        detail="The request has something in it that we do not read.",
        template="400.html",
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Be the URLconf's ``handler500``: 503 when the cause is one that passes, else a plain apology."""
    error = sys.exc_info()[1]
    if error is not None and is_passing(error):
        return unavailable_answer(request, error)
    return problem(
        request,
        status=500,
        code="internal_error",
        title="Internal server error",
        detail="Something went wrong on our side. It has been recorded; please try again later.",
        template="500.html",
    )


def unavailable_answer(request: HttpRequest, error: BaseException) -> HttpResponse:
    logger.warning(
        "Database away or disk full, answered 503 to %s %s: %s", request.method, request.path, _first_line(error)
    )
    close_broken_connections()
    answer = problem(
        request,
        status=503,
        code="service_unavailable",
        title="Service unavailable",
        detail="The service cannot be reached for a moment. Please try again shortly.",
        template="503.html",
    )
    answer["Retry-After"] = str(RETRY_AFTER)
    return answer


def is_passing(error: BaseException) -> bool:
    """Tell whether the database is away, or there is no room for a file."""
    return is_database_away(error) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT))


def is_database_away(error: BaseException) -> bool:
    """Tell whether a database error means "not now": lost, refused or overloaded, or given up to let others go on."""
    if not isinstance(error, OperationalError | InterfaceError | InternalError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is not None:
        return state in RETRYABLE_STATES or state.startswith("08")
    # No word from the server itself: not reachable, or the connection broke off. An InterfaceError may also be a
    # misuse of the driver.
    return isinstance(error, OperationalError) or (isinstance(error, InterfaceError) and "closed" in str(error))


def close_broken_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.in_atomic_block:
            connection.close()


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def problem(request: HttpRequest, *, status: int, code: str, title: str, detail: str, template: str) -> HttpResponse:
    """Answer problem+json under the API, else a page that needs no database, no session and no user."""
    if request.path.startswith("/api/"):
        body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code}
        response: HttpResponse = JsonResponse(body, status=status, content_type="application/problem+json")
    else:
        response = HttpResponse(_page(template, title, detail), status=status)
    response["Cache-Control"] = "no-store"
    return response


def _page(template: str, title: str, detail: str) -> str:
    try:
        return render_to_string(template, {"title": title, "detail": detail})
    except TemplateDoesNotExist:
        return f"<!doctype html><html lang=en><title>{title}</title><h1>{title}</h1><p>{detail}</p></html>"
