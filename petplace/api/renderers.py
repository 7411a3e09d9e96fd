"""JSON out, by orjson."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from rest_framework import renderers
from rest_framework.utils.encoders import JSONEncoder

_encode_rest = JSONEncoder().default


def _default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, UUID):
        return str(value)
    return _encode_rest(value)


class JSONRenderer(renderers.JSONRenderer):
    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        return orjson.dumps(data, default=_default, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)
