"""A provider's own promo codes over the API: make, look, end. What a code takes off never changes."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from payments.domain import promo_codes
from payments.models import PromoCode
from petplace.api import fields
from petplace.api.idempotency import idempotent
from petplace.api.serializers import IdField, StrictSerializer
from petplace.http import caller_of
from petplace.roles import Right, TeamRight, may, team_may
from providers.api.base import AtProvider

MAX_AMOUNT = 1_000_000_00
MAX_USES = 1_000_000


class PromoCodeInput(StrictSerializer):
    """``percent_bp`` or ``amount``. Money is in the provider's currency."""

    code = fields.LineField(max_length=40, help_text="4 to 40 letters, digits and hyphens.")
    percent_bp = fields.IntegerField(
        min_value=1, max_value=10_000, required=False, allow_null=True, help_text="Basis points: 1000 is 10 %."
    )
    amount = fields.MoneyField(max_value=MAX_AMOUNT, required=False, allow_null=True)
    minimum_total = fields.MoneyField(
        max_value=MAX_AMOUNT,
        required=False,
        allow_null=True,
        help_text="Before the discount.",
    )
    starts_at = fields.UtcDateTimeField(required=False, allow_null=True)
    ends_at = fields.UtcDateTimeField(required=False, allow_null=True)
    max_uses = fields.IntegerField(min_value=1, max_value=MAX_USES, required=False, allow_null=True)
    max_uses_per_person = fields.IntegerField(min_value=1, max_value=MAX_USES, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn money into minor units of the provider's currency."""
        currency = self.context["provider"].currency
        for name in ("amount", "minimum_total"):
            money = attrs.get(name)
            if money is not None:
                if money.currency != currency:
                    raise serializers.ValidationError({name: [f"This provider's prices are in {currency}."]})
                attrs[name] = money.amount
        attrs["minimum_total"] = attrs.get("minimum_total") or 0
        return attrs


class PromoCodeSerializer(StrictSerializer):
    id = IdField()
    code = serializers.CharField(read_only=True)
    percent_bp = serializers.IntegerField(read_only=True, allow_null=True)
    amount = serializers.SerializerMethodField()
    minimum_total = serializers.SerializerMethodField()
    starts_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    ends_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    max_uses = serializers.IntegerField(read_only=True, allow_null=True)
    max_uses_per_person = serializers.IntegerField(read_only=True, allow_null=True)
    used_count = serializers.IntegerField(read_only=True, help_text="Uses that were given back are not counted.")
    is_active = serializers.BooleanField(read_only=True)

    def _money(self, amount: int | None) -> dict[str, Any] | None:
        return None if amount is None else {"amount": amount, "currency": self.context["provider"].currency}

    @extend_schema_field(fields.MoneyField(allow_null=True))
    def get_amount(self, promo: PromoCode) -> dict[str, Any] | None:
        return self._money(promo.amount)

    @extend_schema_field(fields.MoneyField())
    def get_minimum_total(self, promo: PromoCode) -> dict[str, Any] | None:
        return self._money(promo.minimum_total)


class PromoCodeViewSet(AtProvider):
    """For the provider's managers."""

    serializer_class = PromoCodeSerializer

    def get_queryset(self) -> Any:
        provider = self.provider
        if not (team_may(self.role, TeamRight.MANAGE) or may(self.request.user, Right.TERMS)):
            raise PermissionDenied("Only managers see promo codes.")
        return PromoCode.objects.filter(provider=provider).order_by("-is_active", "code")

    def list(self, request: Request, provider_id: Any) -> Response:
        """List them, those that can be used first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=PromoCodeInput, responses={201: PromoCodeSerializer})
    @idempotent
    def create(self, request: Request, provider_id: Any) -> Response:
        """Make one (managers)."""
        provider = self.provider
        promo = promo_codes.create(
            provider=provider, by=caller_of(request), now=timezone.now(), **self.read(PromoCodeInput)
        )
        return Response(self.get_serializer(promo).data, status=201)

    def retrieve(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Read one, with how often it was used."""
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={200: PromoCodeSerializer})
    def destroy(self, request: Request, provider_id: Any, id: Any) -> Response:
        """End one (managers). Bookings and quotes that were made with it keep their price."""
        ended = promo_codes.end(self.get_object(), by=caller_of(request), now=timezone.now())
        return Response(self.get_serializer(ended).data)
