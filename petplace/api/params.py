"""Query parameters, each with a type: a filter that is wrong is 400 with its name, never a database error.

    class BookingParams(params.Params):
        state = params.Choices(BookingState.values)
        start = params.Instant()

    chosen = BookingParams.read(request)   # a dict; what was not given is None

Name the class as ``params_class`` on the view and the OpenAPI document lists them. Unknown names are ignored, a name
given twice is refused unless the parameter is a list.
"""

import math
import re
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.request import Request

from petplace.api import fields

_int = re.compile(r"-?[0-9]{1,19}")
_number = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?")


class _Param(serializers.Field[Any, Any, Any, Any]):
    is_list = False
    hint = ""

    def __init__(self, *, required: bool = False, default: Any = None, help_text: str = "") -> None:
        super().__init__(required=required, help_text=help_text or None)
        self.fallback = default

    def parse(self, text: str) -> Any:
        """Return the value, or None when ``text`` is none of ours."""
        raise NotImplementedError

    def check(self, value: Any) -> str | None:
        """Return what is wrong with a parsed value, if anything."""
        return None

    def to_internal_value(self, data: Any) -> Any:
        value = self.parse(data)
        if value is None:
            raise serializers.ValidationError(self.hint)
        if problem := self.check(value):
            raise serializers.ValidationError(problem)
        return value

    def to_representation(self, value: Any) -> Any:
        return value

    def shape(self) -> dict[str, Any]:
        raise NotImplementedError

    def openapi(self, direction: str) -> dict[str, Any]:
        return self.shape() if self.fallback is None else {**self.shape(), "default": self.fallback}


class Text(_Param):
    hint = "Send a text."

    def __init__(self, *, max_length: int = 200, **kwargs: Any) -> None:
        self.max_length = max_length
        super().__init__(**kwargs)

    def parse(self, text: str) -> str | None:
        return text.strip()

    def check(self, value: str) -> str | None:
        return f"At most {self.max_length} characters." if len(value) > self.max_length else None

    def shape(self) -> dict[str, Any]:
        return {"type": "string", "maxLength": self.max_length}


class _Bounded(_Param):
    def __init__(self, *, min_value: float | None = None, max_value: float | None = None, **kwargs: Any) -> None:
        self.min_value, self.max_value = min_value, max_value
        super().__init__(**kwargs)

    def check(self, value: float) -> str | None:
        if self.min_value is not None and value < self.min_value:
            return f"At least {self.min_value}."
        if self.max_value is not None and value > self.max_value:
            return f"At most {self.max_value}."
        return None

    def bounds(self) -> dict[str, Any]:
        both = {"minimum": self.min_value, "maximum": self.max_value}
        return {name: value for name, value in both.items() if value is not None}


class Integer(_Bounded):
    hint = "Send a whole number."

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", fields.INT8_MIN)
        kwargs.setdefault("max_value", fields.INT8_MAX)
        super().__init__(**kwargs)

    def parse(self, text: str) -> int | None:
        return int(text) if _int.fullmatch(text) else None

    def shape(self) -> dict[str, Any]:
        return {"type": "integer", **self.bounds()}


class Number(_Bounded):
    hint = "Send a number."

    def parse(self, text: str) -> float | None:
        value = float(text) if _number.fullmatch(text) else math.inf
        return value if math.isfinite(value) else None

    def shape(self) -> dict[str, Any]:
        return {"type": "number", **self.bounds()}


class Boolean(_Param):
    hint = "Send true or false."

    def parse(self, text: str) -> bool | None:
        return {"true": True, "false": False}.get(text)

    def shape(self) -> dict[str, Any]:
        return {"type": "boolean"}


class Choice(_Param):
    def __init__(self, choices: Iterable[str], **kwargs: Any) -> None:
        self.choices = list(choices)
        super().__init__(**kwargs)
        self.hint = f"Choose from: {', '.join(self.choices)}."

    def parse(self, text: str) -> Any:
        return text if text in self.choices else None

    def shape(self) -> dict[str, Any]:
        return {"type": "string", "enum": self.choices}


class Choices(Choice):
    """Several, by repeating the name or separated by commas. The value is a list."""

    is_list = True

    def to_internal_value(self, data: Any) -> list[str]:
        chosen = [part for text in data for part in text.split(",")]
        if any(part not in self.choices for part in chosen):
            raise serializers.ValidationError(self.hint)
        return list(dict.fromkeys(chosen))

    def shape(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": self.choices}}


class Date(_Param):
    hint = "Send a date as YYYY-MM-DD, from 1900 to 2199."

    def parse(self, text: str) -> date | None:
        return fields.parse_date(text)

    def shape(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class Instant(_Param):
    hint = "Send an instant with its offset, such as 2027-03-14T17:00:00Z."

    def parse(self, text: str) -> datetime | None:
        # A "+" that nobody escaped has become a space on its way here.
        return fields.parse_instant(text.replace(" ", "+"))

    def shape(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class Uid(_Param):
    hint = "Send an id (a UUID)."

    def parse(self, text: str) -> UUID | None:
        return fields.parse_uuid(text)

    def shape(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


class Params(serializers.Serializer[Any]):
    """Declare the parameters of one view; override ``validate`` for rules between them."""

    @classmethod
    def read(cls, request: Request, **context: Any) -> dict[str, Any]:
        """Return every declared parameter, or raise 400 naming those that are wrong."""
        params = cls(context={"request": request, **context})
        data: dict[str, Any] = {}
        for name, field in params.fields.items():
            given = [text for text in request.query_params.getlist(name) if text != ""]
            if not given:
                continue
            if getattr(field, "is_list", False):
                data[name] = given
            elif len(given) > 1:
                raise serializers.ValidationError({name: ["Give it once."]})
            else:
                data[name] = given[0]
        params.initial_data = data
        params.is_valid(raise_exception=True)
        return {
            name: params.validated_data.get(name, getattr(field, "fallback", None))
            for name, field in params.fields.items()
        } | {name: value for name, value in params.validated_data.items() if name not in params.fields}
