"""Checks shared by the domain, forms and serializers of this app."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models

from petplace.errors import InvalidInput


def validate_payment_policy(value: str) -> None:
    if value not in settings.PAYMENT_POLICIES:
        raise ValidationError(
            "Paying online is not available on this site yet. Choose payment at the visit.", code="payment_policy"
        )


def check(instance: models.Model, *, exclude: Iterable[str] = (), extra: Mapping[str, list[str]] | None = None) -> None:
    """Validate the fields of ``instance`` and raise :class:`InvalidInput` that names each wrong one.

    ``extra`` holds messages that the caller found itself; constraints stay with the database.
    """
    errors: dict[str, list[str]] = {name: list(messages) for name, messages in (extra or {}).items()}
    try:
        instance.clean_fields(exclude=set(exclude))
    except ValidationError as error:
        for name, messages in error.message_dict.items():
            errors.setdefault(name, []).extend(str(message) for message in messages)
    for field in instance._meta.concrete_fields:
        # Django leaves the length of a TextField to forms.
        limit = field.max_length if isinstance(field, models.TextField) and field.name not in exclude else None
        if limit is not None and len(getattr(instance, field.name)) > limit:
            errors.setdefault(field.name, []).append(f"Use at most {limit} characters.")
    if errors:
        raise InvalidInput(fields=errors)


def apply(instance: models.Model, changes: Mapping[str, Any], allowed: frozenset[str]) -> list[str]:
    """Set ``changes`` on ``instance`` and return the names of the fields that really changed."""
    unknown = set(changes) - allowed
    if unknown:
        raise TypeError(f"{type(instance).__name__} has no changeable {', '.join(sorted(unknown))}")
    changed = [name for name, value in changes.items() if getattr(instance, name) != value]
    for name in changed:
        setattr(instance, name, changes[name])
    return changed
