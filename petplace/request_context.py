"""Which request the code at hand works for: its id and where it came from, for log lines and the audit."""

import ipaddress
import logging
import re
import uuid
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest

from petplace import limits

HEADER = "X-Request-ID"
# What a proxy or a client may call a request: enough for all usual kinds of ids, nothing that could forge a log line.
USABLE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


@dataclass(frozen=True)
class RequestContext:
    """``request_id`` is empty and ``ip`` None outside of requests and jobs."""

    request_id: str = ""
    ip: str | None = None


NONE = RequestContext()
_current: ContextVar[RequestContext] = ContextVar("request_context", default=NONE)


def current() -> RequestContext:
    return _current.get()


def enter(context: RequestContext) -> Token[RequestContext]:
    return _current.set(context)


def leave(token: Token[RequestContext]) -> None:
    _current.reset(token)


def of_request(request: HttpRequest) -> RequestContext:
    """Take over the id that the request came with when it is usable, else make one."""
    asked = request.headers.get(HEADER, "")
    request_id = asked if USABLE_ID.fullmatch(asked) else uuid.uuid4().hex
    return RequestContext(request_id, _address(limits.client_ip(request)))


def of_job(job_id: str) -> RequestContext:
    """Return the context of a Celery task."""
    return RequestContext(f"job-{job_id}"[:64])


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


class RequestIdFilter(logging.Filter):
    """Give every log record ``request_id``: ``-`` outside of requests and jobs.

    Django logs some answers after the middleware is left; those records carry the request itself.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        own: Any = getattr(getattr(record, "request", None), "context", None)
        record.request_id = (own if isinstance(own, RequestContext) else current()).request_id or "-"
        return True
