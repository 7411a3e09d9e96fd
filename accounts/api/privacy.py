"""One's own data over the API: a copy of it, and what one has agreed to."""

from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers as drf
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import consents, exporting
from accounts.models import Consent, ConsentKind, DataExport, ExportState
from petplace.api import fields, serializers
from petplace.api.views import ApiView
from petplace.http import caller_of


class ExportSerializer(serializers.StrictSerializer):
    """``url`` opens the ZIP without signing in, for some minutes: it is made anew with each answer."""

    id = serializers.IdField()
    state = fields.ChoiceField(ExportState.choices, read_only=True)
    asked_at = fields.UtcDateTimeField(read_only=True)
    expires_at = fields.UtcDateTimeField(read_only=True, allow_null=True)
    size = fields.IntegerField(read_only=True, help_text="In bytes.")
    url = drf.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_url(self, export: DataExport) -> str | None:
        if not export.is_open(timezone.now()):
            return None
        path = reverse("accounts:export_file", args=[exporting.key_of(export)])
        return str(self.context["request"].build_absolute_uri(path))


class ConsentSerializer(serializers.StrictSerializer):
    id = serializers.IdField()
    kind = fields.ChoiceField(ConsentKind.choices, read_only=True)
    version = drf.CharField(read_only=True)
    at = fields.UtcDateTimeField(read_only=True)
    withdrawn_at = fields.UtcDateTimeField(read_only=True, allow_null=True)


class NewsInput(serializers.StrictSerializer):
    marketing = fields.BooleanField(help_text="Whether news by mail is wanted.")


class ExportView(ApiView):
    @extend_schema(responses=ExportSerializer, operation_id="get_my_export")
    def get(self, request: Request) -> Response:
        """Look at the copy that was asked for last; 404 when there is none."""
        export = DataExport.objects.filter(user=caller_of(request)).select_related("user").first()
        if export is None:
            raise Http404
        return Response(self._shown(export, request))

    @extend_schema(request=None, responses={202: ExportSerializer}, operation_id="ask_my_export")
    def post(self, request: Request) -> Response:
        """Ask for a copy of all your data. One a day (409 `export_too_soon`); you are told when it is ready."""
        return Response(self._shown(exporting.ask(caller_of(request), now=timezone.now()), request), status=202)

    @staticmethod
    def _shown(export: DataExport, request: Request) -> Any:
        return ExportSerializer(export, context={"request": request}).data


class ConsentsView(ApiView):
    @extend_schema(responses=ConsentSerializer(many=True), operation_id="list_my_consents")
    def get(self, request: Request) -> Response:
        """List what you have agreed to, and taken back, the latest first."""
        return self._answer(request)

    @extend_schema(request=NewsInput, responses=ConsentSerializer(many=True), operation_id="change_my_consents")
    def put(self, request: Request) -> Response:
        """Agree to news by mail, or take it back."""
        data = NewsInput(data=request.data)
        data.is_valid(raise_exception=True)
        act = consents.give if data.validated_data["marketing"] else consents.withdraw
        act(caller_of(request), ConsentKind.MARKETING, now=timezone.now())
        return self._answer(request)

    @staticmethod
    def _answer(request: Request) -> Response:
        return Response(ConsentSerializer(Consent.objects.filter(user=caller_of(request)), many=True).data)
