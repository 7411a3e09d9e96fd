"""Bases of all serializers: fields are named one by one, and a name that is not among them is an error."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from petplace.api import fields


class _RefuseUnknown:
    """Answer 400 for a member that does not exist or cannot be written.

    Ignoring it would tell the client that a misspelled or a protected field was saved.
    """

    is_strict = True

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known: Mapping[str, Any] = self.fields  # type: ignore[attr-defined]
            errors: dict[str, list[str]] = {}
            for name in data:
                if name not in known:
                    errors[str(name)[:100]] = ["There is no such field."]
                elif known[name].read_only:
                    errors[str(name)] = ["This field cannot be written."]
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)


class StrictSerializer(_RefuseUnknown, serializers.Serializer[Any]):
    """For input and answers that are no single model."""


class StrictModelSerializer(_RefuseUnknown, serializers.ModelSerializer[Any]):
    """Maps model fields to our strict ones. The public ``id`` is the row's ``uid``: declare ``id = IdField()``."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.CharField: fields.LineField,
        models.TextField: fields.TextField,
        models.EmailField: fields.EmailField,
        models.BooleanField: fields.BooleanField,
        models.IntegerField: fields.IntegerField,
        models.BigIntegerField: fields.IntegerField,
        models.SmallIntegerField: fields.IntegerField,
        models.PositiveIntegerField: fields.IntegerField,
        models.PositiveBigIntegerField: fields.IntegerField,
        models.PositiveSmallIntegerField: fields.IntegerField,
        models.FloatField: fields.FloatField,
        models.DecimalField: fields.DecimalField,
        models.DateField: fields.DateField,
        models.DateTimeField: fields.UtcDateTimeField,
        models.TimeField: fields.TimeField,
        models.UUIDField: fields.UUIDField,
    }
    serializer_choice_field = fields.ChoiceField


class IdField(fields.UUIDField):
    """The public id: the row's ``uid`` under the name ``id``."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("source", "uid")
        kwargs["read_only"] = True
        super().__init__(**kwargs)
