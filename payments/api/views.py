"""Invoices over the API: they follow from bookings; a provider records the cash that was paid on one."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.domain import second_factor
from payments.api.serializers import CashInput, InvoiceDetailSerializer, InvoiceSerializer
from payments.domain import invoices
from payments.models import Invoice, InvoiceState
from payments.views.files import pdf_response
from petplace.api import params
from petplace.api.idempotency import idempotent
from petplace.api.views import GenericViewSet
from petplace.errors import NotAllowed
from petplace.http import caller_of
from providers import permissions


class InvoiceParams(params.Params):
    role = params.Choice(["payer", "provider"], help_text="Only those that you pay, or that your providers wrote.")
    state = params.Choices(InvoiceState.values)


class InvoiceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet):
    """Those that the caller pays, or manages as a provider."""

    params_class = InvoiceParams
    queryset = Invoice.objects.none()

    def get_serializer_class(self):
        return InvoiceSerializer if self.action == "list" else InvoiceDetailSerializer

    def get_queryset(self):
        user = caller_of(self.request)
        found = Invoice.objects.visible_to(user).with_parties().select_related("parent")
        if self.action != "list":
            return found.prefetch_related("lines__invoice")
        chosen = self.params()
        if chosen["role"]:
            found = found.paid_by(user) if chosen["role"] == "payer" else found.exclude(payer_id=user.pk)
        return found.filter(state__in=chosen["state"]) if chosen["state"] else found

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def pdf(self, request: Request, id: Any) -> HttpResponse:
        """Download one as a PDF."""
        return pdf_response(Invoice.objects.for_paper().get(pk=self.get_object().pk))

    @extend_schema(request=CashInput, responses=InvoiceDetailSerializer)
    @action(detail=True, methods=["post"])
    @idempotent
    def cash(self, request: Request, id: Any) -> Response:
        """Record that it was paid in cash at the visit, in part or in whole (the provider's managers)."""
        invoice = self.get_object()
        if not permissions.can_manage(caller_of(request), invoice.provider):
            raise NotAllowed("Only the provider's managers record cash.")
        second_factor.demand(caller_of(request), now=timezone.now())
        data = CashInput(data=request.data)
        data.is_valid(raise_exception=True)
        amount = data.validated_data["amount"]
        if amount.currency != invoice.currency:
            raise ValidationError({"amount": [f"The amount must be in {invoice.currency}."]})
        invoices.record_cash(invoice, amount=amount.amount, by=caller_of(request), now=timezone.now())
        return Response(self.get_serializer(self.get_object()).data)
