"""How the API describes itself: every operation with its errors, every field with its exact shape."""

from types import SimpleNamespace
from typing import Any

from django.contrib.auth.models import AnonymousUser
from drf_spectacular import openapi
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.plumbing import append_meta, build_bearer_security_scheme_object
from drf_spectacular.types import OpenApiTypes

from petplace.api import idempotency
from petplace.api.problems import CONTENT_TYPE, TITLES

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457). Branch on `code`; some codes add members of their own.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable, snake_case."},
        "errors": {
            "type": "object",
            "description": "On 400: the messages by field.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}
ERRORS = (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
ETAG = {
    "ETag": {
        "description": "Send it as `If-None-Match` to get 304 while nothing changed.",
        "schema": {"type": "string"},
    }
}
IDEMPOTENCY_KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "required": False,
    "description": "The same key and body within 24 hours give the same answer, and the work is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x21-\x7e]+$"},
}


# A file that was checked when it came in: see petplace.uploads.
FILE_ANSWER = {
    (200, content_type): OpenApiTypes.BINARY
    for content_type in ("image/jpeg", "image/png", "image/webp", "application/pdf")
}


def _problem(status: int) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "description": TITLES.get(status, "Error"),
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status in (429, 503):
        answer["headers"] = RETRY_AFTER
    return answer


class AutoSchema(openapi.AutoSchema):
    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        responses = operation["responses"]
        for status in ERRORS:
            responses.setdefault(str(status), _problem(status))
        responses.setdefault("default", {**_problem(500), "description": "Any other error"})
        if self.method == "GET":
            for code, answer in responses.items():
                if code.startswith("2"):
                    answer.setdefault("headers", {}).update(ETAG)
            responses.setdefault("304", {"description": "Not modified"})
        action = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        if getattr(action, "is_idempotent", False):
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        return operation

    def get_auth(self) -> list[dict[str, Any]]:
        """Say that a token is optional where the view's permissions let anybody in."""
        auths: list[dict[str, Any]] = super().get_auth()
        return [*auths, {}] if {} not in auths and self._is_open() else auths

    def _is_open(self) -> bool:
        stranger: Any = SimpleNamespace(method=self.method, user=AnonymousUser(), auth=None)
        return all(permission.has_permission(stranger, self.view) for permission in self.view.get_permissions())

    def get_override_parameters(self) -> list[Any]:
        params = getattr(self.view, "params_class", None)
        return [params] if params is not None and self.method == "GET" and self._takes_params() else []

    def _takes_params(self) -> bool:
        """The parameters of a viewset belong to its list, or to the actions that it names."""
        action = getattr(self.view, "action", None)
        return action is None or action in getattr(self.view, "params_actions", ("list",))

    def _map_serializer_field(self, field: Any, direction: str, bypass_extensions: bool = False) -> Any:
        if hasattr(field, "openapi"):
            return append_meta(field.openapi(direction), self._get_serializer_field_meta(field, direction))
        return super()._map_serializer_field(field, direction, bypass_extensions)

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)
        if direction == "request" and getattr(serializer, "is_strict", False):
            schema["additionalProperties"] = False
        return schema


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "accounts.api.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return dict(build_bearer_security_scheme_object("HTTP_AUTHORIZATION", "Bearer", bearer_format="JWT"))


def add_problem(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Post-processing hook: the component that every error refers to."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    return result
