"""What the forms of the dashboard have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

from petplace.errors import DomainError
from petplace.money import exponent
from providers.domain import expansion


@dataclass(frozen=True)
class Group:
    """Fields that belong together, under a heading and a sentence of help. ``is_more`` ones start folded."""

    title: str
    fields: tuple[str, ...]
    text: str = ""
    wide: tuple[str, ...] = ()
    is_more: bool = False


class DomainForm(forms.Form):
    """A form whose success is one domain call; what the domain refuses is shown beside the field that it names."""

    groups: tuple[Group, ...] = ()

    def run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what ``call`` returns, or None after putting its refusal into the form's errors."""
        try:
            return call(*args, **kwargs)
        except DomainError as error:
            self.report(error)
            return None

    def report(self, error: DomainError) -> None:
        shown = False
        for name, messages in error.fields.items():
            self.add_error(name if name in self.fields else None, messages)
            shown = True
        if not shown:
            self.add_error(None, error.message)

    def sections(self) -> list[dict[str, Any]]:
        """Return the groups with their bound fields, for ``providers/_groups.html``."""
        return [
            {
                "title": group.title,
                "text": group.text,
                "is_more": group.is_more,
                "is_open": any(name in self.errors for name in group.fields),
                "fields": [(self[name], name in group.wide) for name in group.fields if name in self.fields],
            }
            for group in self.groups
            if any(name in self.fields for name in group.fields)
        ]


class MoneyField(forms.DecimalField):
    """An amount as people write it (``12.50``); cleaned to integer minor units of ``currency``."""

    def __init__(self, *, currency: str, **options: Any) -> None:
        self.currency = currency
        self.exponent = exponent(currency)
        options.setdefault("min_value", 0)
        options.setdefault("max_value", 1_000_000)
        super().__init__(decimal_places=self.exponent, **options)
        self.widget.attrs["inputmode"] = "decimal"

    def clean(self, value: Any) -> Any:
        amount = super().clean(value)
        return None if amount is None else int(amount.scaleb(self.exponent))

    def prepare_value(self, value: Any) -> Any:
        return Decimal(value).scaleb(-self.exponent) if isinstance(value, int) else value


class RateField(forms.DecimalField):
    """A rate as people write it (``7.5`` percent); cleaned to integer basis points."""

    def __init__(self, *, max_bp: int, **options: Any) -> None:
        super().__init__(min_value=0, max_value=Decimal(max_bp) / 100, decimal_places=2, **options)
        self.widget.attrs["inputmode"] = "decimal"

    def clean(self, value: Any) -> Any:
        rate = super().clean(value)
        return 0 if rate is None else int(rate * 100)

    def prepare_value(self, value: Any) -> Any:
        return f"{Decimal(value) / 100:f}" if isinstance(value, int) else value


class LocalDateTimeField(forms.DateTimeField):
    """A local date and time of a place, cleaned to an instant. A time that clocks skip there is refused."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    templates = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M")

    def __init__(self, *, zone: ZoneInfo, **options: Any) -> None:
        self.zone = zone
        super().__init__(**options)

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        for template in self.templates:
            try:
                local = datetime.strptime(str(value).strip(), template)  # noqa: DTZ007 (local, converted below)
            except ValueError:
                continue
            return self._instant(local)
        raise ValidationError(self.error_messages["invalid"], code="invalid")

    def _instant(self, local: datetime) -> datetime:
        try:
            instant = expansion.first_instant(local, self.zone)
        except OverflowError:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from None
        if instant.astimezone(self.zone).replace(tzinfo=None) != local:
            raise ValidationError("The clocks change then: this time does not exist. Choose another.", code="gap")
        return instant

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, datetime):
            return value.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M")
        return value


class CheckboxChoices(forms.MultipleChoiceField):
    """Several of a list, as checkboxes."""

    widget = forms.CheckboxSelectMultiple
