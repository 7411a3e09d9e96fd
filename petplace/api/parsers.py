"""JSON in, strictly: what one reader takes for 1 and the next for an error is refused at the door."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from rest_framework import parsers, status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType

MAX_DEPTH = 32


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"
    default_detail = "The request is too large."


class StrictJSONParser(parsers.JSONParser):
    """UTF-8 alone, no duplicate keys, no NaN or Infinity, no NUL, no lone surrogate, bounded size and depth."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        self._check_charset(media_type)
        limit: int = settings.API_MAX_BODY_BYTES
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge(f"The request is larger than {limit:,} bytes.")
        return parse_json(raw)

    @staticmethod
    def _check_charset(media_type: str | None) -> None:
        for parameter in (media_type or "").split(";")[1:]:
            name, _, value = parameter.strip().partition("=")
            if name.strip().lower() == "charset" and value.strip('" ').lower() not in ("utf-8", "utf8"):
                raise UnsupportedMediaType(str(media_type), "Send JSON in UTF-8.")


class UploadParser(parsers.MultiPartParser):
    """For views that take files: set ``parser_classes = [UploadParser]`` there and only there."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RequestDataTooBig:
            raise TooLarge(f"The request is larger than {settings.UPLOAD_MAX_BODY_BYTES:,} bytes.") from None


def parse_json(raw: bytes) -> Any:
    """Return the value of a JSON text, or raise :class:`ParseError` with what is wrong with it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite, strict=True
        )
        _check(value, MAX_DEPTH)
    except RecursionError:
        raise ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except ValueError as error:
        raise ParseError(f"The body is not valid JSON: {error}") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ParseError("The JSON has the same key twice in one object.")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not a JSON number.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ParseError("A number is too large.")
    return number


def _check(value: Any, depth: int) -> None:
    """Refuse texts that the database cannot store, and deep nesting."""
    if isinstance(value, str):
        if "\0" in value:
            raise ParseError("The JSON contains a NUL character.")
        if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
            raise ParseError("The JSON contains half of a surrogate pair.")
    elif isinstance(value, list | dict):
        if depth == 0:
            raise ParseError(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
        for item in value:
            _check(item, depth - 1)
        if isinstance(value, dict):
            for item in value.values():
                _check(item, depth - 1)
