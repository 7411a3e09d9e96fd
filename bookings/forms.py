"""Input of the booking pages: what was chosen so far, and reasons and times of the steps after it."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError

from bookings.domain import interval
from bookings.models import Booking
from bookings.models.incident import IncidentKind
from bookings.states import BookingState
from bookings.validators import ACCESS_LENGTH, COMPLAINT_LENGTH
from petplace.errors import DomainError, InvalidInput
from petplace.money import exponent
from pets.models import Pet
from providers.forms.base import MoneyField
from providers.models import AddOn, Branch, Provider, Resource, Service

FIRST_YEAR, LAST_YEAR = 2000, 2100
LONGEST_DAYS = 62
_SPACE_FOR_PLUS = re.compile(r" (\d\d:\d\d)$")  # "+02:00" in an address that nobody escaped


class InstantField(forms.Field):
    """An instant as RFC 3339. Without an offset it is wall-clock time of ``zone``."""

    default_error_messages = {
        "invalid": "Enter a date and time such as 2026-05-04T17:00.",
        "range": f"Choose a date between {FIRST_YEAR} and {LAST_YEAR}.",
        "gap": "The clocks are put forward then: this time does not exist on that day. Choose another one.",
    }

    def __init__(self, *, zone: ZoneInfo | None = None, **kwargs: Any) -> None:
        self.zone = zone
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            parsed = datetime.fromisoformat(_SPACE_FOR_PLUS.sub(r"+\1", str(value).strip()))
        except (ValueError, OverflowError):
            raise self._error("invalid") from None
        if not FIRST_YEAR <= parsed.year <= LAST_YEAR:
            raise self._error("range")
        if parsed.tzinfo is None:
            if self.zone is None:
                raise self._error("invalid")
            parsed = parsed.replace(tzinfo=self.zone)
            if parsed.astimezone(UTC).astimezone(self.zone).replace(tzinfo=None) != parsed.replace(tzinfo=None):
                raise self._error("gap")
        return parsed

    def _error(self, code: str) -> ValidationError:
        return ValidationError(self.error_messages[code], code=code)


@dataclass(frozen=True)
class Choice:
    """What a visitor has chosen so far. It travels in the address, so that it survives signing in and sharing."""

    species: str = ""
    pet_count: int = 1
    pets: tuple[Pet, ...] = ()
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    addons: tuple[AddOn, ...] = ()
    asked: Resource | None = None
    promo_code: str = ""

    @property
    def has_time(self) -> bool:
        return self.starts_at is not None

    @property
    def count(self) -> int:
        return len(self.pets) or self.pet_count

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The choice as query parameters (and as hidden inputs)."""
        pairs = [("pet", str(pet.uid)) for pet in self.pets]
        if self.species:
            pairs.append(("species", self.species))
        pairs.append(("pets", str(self.count)))
        if self.starts_at and self.ends_at:
            pairs += [("start", self.starts_at.isoformat()), ("end", self.ends_at.isoformat())]
        pairs += [("addon", str(addon.uid)) for addon in self.addons]
        if self.asked:
            pairs.append(("person", str(self.asked.uid)))
        if self.promo_code:
            pairs.append(("promo_code", self.promo_code))
        return pairs

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The pairs that a form carries on, when it asks for ``names`` itself."""
        return [(name, value) for name, value in self.pairs if name not in names]

    def query(self, step: str) -> str:
        return urlencode([("step", step), *self.pairs])

    def at(self, starts_at: datetime | None, ends_at: datetime | None) -> "Choice":
        return replace(self, starts_at=starts_at, ends_at=ends_at)


class ChoiceForm(forms.Form):
    """Reads a :class:`Choice` from a query string or a posted form. Other people's pets do not exist here."""

    species = forms.ChoiceField(required=False)
    pets = forms.IntegerField(required=False, min_value=1, max_value=99)
    pet = forms.ModelMultipleChoiceField(Pet.objects.none(), required=False, to_field_name="uid")
    start = InstantField(required=False)
    end = InstantField(required=False)
    check_in = forms.DateField(required=False)
    check_out = forms.DateField(required=False)
    addon = forms.ModelMultipleChoiceField(AddOn.objects.none(), required=False, to_field_name="uid")
    person = forms.ModelChoiceField(Resource.objects.none(), required=False, to_field_name="uid")
    promo_code = forms.CharField(required=False, max_length=40)
    # An alternative offered in place of a time that is gone: "start/end".
    alternative = forms.CharField(required=False, max_length=80)

    def __init__(self, data: Any, *, service: Service, user: Any) -> None:
        super().__init__(data)
        self.service = service
        zone = service.branch.zone
        self.fields["start"] = InstantField(required=False, zone=zone)
        self.fields["end"] = InstantField(required=False, zone=zone)
        _field(self, "species").choices = [("", "")] + [(one, one) for one in service.species]
        if user.is_authenticated:
            _field(self, "pet").queryset = Pet.objects.owned_by(user).active()
        _field(self, "addon").queryset = service.addons.filter(is_active=True)
        _field(self, "person").queryset = Resource.objects.filter(
            branch=service.branch_id, kind="person", is_active=True
        )

    def clean_check_in(self) -> date | None:
        return _sane(self.cleaned_data["check_in"])

    def clean_check_out(self) -> date | None:
        return _sane(self.cleaned_data["check_out"])

    def clean_pets(self) -> int:
        count = self.cleaned_data["pets"] or 1
        if count > self.service.max_pets:
            raise ValidationError(f"At most {self.service.max_pets} pets can come to this service.", code="too_many")
        return count

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("alternative"):
            try:
                data["start"], data["end"] = _span_of(data["alternative"])
            except ValidationError as error:
                self.add_error("alternative", error)
        try:
            data["span"] = self._span(data)
        except DomainError as error:
            self.add_error("check_out" if self.service.is_overnight else "start", error.message)
        return data

    def _span(self, data: dict[str, Any]) -> tuple[datetime, datetime] | None:
        if not self.service.is_overnight:
            return interval.for_timed(self.service, data["start"]) if data.get("start") else None
        zone = self.service.branch.zone
        check_in, check_out = data.get("check_in"), data.get("check_out")
        if data.get("start") and data.get("end") and not check_in:
            check_in, check_out = data["start"].astimezone(zone).date(), data["end"].astimezone(zone).date()
        return _stay(self.service, check_in, check_out)

    @property
    def choice(self) -> Choice:
        """The choice, without whatever was wrong: its message is beside its field."""
        self.is_valid()
        data = self.cleaned_data
        start, end = data.get("span") or (None, None)
        return Choice(
            species=data.get("species") or "",
            pet_count=data.get("pets") or 1,
            pets=tuple(data.get("pet") or ()),
            starts_at=start,
            ends_at=end,
            addons=tuple(data.get("addon") or ()),
            asked=data.get("person"),
            promo_code=data.get("promo_code") or "",
        )


class NoteForm(forms.Form):
    note = forms.CharField(required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 4}))


class QuickPetForm(forms.ModelForm):
    """Just enough of a pet to book with; the rest of its passport can wait."""

    class Meta:
        model = Pet
        fields = ("name", "species", "weight_kg")
        labels = {"weight_kg": "Weight in kg"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["weight_kg"].required = True


class ReasonForm(forms.Form):
    reason = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))


class DeclineForm(ReasonForm):
    """Saying no needs a reason: the owner reads it."""

    reason = forms.CharField(
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Tell the owner in a sentence why you cannot."},
    )


class LinkForm(forms.Form):
    """What the page of a one-tap link asks besides a tap: a reason where a booking ends, the refund that was shown."""

    reason = forms.CharField(required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 3}))
    refund = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, verb: str) -> None:
        super().__init__(data)
        if verb == "decline":
            self.fields["reason"].required = True
            self.fields["reason"].error_messages["required"] = "Tell the owner in a sentence why you cannot."
        if verb != "cancel":
            del self.fields["refund"]


class TipForm(forms.Form):
    """An amount in the booking's currency, as people write it."""

    def __init__(self, data: Any = None, *, currency: str) -> None:
        super().__init__(data)
        smallest = Decimal(1).scaleb(-exponent(currency))
        self.fields["amount"] = MoneyField(currency=currency, min_value=smallest)


class ExtraForm(TipForm):
    description = forms.CharField(max_length=200, error_messages={"required": "Say what it is for."})


class AccessForm(forms.Form):
    text = forms.CharField(required=False, max_length=ACCESS_LENGTH)


class ComplaintForm(forms.Form):
    text = forms.CharField(
        max_length=COMPLAINT_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say what happened."},
    )


class IncidentForm(forms.Form):
    kind = forms.ChoiceField(choices=IncidentKind, label="What it is about", widget=forms.RadioSelect)
    text = forms.CharField(
        max_length=4000,
        label="What happened",
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text="When and where, who was there, and whether anybody needs help now. Only our team reads it.",
        error_messages={"required": "Say what happened."},
    )


class CompleteForm(forms.Form):
    """Whether what is still owed was paid at the visit; without an answer as it was agreed."""

    is_paid = forms.NullBooleanField(required=False)


class MoveForm(forms.Form):
    """A new time for a booking: an offered ``slot`` ("start/end"), a ``start``, or the dates of a stay.

    Wall-clock time is that of the booking's branch. ``cleaned_data["span"]`` is ``(start, end or None)``.
    """

    slot = forms.CharField(required=False, max_length=80)
    start = InstantField(required=False)
    end = InstantField(required=False)
    check_in = forms.DateField(required=False)
    check_out = forms.DateField(required=False)
    resource = forms.ModelChoiceField(Resource.objects.none(), required=False, to_field_name="uid")

    def __init__(self, data: Any = None, *, booking: Booking) -> None:
        super().__init__(data)
        self.booking = booking
        self.fields["start"] = InstantField(zone=booking.zone, required=False)
        self.fields["end"] = InstantField(zone=booking.zone, required=False)
        service = booking.service
        _field(self, "resource").queryset = Resource.objects.filter(
            branch=service.branch_id, is_active=True, kind__in=service.needs
        )

    def clean_check_in(self) -> date | None:
        return _sane(self.cleaned_data["check_in"])

    def clean_check_out(self) -> date | None:
        return _sane(self.cleaned_data["check_out"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("slot"):
            try:
                data["span"] = _span_of(data["slot"])
            except ValidationError as error:
                self.add_error("slot", error)
            return data
        try:
            span = self._span(data)
        except DomainError as error:
            self.add_error(None, error.message)
            return data
        if span is None and not self.errors:
            self.add_error(None, "Choose a new time.")
        data["span"] = span
        return data

    def _span(self, data: dict[str, Any]) -> tuple[datetime, datetime | None] | None:
        start, end, zone = data.get("start"), data.get("end"), self.booking.zone
        if not self.booking.service.is_overnight:
            return (start, None) if start else None
        check_in, check_out = data.get("check_in"), data.get("check_out")
        if start and end and not check_in:
            check_in, check_out = start.astimezone(zone).date(), end.astimezone(zone).date()
        return _stay(self.booking.service, check_in, check_out)


class ProviderListForm(forms.Form):
    """Filters of the provider's list."""

    state = forms.ChoiceField(
        required=False,
        choices=[("", "Any state"), *[(s.value, s.label) for s in BookingState if s != BookingState.HELD]],
    )
    service = forms.ModelChoiceField(Service.objects.none(), required=False, to_field_name="uid", empty_label="Any")
    q = forms.CharField(required=False, max_length=80, label="Reference, owner or pet")
    date_from = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}), label="From")
    date_to = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}), label="To")

    def __init__(self, data: Any, *, provider: Provider) -> None:
        super().__init__(data)
        _field(self, "service").queryset = provider.services.all()

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("date_from") and data.get("date_to") and data["date_to"] < data["date_from"]:
            self.add_error("date_to", "The end lies before the start.")
        return data


class DayForm(forms.Form):
    """Which day and branch a provider looks at."""

    date = forms.DateField(required=False)
    branch = forms.ModelChoiceField(Branch.objects.none(), required=False, to_field_name="uid")
    view = forms.ChoiceField(required=False, choices=[(v, v) for v in ("", "day", "week", "list")])

    def __init__(self, data: Any, *, provider: Provider) -> None:
        super().__init__(data)
        _field(self, "branch").queryset = provider.branches.all()

    def clean_date(self) -> Any:  # "date" is the field here
        return _sane(self.cleaned_data["date"])


class RangeForm(forms.Form):
    """The dates between which the drawn calendar asks; ``end`` is the first one after."""

    start = forms.CharField(max_length=40)
    end = forms.CharField(max_length=40)
    branch = forms.ModelChoiceField(Branch.objects.none(), required=False, to_field_name="uid")

    def __init__(self, data: Any, *, provider: Provider) -> None:
        super().__init__(data)
        _field(self, "branch").queryset = provider.branches.all()

    def clean_start(self) -> date:
        return _date_of(self.cleaned_data["start"])

    def clean_end(self) -> date:
        return _date_of(self.cleaned_data["end"])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        start, end = data.get("start"), data.get("end")
        if start and end and not timedelta(0) < end - start <= timedelta(days=LONGEST_DAYS):
            self.add_error("end", f"Ask for 1 to {LONGEST_DAYS} days.")
        return data


def _date_of(text: str) -> date:
    """Return the date of an ISO date or date-time, whatever its offset: it is wall-clock time of the branch."""
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise ValidationError("Enter a date such as 2026-05-04.", code="invalid") from None
    return _sane(day) or day


def _field(form: forms.Form, name: str) -> Any:
    """Return a field whose choices depend on who asks."""
    return form.fields[name]


def _span_of(text: str) -> tuple[datetime, datetime]:
    """Return the two instants of ``start/end``, as the buttons of free times send them."""
    start, _, end = text.partition("/")
    first, last = InstantField().clean(start), InstantField().clean(end)
    assert first is not None
    assert last is not None
    return first, last


def _stay(service: Service, check_in: date | None, check_out: date | None) -> tuple[datetime, datetime] | None:
    """Return the span of a stay, or None while a date is missing. Raises InvalidInput when it has no night."""
    if not check_in or not check_out:
        return None
    if check_out <= check_in:
        raise InvalidInput("Check-out is on a later day than check-in.")
    return interval.for_stay(service, check_in, check_out)


def _sane(day: date | None) -> date | None:
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"Choose a date between {FIRST_YEAR} and {LAST_YEAR}.", code="range")
    return day
