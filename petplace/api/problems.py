"""Errors of the API as ``application/problem+json`` (RFC 9457), made in one place."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from petplace.errors import DomainError

CONTENT_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Unprocessable",
    429: "Too many requests",
    503: "Service unavailable",
}
CODES = {
    400: "invalid",
    401: "not_authenticated",
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
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
        set_rollback()
        extra = dict(exc.extra)
        if exc.fields or exc.status == 400:
            extra["errors"] = exc.fields or {"non_field_errors": [exc.message]}
        return response(exc.status, exc.code, exc.message, **extra)
    if isinstance(exc, Http404):
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
    code = CODES.get(exc.status_code, exc.default_code)
    if exc.status_code == status.HTTP_401_UNAUTHORIZED and not isinstance(exc, exceptions.NotAuthenticated):
        code = str(getattr(exc.detail, "code", None) or exc.default_code)
    detail = exc.detail.get("detail", exc.default_detail) if isinstance(exc.detail, dict) else exc.detail
    extra = {"errors": {"non_field_errors": [str(detail)]}} if exc.status_code == 400 else {}
    answer = response(exc.status_code, code, str(detail), **extra)
    if auth_header := getattr(exc, "auth_header", None):
        answer["WWW-Authenticate"] = auth_header
    if wait := getattr(exc, "wait", None):
        answer["Retry-After"] = str(max(1, int(wait)))
    return answer
