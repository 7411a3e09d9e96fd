"""Errors of the API as ``application/problem+json`` (RFC 9457), made in one place."""

import logging
from typing import Any

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, HttpResponse
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from petplace.errors import DomainError

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    503: "Service unavailable",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
CONFLICT_STATES = {"23505", "23P01", "23503", "23001"}  # unique, exclusion, foreign key, restrict
CHECK_VIOLATION = "23514"
CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    429: "throttled",
}


def body(status_code: int, code: str, detail: str, **extra: Any) -> dict[str, Any]:
    """Return the members of a problem document."""
    return {
        "type": "about:blank",
        "title": TITLES.get(status_code, "Error"),
        "status": status_code,
        "detail": detail,
        "code": code,
        **extra,
    }


def plain_response(status_code: int, code: str, detail: str) -> HttpResponse:
    """Return a problem outside REST framework's views."""
    return HttpResponse(orjson.dumps(body(status_code, code, detail)), status=status_code, content_type=CONTENT_TYPE)


def response(status_code: int, code: str, detail: str, **extra: Any) -> Response:
    return Response(body(status_code, code, detail, **extra), status=status_code, content_type=CONTENT_TYPE)


def _flatten(detail: Any, prefix: str = "") -> dict[str, list[str]]:
    """Turn DRF's nested detail into ``{"field.sub": ["message"]}``."""
    if isinstance(detail, dict):
        flat: dict[str, list[str]] = {}
        for name, value in detail.items():
            flat |= _flatten(value, f"{prefix}.{name}" if prefix else str(name))
        return flat
    if isinstance(detail, list):
        if all(not isinstance(item, dict | list) for item in detail):
            return {prefix or "non_field_errors": [str(item) for item in detail]}
        flat = {}
        for index, item in enumerate(detail):
            if item:
                flat |= _flatten(item, f"{prefix}.{index}" if prefix else str(index))
        return flat
    return {prefix or "non_field_errors": [str(detail)]}


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Answer any expected error; None lets an unexpected one (a bug, a lost database) go up."""
    if isinstance(exc, DomainError):
        return _domain_error(exc)
    if isinstance(exc, DataError | IntegrityError):
        return _database_refusal(exc, context)
    if isinstance(exc, RequestDataTooBig):
        return response(413, "too_large", "The request is too large.")
    if isinstance(exc, SuspiciousOperation):
        exc = exceptions.ParseError("The request cannot be read.")
    elif isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied(*exc.args)
    elif isinstance(exc, DjangoValidationError):
        exc = exceptions.ValidationError(exc.message_dict if hasattr(exc, "error_dict") else exc.messages)
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    if isinstance(exc, exceptions.ValidationError):
        errors = _flatten(exc.detail)
        return response(status.HTTP_400_BAD_REQUEST, "invalid", "Please correct the marked fields.", errors=errors)
    return _api_error(exc)


def _domain_error(error: DomainError) -> Response:
    set_rollback()
    extra = dict(error.extra)
    if error.fields or error.status == 400:
        extra["errors"] = error.fields or {"non_field_errors": [error.message]}
    answer = response(error.status, error.code, error.message, **extra)
    if error.status == status.HTTP_401_UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="api"'
    if error.status == status.HTTP_429_TOO_MANY_REQUESTS:
        answer["Retry-After"] = str(error.extra.get("retry_after", 1))
    return answer


def _api_error(error: exceptions.APIException) -> Response:
    code = CODES.get(error.status_code, error.default_code)
    if error.status_code == status.HTTP_401_UNAUTHORIZED and not isinstance(error, exceptions.NotAuthenticated):
        code = str(getattr(error.detail, "code", None) or error.default_code)
    detail = error.detail.get("detail", error.default_detail) if isinstance(error.detail, dict) else error.detail
    extra = {"errors": {"non_field_errors": [str(detail)]}} if error.status_code == 400 else {}
    answer = response(error.status_code, code, str(detail), **extra)
    if auth_header := getattr(error, "auth_header", None):
        answer["WWW-Authenticate"] = auth_header
    if isinstance(error, exceptions.Throttled):
        answer["Retry-After"] = str(max(1, int(getattr(error, "wait", None) or 1)))
    return answer


def _database_refusal(error: DataError | IntegrityError, context: dict[str, Any]) -> Response | None:
    """Answer what the database refused although every check before it let it pass.

    Two people at once (unique and exclusion constraints, a row that is gone or still needed) is a conflict. A value
    that does not fit or a broken check constraint is a check that we forgot: the client gets a 400, we get a log line.
    """
    state = getattr(error.__cause__, "sqlstate", "") or ""
    if isinstance(error, ProtectedError | RestrictedError) or state in CONFLICT_STATES:
        set_rollback()
        return response(409, "conflict", "Somebody or something else was faster. Please look again and retry.")
    if state.startswith("22") or state == CHECK_VIOLATION:
        logger.error("The database refused what our checks let pass, in %s: %s", context.get("view"), error)
        set_rollback()
        message = "A value is outside of what can be stored."
        return response(400, "invalid", message, errors={"non_field_errors": [message]})
    return None
