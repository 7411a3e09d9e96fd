"""Browsers and apps that want pushes."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import tokens
from accounts.models import TokenFamily
from messaging.channels import vapid
from messaging.domain import devices
from messaging.models import Device, DeviceKind
from petplace.api import fields
from petplace.api.idempotency import idempotent
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer
from petplace.api.views import ApiView, GenericViewSet
from petplace.http import caller_of


class DeviceSerializer(StrictModelSerializer):
    """What is registered. Its address is a secret of the device and is not told again."""

    id = IdField()

    class Meta:
        model = Device
        fields = ("id", "kind", "label", "last_seen_at", "failed_at", "created_at")
        read_only_fields = fields


class NewDeviceSerializer(StrictSerializer):
    """A browser's subscription (`endpoint`, `p256dh`, `auth` as `PushSubscription.toJSON()` gives them), or the
    registration `token` of an app."""

    kind = fields.ChoiceField(choices=DeviceKind.choices)
    endpoint = fields.LineField(required=False, allow_blank=True, max_length=1000, default="")
    p256dh = fields.LineField(required=False, allow_blank=True, max_length=100, default="")
    auth = fields.LineField(required=False, allow_blank=True, max_length=40, default="")
    token = fields.LineField(required=False, allow_blank=True, max_length=1000, default="")
    label = fields.LineField(  # type: ignore[assignment] # the serializer's own label is a text
        required=False, allow_blank=True, max_length=devices.LABEL_LENGTH, default=""
    )


class PushKeySerializer(StrictSerializer):
    public_key = fields.LineField(read_only=True, help_text="For `PushManager.subscribe`; empty where push is off.")


class DeviceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """One's own devices, the one seen last first. They go with the sign-in that registered them."""

    serializer_class = DeviceSerializer
    queryset = Device.objects.none()

    def get_queryset(self) -> QuerySet[Device]:
        return Device.objects.owned_by(caller_of(self.request)).signed_in(timezone.now())

    @extend_schema(request=NewDeviceSerializer, responses={201: DeviceSerializer})
    @idempotent
    def create(self, request: Request) -> Response:
        """Register this device, or say that it is still there. One that another account had becomes the caller's."""
        form = NewDeviceSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        device = devices.register(
            caller_of(request), **form.validated_data, family=_family_of(request), now=timezone.now()
        )
        return Response(self.get_serializer(device).data, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, id: UUID) -> Response:
        """Push there no more."""
        if not devices.remove(caller_of(request), id):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)


class PushKeyView(ApiView):
    """The public key that browsers subscribe with (VAPID)."""

    @extend_schema(responses=PushKeySerializer)
    def get(self, request: Request) -> Response:
        return Response({"public_key": vapid.public_key()})


def _family_of(request: Request) -> TokenFamily | None:
    token: Any = request.auth
    return TokenFamily.objects.filter(uid=tokens.claim_of(token).family).first() if token is not None else None
