"""The JSON shape of providers and what belongs to them. What can be written is in the ``...Input`` classes alone.

What only the team may see (addresses, accounts, reasons) is null for everyone else: see ``is_team`` in the context.
"""

import re
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.validators import validate_time_zone
from petplace.api import fields
from petplace.api.serializers import IdField, StrictSerializer
from pets.choices import Species, Vaccine
from providers import badges
from providers.choices import (
    AppointmentPolicy,
    DocumentKind,
    MembershipRole,
    PaymentPolicy,
    ProviderKind,
    ResourceKind,
    ServiceKind,
    StayPolicy,
)
from providers.domain.hours import MAX_SPANS_A_DAY
from providers.models import Branch, Resource
from providers.models.hours import DAY_MINUTES
from providers.models.provider import MAX_TAX_RATE_BP
from providers.models.service import MAX_PRICE
from providers.states import ProviderState


class SubmitInput(StrictSerializer):
    """No members."""


class ReinstateInput(StrictSerializer):
    reason = fields.TextField(max_length=1000, required=False, allow_blank=True, default="")


class TurnDownInput(StrictSerializer):
    reason = fields.TextField(max_length=1000, help_text="The provider reads it.")


class ApproveInput(ReinstateInput):
    documents = fields.ListField(
        child=fields.UUIDField(),
        max_length=100,
        required=False,
        help_text="Ids of the documents that you looked at. When others are there now, nothing is approved.",
    )


# --- Providers ----------------------------------------------------------------------------------


class ProviderInput(StrictSerializer):
    name = fields.LineField(max_length=120)
    kind = fields.ChoiceField(ProviderKind.choices)
    bio = fields.TextField(max_length=4000, required=False, allow_blank=True)
    currency = fields.LineField(max_length=3, help_text="ISO 4217. Fixed once a service exists.")
    cancellation_policy = fields.ChoiceField(StayPolicy.choices, required=False)
    appointment_policy = fields.ChoiceField(AppointmentPolicy.choices, required=False)
    tax_rate_bp = fields.IntegerField(
        min_value=0, max_value=MAX_TAX_RATE_BP, required=False, help_text="Basis points: 1900 is 19 %."
    )
    is_tax_inclusive = fields.BooleanField(required=False, help_text="Whether the prices contain the tax.")
    tax_id = fields.LineField(max_length=40, required=False, allow_blank=True, help_text="Stands on invoices.")


class BadgeSerializer(StrictSerializer):
    """What was checked or counted, by which rule, with the facts in words. Dates only for what was checked."""

    kind = fields.ChoiceField(sorted(badges.RULES), read_only=True)
    label = serializers.CharField(read_only=True)  # type: ignore[assignment]
    rule = serializers.CharField(read_only=True)
    facts = serializers.CharField(read_only=True)
    checked_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    valid_until = fields.DateField(read_only=True, allow_null=True)


class ProviderSerializer(StrictSerializer):
    id = IdField()
    slug = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    kind = fields.ChoiceField(ProviderKind.choices, read_only=True)
    bio = serializers.CharField(read_only=True)
    currency = serializers.CharField(read_only=True)
    cancellation_policy = fields.ChoiceField(StayPolicy.choices, read_only=True)
    appointment_policy = fields.ChoiceField(AppointmentPolicy.choices, read_only=True)
    tax_rate_bp = serializers.IntegerField(read_only=True)
    is_tax_inclusive = serializers.BooleanField(read_only=True)
    tax_id = serializers.SerializerMethodField(help_text="For the team. Owners read it on their invoices.")
    state = fields.ChoiceField(ProviderState.choices, read_only=True)
    state_reason = serializers.SerializerMethodField(help_text="Why it was rejected or suspended; for the team.")
    submitted_at = serializers.SerializerMethodField(help_text="For the team.")
    rating = serializers.FloatField(read_only=True, allow_null=True)
    review_count = serializers.IntegerField(read_only=True)
    badges = serializers.SerializerMethodField()
    photo_url = serializers.CharField(read_only=True, help_text="Path of the picture or logo; empty without.")
    role = serializers.SerializerMethodField(help_text="The caller's role in the team.")

    def _is_team(self) -> bool:
        return bool(self.context.get("is_team"))

    def get_tax_id(self, provider: Any) -> str:
        return str(provider.tax_id) if self._is_team() else ""

    def get_state_reason(self, provider: Any) -> str | None:
        return provider.state_reason if self._is_team() else None

    @extend_schema_field(fields.UtcDateTimeField(allow_null=True))
    def get_submitted_at(self, provider: Any) -> str | None:
        at = provider.submitted_at if self._is_team() else None
        return fields.format_instant(at) if at else None

    @extend_schema_field(BadgeSerializer(many=True))
    def get_badges(self, provider: Any) -> list[Any]:
        return [BadgeSerializer(badge).data for badge in provider.badges(self.context["now"])]

    @extend_schema_field(fields.ChoiceField(MembershipRole.choices, allow_null=True))
    def get_role(self, provider: Any) -> str | None:
        roles: dict[int, str] = self.context.get("roles", {})
        return roles.get(provider.pk)


# --- Branches and resources ---------------------------------------------------------------------


class BranchInput(StrictSerializer):
    name = fields.LineField(max_length=120)
    address = fields.LineField(max_length=250)
    latitude = fields.FloatField(min_value=-85, max_value=85)
    longitude = fields.FloatField(min_value=-180, max_value=180)
    time_zone = fields.LineField(
        max_length=64,
        required=False,
        validators=[validate_time_zone],
        help_text="IANA. That of the nearest town when it is left out.",
    )
    city = fields.LineField(max_length=120, required=False, allow_blank=True)
    country = fields.LineField(max_length=2, required=False, allow_blank=True, help_text="ISO 3166-1 alpha-2.")
    service_radius_km = fields.IntegerField(min_value=1, max_value=500, required=False, allow_null=True)


class BranchChange(BranchInput):
    is_active = fields.BooleanField(required=False)


class PointSerializer(StrictSerializer):
    latitude = serializers.FloatField(read_only=True)
    longitude = serializers.FloatField(read_only=True)


class BranchSerializer(StrictSerializer):
    """``address``, ``latitude`` and ``longitude`` are for the team; the public gets a point some hundred meters off."""

    id = IdField()
    name = serializers.CharField(read_only=True)
    address = serializers.CharField(read_only=True, allow_null=True)
    latitude = serializers.FloatField(read_only=True, allow_null=True)
    longitude = serializers.FloatField(read_only=True, allow_null=True)
    approximate_location = serializers.SerializerMethodField()
    city = serializers.CharField(read_only=True)
    country = serializers.CharField(read_only=True)
    time_zone = serializers.CharField(read_only=True)
    service_radius_km = serializers.IntegerField(read_only=True, allow_null=True)
    is_active = serializers.BooleanField(read_only=True)

    @extend_schema_field(PointSerializer())
    def get_approximate_location(self, branch: Branch) -> dict[str, float]:
        return {"latitude": branch.approximate_latitude, "longitude": branch.approximate_longitude}

    def to_representation(self, branch: Branch) -> dict[str, Any]:
        data: dict[str, Any] = super().to_representation(branch)
        if not self.context.get("is_team"):
            data |= {"address": None, "latitude": None, "longitude": None}
        return data


class _OwnBranchField(fields.UidRelatedField):
    """A branch of the provider in the path."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(scope=lambda user: Branch.objects.all(), **kwargs)

    def candidates(self) -> Any:
        return Branch.objects.filter(provider_id=self.context["provider"].pk)


class _MemberField(fields.UidRelatedField):
    """A person of the team, by the id of the membership."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(scope=lambda user: None, **kwargs)  # type: ignore[arg-type,return-value]

    def candidates(self) -> Any:
        return self.context["provider"].memberships.select_related("user")


class ResourceChange(StrictSerializer):
    name = fields.LineField(max_length=120)
    kind = fields.ChoiceField(ResourceKind.choices)
    member = _MemberField(required=False, allow_null=True, help_text="Id of the membership of a person of the team.")
    skills = fields.ListField(
        child=fields.ChoiceField(ServiceKind.choices),
        max_length=20,
        required=False,
        help_text="Kinds of service that it can be used for; empty: every kind.",
    )
    is_active = fields.BooleanField(required=False)
    position = fields.IntegerField(min_value=0, max_value=32_767, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "member" in attrs:
            member = attrs.pop("member")
            attrs["user"] = member.user if member else None
        return attrs


class ResourceInput(ResourceChange):
    branch = _OwnBranchField()


class ResourceSerializer(StrictSerializer):
    id = IdField()
    branch = fields.UidRelatedField()
    kind = fields.ChoiceField(ResourceKind.choices, read_only=True)
    name = serializers.CharField(read_only=True)
    skills = serializers.ListField(child=fields.ChoiceField(ServiceKind.choices), read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    position = serializers.IntegerField(read_only=True)
    time_zone = serializers.CharField(source="branch.time_zone", read_only=True)


# --- Services -----------------------------------------------------------------------------------


class AddOnInput(StrictSerializer):
    name = fields.LineField(max_length=120)
    price = fields.MoneyField(max_value=MAX_PRICE)


class AddOnSerializer(StrictSerializer):
    id = IdField()
    name = serializers.CharField(read_only=True)
    price = serializers.SerializerMethodField()

    @extend_schema_field(fields.MoneyField())
    def get_price(self, addon: Any) -> dict[str, Any]:
        return {"amount": addon.price, "currency": self.context["provider"].currency}


def _several(choices: Any, length: int, **kwargs: Any) -> fields.ListField:
    return fields.ListField(child=fields.ChoiceField(choices), max_length=length, **kwargs)


class ServiceInput(StrictSerializer):
    """Timed services need ``duration_minutes``; overnight ones (``is_overnight``) run from check-in to check-out."""

    branch = _OwnBranchField()
    kind = fields.ChoiceField(ServiceKind.choices)
    name = fields.LineField(max_length=120)
    description = fields.TextField(max_length=2000, required=False, allow_blank=True)
    is_overnight = fields.BooleanField(required=False)
    duration_minutes = fields.IntegerField(min_value=5, max_value=1440, required=False, allow_null=True)
    check_in = fields.TimeField(required=False, help_text="Local time, for overnight stays.")
    check_out = fields.TimeField(required=False, help_text="Local time, for overnight stays.")
    price = fields.MoneyField(max_value=MAX_PRICE, help_text="Of one visit or one night.")
    extra_pet_price = fields.MoneyField(max_value=MAX_PRICE, required=False, help_text="Of each further pet.")
    holiday_percent = fields.IntegerField(min_value=0, max_value=300, required=False)
    addons = AddOnInput(many=True, required=False)
    species = _several(Species.choices, 20, allow_empty=False)
    max_weight_kg = fields.DecimalField(
        max_digits=6, decimal_places=2, min_value=0.1, max_value=1500, required=False, allow_null=True
    )
    max_pets = fields.IntegerField(min_value=1, max_value=20, required=False)
    required_vaccines = _several(Vaccine.choices, 20, required=False)
    needs = _several(
        ResourceKind.choices,
        10,
        required=False,
        help_text="Kinds of resource that a booking takes up. The usual ones of the kind when it is left out.",
    )
    buffer_before_minutes = fields.IntegerField(min_value=0, max_value=480, required=False)
    buffer_after_minutes = fields.IntegerField(min_value=0, max_value=480, required=False)
    minimum_notice_minutes = fields.IntegerField(min_value=0, max_value=86_400, required=False)
    maximum_advance_days = fields.IntegerField(min_value=1, max_value=400, required=False)
    slot_step_minutes = fields.IntegerField(min_value=5, max_value=1440, required=False)
    instant = fields.BooleanField(required=False, source="is_instant")
    payment_policy = fields.ChoiceField(PaymentPolicy.choices, required=False)
    deposit_percent = fields.IntegerField(
        min_value=1, max_value=99, required=False, help_text='Of the total, with the policy "deposit".'
    )
    is_active = fields.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn money into minor units of the provider's currency."""
        currency = self.context["provider"].currency
        errors: dict[str, list[str]] = {}
        for name in ("price", "extra_pet_price"):
            if name in attrs:
                amount, given = attrs[name]
                attrs[name] = amount
                if given != currency:
                    errors[name] = [f"This provider's prices are in {currency}."]
        if any(set(addon) != {"name", "price"} for addon in attrs.get("addons", ())):
            errors["addons"] = ["Each needs a name and a price."]
        elif "addons" in attrs:
            if any(addon["price"].currency != currency for addon in attrs["addons"]):
                errors["addons"] = [f"This provider's prices are in {currency}."]
            attrs["addons"] = [(addon["name"], addon["price"].amount) for addon in attrs["addons"]]
        if errors:
            raise serializers.ValidationError(errors)
        return attrs


class ServiceProblemSerializer(StrictSerializer):
    """Why nobody can book the service although it is on sale."""

    code = serializers.CharField(read_only=True)
    message = serializers.CharField(read_only=True)


class ServiceSerializer(StrictSerializer):
    id = IdField()
    provider = fields.UidRelatedField()
    branch = fields.UidRelatedField()
    kind = fields.ChoiceField(ServiceKind.choices, read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    is_overnight = serializers.BooleanField(read_only=True)
    duration_minutes = serializers.IntegerField(read_only=True, allow_null=True)
    check_in = fields.TimeField(read_only=True)
    check_out = fields.TimeField(read_only=True)
    time_zone = serializers.CharField(source="branch.time_zone", read_only=True)
    price = fields.MoneyField(amount="price", currency="provider.currency", read_only=True)
    extra_pet_price = fields.MoneyField(amount="extra_pet_price", currency="provider.currency", read_only=True)
    holiday_percent = serializers.IntegerField(read_only=True)
    addons = serializers.SerializerMethodField()
    species = serializers.ListField(child=fields.ChoiceField(Species.choices), read_only=True)
    max_weight_kg = fields.DecimalField(max_digits=6, decimal_places=2, read_only=True, allow_null=True)
    max_pets = serializers.IntegerField(read_only=True)
    required_vaccines = serializers.ListField(child=fields.ChoiceField(Vaccine.choices), read_only=True)
    needs = serializers.ListField(child=fields.ChoiceField(ResourceKind.choices), read_only=True)
    buffer_before_minutes = serializers.IntegerField(read_only=True)
    buffer_after_minutes = serializers.IntegerField(read_only=True)
    minimum_notice_minutes = serializers.IntegerField(read_only=True)
    maximum_advance_days = serializers.IntegerField(read_only=True)
    slot_step_minutes = serializers.IntegerField(read_only=True)
    instant = serializers.BooleanField(source="is_instant", read_only=True)
    payment_policy = fields.ChoiceField(PaymentPolicy.choices, read_only=True)
    deposit_percent = serializers.IntegerField(read_only=True)
    is_active = serializers.BooleanField(read_only=True)
    problems = serializers.SerializerMethodField(help_text="For the team: what keeps it from being booked.")

    @extend_schema_field(AddOnSerializer(many=True))
    def get_addons(self, service: Any) -> list[Any]:
        active = [addon for addon in service.addons.all() if addon.is_active]
        return [AddOnSerializer(addon, context={"provider": service.provider}).data for addon in active]

    @extend_schema_field(ServiceProblemSerializer(many=True))
    def get_problems(self, service: Any) -> list[Any]:
        found = self.context.get("problems", {}).get(service.pk, [])
        return [{"code": problem.code, "message": problem.message} for problem in found]


# --- Hours --------------------------------------------------------------------------------------


class ClockField(serializers.Field[int, Any, Any, Any]):
    """A local clock time ``HH:MM`` as minutes after midnight. ``is_close``: 24:00, or 00:00, is the end of the day."""

    default_error_messages = {"invalid": "Send a time as HH:MM."}
    _pattern = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")

    def __init__(self, *, is_close: bool = False, **kwargs: Any) -> None:
        self.is_close = is_close
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> int:
        if self.is_close and data in ("24:00", "00:00"):
            return DAY_MINUTES
        match = self._pattern.fullmatch(data) if isinstance(data, str) else None
        if match is None:
            self.fail("invalid")
        return int(match[1]) * 60 + int(match[2])

    def to_representation(self, value: int) -> str:
        return f"{value // 60:02d}:{value % 60:02d}"

    def openapi(self, direction: str) -> dict[str, Any]:
        hours = "([01][0-9]|2[0-3]):[0-5][0-9]"
        pattern = f"^({hours}|24:00)$" if self.is_close else f"^{hours}$"
        return {"type": "string", "pattern": pattern, "examples": ["17:00" if self.is_close else "09:00"]}


class WeeklyHoursSerializer(StrictSerializer):
    """Open on a weekday (Monday is 0), in local time of the branch. ``closes`` may be 24:00."""

    weekday = fields.IntegerField(min_value=0, max_value=6)
    opens = ClockField()
    closes = ClockField(is_close=True)


class SpanSerializer(StrictSerializer):
    opens = ClockField()
    closes = ClockField(is_close=True)


class OverrideInput(StrictSerializer):
    """Other hours on a local date; an empty list closes the day. Replaces what was set for the date."""

    date = fields.DateField()
    hours = SpanSerializer(many=True)
    reason = fields.LineField(max_length=200, required=False, allow_blank=True, default="")

    def validate_hours(self, value: list[dict[str, int]]) -> list[dict[str, int]]:
        if len(value) > MAX_SPANS_A_DAY:
            raise serializers.ValidationError(f"At most {MAX_SPANS_A_DAY} spans.")
        return value


class OverrideSerializer(StrictSerializer):
    date = fields.DateField(read_only=True)
    hours = SpanSerializer(many=True, read_only=True)
    reason = serializers.CharField(read_only=True)


class TimeOffInput(StrictSerializer):
    start = fields.UtcDateTimeField()
    end = fields.UtcDateTimeField()
    reason = fields.LineField(max_length=200, required=False, allow_blank=True, default="")


class TimeOffSerializer(StrictSerializer):
    id = IdField()
    start = fields.UtcDateTimeField(source="during.lower", read_only=True)
    end = fields.UtcDateTimeField(source="during.upper", read_only=True)
    time_zone = serializers.SerializerMethodField()
    reason = serializers.CharField(read_only=True)

    def get_time_zone(self, time_off: Any) -> str:
        resource: Resource = self.context["resource"]
        return resource.branch.time_zone


# --- Team, papers, pictures ---------------------------------------------------------------------


class MemberInput(StrictSerializer):
    email = fields.EmailField(help_text="Of an account that exists.")
    role = fields.ChoiceField(MembershipRole.choices, required=False)


class MemberChange(StrictSerializer):
    role = fields.ChoiceField(MembershipRole.choices)


class PersonSerializer(StrictSerializer):
    id = IdField()
    name = serializers.CharField(source="get_full_name", read_only=True)
    email = serializers.CharField(read_only=True)


class MemberSerializer(StrictSerializer):
    id = IdField()
    user = PersonSerializer(read_only=True)
    role = fields.ChoiceField(MembershipRole.choices, read_only=True)


class DocumentInput(StrictSerializer):
    kind = fields.ChoiceField(DocumentKind.choices)
    file = serializers.FileField(help_text="PDF, JPEG, PNG or WEBP, up to 10 MB.")
    note = fields.LineField(max_length=300, required=False, allow_blank=True, default="")
    valid_until = fields.DateField(required=False, allow_null=True)


class DocumentChange(StrictSerializer):
    """What the file says about itself never changes: hand in another document."""

    note = fields.LineField(max_length=300, allow_blank=True)


class DocumentCheckInput(StrictSerializer):
    accepted = fields.BooleanField()
    note = fields.LineField(max_length=300, required=False, allow_blank=True, help_text="The provider reads it.")
    valid_until = fields.DateField(required=False, allow_null=True, help_text="As the document itself says.")


class DocumentLinkSerializer(StrictSerializer):
    url = serializers.CharField(read_only=True)
    expires_at = fields.UtcDateTimeField(read_only=True)


class DocumentSerializer(StrictSerializer):
    id = IdField()
    kind = fields.ChoiceField(DocumentKind.choices, read_only=True)
    note = serializers.CharField(read_only=True)
    valid_until = fields.DateField(read_only=True, allow_null=True)
    state = serializers.ChoiceField(["waiting", "accepted", "refused", "expired"], source="check_state", read_only=True)
    check_note = serializers.CharField(read_only=True)
    checked_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    created_at = fields.UtcDateTimeField(read_only=True)


class PhotoInput(StrictSerializer):
    image = serializers.FileField(help_text="JPEG, PNG or WEBP, up to 10 MB.")
    caption = fields.LineField(max_length=120, required=False, allow_blank=True, default="")


class PhotoSerializer(StrictSerializer):
    id = IdField()
    url = serializers.CharField(source="get_absolute_url", read_only=True)
    caption = serializers.CharField(read_only=True)


class AvatarInput(StrictSerializer):
    image = serializers.FileField(help_text="JPEG, PNG or WEBP, up to 10 MB.")


class ProviderEventSerializer(StrictSerializer):
    """One step in the life of an application, or a sensitive edit after approval."""

    from_state = fields.ChoiceField(ProviderState.choices, read_only=True)
    to_state = fields.ChoiceField(ProviderState.choices, read_only=True)
    reason = serializers.CharField(read_only=True)
    at = fields.UtcDateTimeField(read_only=True)
