"""JSON fields that take what they say and nothing that merely looks like it.

A number is a JSON number (not ``"12"``, not ``true``), a text is a string, an instant has its offset. Each field tells
its exact shape to the OpenAPI document by ``openapi()``.
"""

import decimal
import math
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from django.db.models import QuerySet
from rest_framework import serializers

INT8_MIN, INT8_MAX = -(2**63), 2**63 - 1
MIN_YEAR, MAX_YEAR = 1900, 2199  # far from the ends of the calendar, where adding a zone or a day overflows
MAX_AMOUNT = 10**12  # minor units

UUID_PATTERN = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_uuid = re.compile(UUID_PATTERN)
_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_instant = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,12}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_SPACE = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff"
_LINE_SPACE = r"\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
LINE_PATTERN = rf"^[^{_CONTROL}]*$"
FILLED_LINE_PATTERN = rf"^[{_LINE_SPACE}]*[^{_CONTROL}{_LINE_SPACE}][^{_CONTROL}]*$"
TEXT_PATTERN = r"^[^\u0000\ud800-\udfff]*$"
FILLED_TEXT_PATTERN = rf"^[{_SPACE}]*[^\u0000\ud800-\udfff{_SPACE}][^\u0000\ud800-\udfff]*$"


def parse_uuid(text: Any) -> uuid.UUID | None:
    """Return the UUID in its one usual spelling, or None."""
    return uuid.UUID(text) if isinstance(text, str) and _uuid.fullmatch(text) else None


def parse_date(text: Any) -> date | None:
    """Return a date from ``YYYY-MM-DD``, or None."""
    if not isinstance(text, str) or not _date.fullmatch(text):
        return None
    try:
        value = date.fromisoformat(text)
    except ValueError:
        return None
    return value if MIN_YEAR <= value.year <= MAX_YEAR else None


def parse_instant(text: Any) -> datetime | None:
    """Return an instant in UTC from RFC 3339 with an offset, or None."""
    match = _instant.fullmatch(text) if isinstance(text, str) else None
    if match is None or not MIN_YEAR <= int(text[:4]) <= MAX_YEAR:
        return None
    day, clock, fraction, offset = match.groups()
    try:
        value = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if offset in 'Zz' else offset}")
    except ValueError:
        return None
    return (value + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))).astimezone(UTC)


def format_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


class _Text(serializers.CharField):
    """A string, and only a string."""

    patterns = (TEXT_PATTERN, FILLED_TEXT_PATTERN)
    default_error_messages = {
        "invalid": "Send a text.",
        "characters": "Remove the control characters.",
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        if not re.fullmatch(self.patterns[0][1:-1], data):
            self.fail("characters")
        return str(super().to_internal_value(data))

    def openapi(self, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        if direction == "request":
            schema["pattern"] = self.patterns[not self.allow_blank]
        return schema


class TextField(_Text):
    """Text of several lines."""


class LineField(_Text):
    """Text on one line, without control characters: names, titles, anything that may end in a header."""

    patterns = (LINE_PATTERN, FILLED_LINE_PATTERN)
    default_error_messages = {"characters": "Write it on one line, without control characters."}


class EmailField(serializers.EmailField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 254)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data)).lower()


class BooleanField(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data

    def openapi(self, direction: str) -> dict[str, Any]:
        return {"type": "boolean"}


class IntegerField(serializers.IntegerField):
    """A whole number within what PostgreSQL's bigint holds, ``1.0`` included as JSON has one kind of number."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("min_value", INT8_MIN)
        kwargs.setdefault("max_value", INT8_MAX)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():
            data = int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data

    def openapi(self, direction: str) -> dict[str, Any]:
        return {"type": "integer", "format": "int64"}


class FloatField(serializers.FloatField):
    """A finite number. Give it ``min_value`` and ``max_value``."""

    def to_internal_value(self, data: Any) -> float:
        try:
            number = math.nan if isinstance(data, bool) or not isinstance(data, int | float) else float(data)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.fail("invalid")
        return number

    def openapi(self, direction: str) -> dict[str, Any]:
        return {"type": "number", "format": "double"}


class DecimalField(serializers.DecimalField):
    """A number with a fixed count of decimals, which rounds half up what is finer. Answered as a JSON number."""

    def __init__(self, max_digits: int | None = 12, decimal_places: int | None = 2, **kwargs: Any) -> None:
        kwargs["coerce_to_string"] = False
        bound = 10 ** ((max_digits or 12) - (decimal_places or 0)) - 1
        self.bounds = tuple(
            decimal.Decimal(str(default if kwargs.get(name) is None else kwargs[name]))
            for name, default in (("min_value", -bound), ("max_value", bound))
        )
        kwargs["min_value"], kwargs["max_value"] = self.bounds
        self.step = decimal.Decimal(1).scaleb(-(decimal_places or 0))
        super().__init__(max_digits, decimal_places, **kwargs)

    def to_internal_value(self, data: Any) -> decimal.Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float | decimal.Decimal):
            self.fail("invalid")
        lowest, highest = self.bounds
        if not lowest <= data <= highest:
            name, bound = ("min_value", lowest) if data < lowest else ("max_value", highest)
            self.fail(name, **{name: bound})
        return decimal.Decimal(str(data)).quantize(self.step, decimal.ROUND_HALF_UP)

    def to_representation(self, value: Any) -> float:
        return float(value)

    def openapi(self, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "number", "format": "double"}
        if direction == "request":
            schema |= {"minimum": float(self.bounds[0]), "maximum": float(self.bounds[1])}
        return schema


class ChoiceField(serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        if data == "" and self.allow_blank:
            return ""
        if isinstance(data, bool) or not isinstance(data, str | int) or data not in self.choices:
            self.fail("invalid_choice", input=str(data)[:60])
        return data


class DateField(serializers.DateField):
    default_error_messages = {"invalid": "Send a date as YYYY-MM-DD, from 1900 to 2199."}

    def to_internal_value(self, value: Any) -> date:
        parsed = parse_date(value)
        if parsed is None:
            self.fail("invalid")
        return parsed

    def to_representation(self, value: Any) -> str | None:
        return value.isoformat() if value else None


class UtcDateTimeField(serializers.DateTimeField):
    """An instant: RFC 3339 with an offset in, UTC with ``Z`` out."""

    default_error_messages = {
        "invalid": "Send an instant with its offset, such as 2027-03-14T17:00:00+01:00 or ...Z, from 1900 to 2199."
    }

    def to_internal_value(self, value: Any) -> datetime:
        parsed = parse_instant(value)
        if parsed is None:
            self.fail("invalid")
        return parsed

    def to_representation(self, value: Any) -> str | None:
        return format_instant(value) if value else None


class UUIDField(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> uuid.UUID:
        parsed = parse_uuid(data)
        if parsed is None:
            self.fail("invalid", value=str(data)[:60])
        return parsed


class TimeField(serializers.TimeField):
    """A local clock time, ``HH:MM``."""

    default_error_messages = {"invalid": "Send a time as HH:MM."}
    _pattern = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            self.fail("invalid")
        return super().to_internal_value(value)

    def to_representation(self, value: Any) -> str | None:
        return value.strftime("%H:%M") if value is not None else None

    def openapi(self, direction: str) -> dict[str, Any]:
        return {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "examples": ["09:00"]}


class ListField(serializers.ListField):
    """A JSON list. Give it ``max_length``."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 100)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list", input_type=type(data).__name__)
        if self.max_length is not None and len(data) > self.max_length:  # before looking at ten thousand of them
            self.fail("max_length", max_length=self.max_length)
        return list(super().to_internal_value(data))


class Money(NamedTuple):
    """An amount in minor units with its ISO 4217 currency."""

    amount: int
    currency: str


class MoneyField(serializers.Field[Money, Any, Any, Any]):
    """``{"amount": 2500, "currency": "EUR"}``.

    Read: ``MoneyField(amount="price", currency="provider.currency")`` takes both from the object by dotted paths; a
    value that is a :class:`Money` or a ``(amount, currency)`` pair needs neither. Write: the validated value is a
    :class:`Money`; ``min_value`` is 0. Whether the currency is the provider's is the domain's business.
    """

    default_error_messages = {
        "invalid": 'Send money as {{"amount": 2500, "currency": "EUR"}}, the amount in minor units.',
        "amount": "The amount must be a whole number of minor units from {min_value} to {max_value}.",
        "currency": "The currency must be an ISO 4217 code such as EUR.",
    }
    _code = re.compile("[A-Z]{3}")

    def __init__(
        self, *, amount: str = "", currency: str = "currency", min_value: int = 0, max_value: int = MAX_AMOUNT,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.min_value, self.max_value = min_value, max_value
        self._read = (attrgetter(amount), attrgetter(currency)) if amount else None
        super().__init__(**kwargs)

    def get_attribute(self, instance: Any) -> Any:
        if self._read is None:
            return super().get_attribute(instance)
        amount, currency = self._read
        value = amount(instance)
        return None if value is None else Money(value, currency(instance))

    def to_internal_value(self, data: Any) -> Money:
        if not isinstance(data, Mapping) or set(data) != {"amount", "currency"}:
            self.fail("invalid")
        amount, currency = data["amount"], data["currency"]
        if isinstance(amount, float) and amount.is_integer():
            amount = int(amount)
        if isinstance(amount, bool) or not isinstance(amount, int) or not self.min_value <= amount <= self.max_value:
            self.fail("amount", min_value=self.min_value, max_value=self.max_value)
        if not isinstance(currency, str) or not self._code.fullmatch(currency):
            self.fail("currency")
        return Money(amount, currency)

    def to_representation(self, value: Any) -> dict[str, Any]:
        return {"amount": value[0], "currency": value[1]}

    def openapi(self, direction: str) -> dict[str, Any]:
        amount: dict[str, Any] = {"type": "integer", "format": "int64", "description": "In minor units."}
        if direction == "request":
            amount |= {"minimum": self.min_value, "maximum": self.max_value}
        return {
            "type": "object",
            "properties": {"amount": amount, "currency": {"type": "string", "pattern": "^[A-Z]{3}$"}},
            "required": ["amount", "currency"],
            "additionalProperties": False,
        }


class UidRelatedField(serializers.Field[Any, Any, Any, Any]):
    """Another object by its public id, out of those that the caller may name.

    ``scope`` gets the request's user and returns the queryset: ``scope=lambda user: Pet.objects.owned_by(user)``. One
    that exists but is not in it gives the same answer as one that does not exist.
    """

    default_error_messages = {"invalid": "Send an id (a UUID).", "does_not_exist": "There is no such object."}

    def __init__(self, *, scope: Callable[[Any], "QuerySet[Any]"] | None = None, **kwargs: Any) -> None:
        if scope is None:
            kwargs["read_only"] = True
        self._scope = scope
        super().__init__(**kwargs)

    def candidates(self) -> "QuerySet[Any]":
        assert self._scope is not None
        return self._scope(self.context["request"].user)

    def to_internal_value(self, data: Any) -> Any:
        uid = parse_uuid(data)
        if uid is None:
            self.fail("invalid")
        found = self.candidates().filter(uid=uid).first()
        if found is None:
            self.fail("does_not_exist")
        return found

    def to_representation(self, value: Any) -> str:
        return str(value.uid)

    def openapi(self, direction: str) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


class UidListField(UidRelatedField):
    """Several objects by their public ids, each once, in one query, in the order given."""

    default_error_messages = {
        "not_a_list": "Send a list of ids.",
        "invalid": "Send a list of ids (UUIDs).",
        "too_many": "Send at most {max_length}.",
        "empty": "Send at least {min_length}.",
        "twice": "Name each one once.",
        "does_not_exist": "There is no such object: {missing}.",
    }

    def __init__(self, *, max_length: int = 20, min_length: int = 0, **kwargs: Any) -> None:
        self.max_length, self.min_length = max_length, min_length
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> list[Any]:
        if not isinstance(data, list):
            self.fail("not_a_list")
        if len(data) > self.max_length:
            self.fail("too_many", max_length=self.max_length)
        if len(data) < self.min_length:
            self.fail("empty", min_length=self.min_length)
        uids = [parse_uuid(item) for item in data]
        if None in uids:
            self.fail("invalid")
        if len(set(uids)) != len(uids):
            self.fail("twice")
        found = {item.uid: item for item in self.candidates().filter(uid__in=uids)}
        missing = [str(uid) for uid in uids if uid not in found]
        if missing:
            self.fail("does_not_exist", missing=", ".join(missing))
        return [found[uid] for uid in uids if uid is not None]

    def to_representation(self, value: Any) -> list[str]:
        items: Iterable[Any] = value.all() if hasattr(value, "all") else value
        return [str(item.uid) for item in items]

    def openapi(self, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array", "items": {"type": "string", "format": "uuid"}}
        if direction == "request":
            schema |= {"uniqueItems": True, "maxItems": self.max_length, "minItems": self.min_length}
        return schema
