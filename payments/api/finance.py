"""A provider's money over the API, for its managers."""

from types import SimpleNamespace
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api import serializers as shapes
from payments.domain import expenses, finance
from payments.models import Expense, Payout
from petplace.api import params
from petplace.api.parsers import UploadParser
from petplace.api.schema import FILE_ANSWER
from petplace.uploads import clean_document, private_response
from providers.api.base import AtProvider, PartViewSet, clean_upload
from providers.choices import MembershipRole
from providers.models import Provider


class ManagersOnly(AtProvider):
    """Reading takes a manager, too."""

    @property
    def managed(self) -> Provider:
        provider = self.provider
        if self.role != MembershipRole.MANAGER:
            raise PermissionDenied("Only the provider's managers see its money.")
        return provider


class SummaryParams(params.Params):
    by = params.Choice(finance.GROUPINGS, default="month", help_text="`year` gives the five years to `year`.")
    year = params.Integer(min_value=finance.FIRST_YEAR, max_value=finance.LAST_YEAR, help_text="By default this year.")


class SummaryView(ManagersOnly):
    params_class = SummaryParams
    serializer_class = shapes.SummarySerializer

    @extend_schema(responses=shapes.SummarySerializer)
    def retrieve(self, request: Request, provider_id: Any) -> Response:
        """Read revenue, fees, tax, tips, expenses and profit by period, what owners owe and what is paid out next."""
        provider, chosen = self.managed, self.params()
        year = chosen["year"] or finance.this_year(provider, self.now)
        found = finance.statement(provider, by=chosen["by"], year=year)
        body = SimpleNamespace(
            by=found.by, currency=found.currency, zone=str(found.zone), periods=found.periods, total=found.total,
            receivables=finance.receivables(provider, now=self.now),
            payouts=finance.payouts_ahead(provider, now=self.now),
        )  # fmt: skip
        return Response(self.get_serializer(body).data)


class PayoutViewSet(ManagersOnly):
    serializer_class = shapes.PayoutSerializer
    queryset = Payout.objects.none()

    @extend_schema(responses=shapes.PayoutSerializer(many=True))
    def list(self, request: Request, provider_id: Any) -> Response:
        """List the payouts, the newest first (managers)."""
        page = self.paginate_queryset(Payout.objects.filter(provider=self.managed))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)


@extend_schema_view(
    create=extend_schema(request=shapes.ExpenseInput, responses={201: shapes.ExpenseSerializer}),
    partial_update=extend_schema(request=shapes.ExpenseChange),
    destroy=extend_schema(responses={204: None}),
)
class ExpenseViewSet(ManagersOnly, PartViewSet):
    """What a provider spends (managers)."""

    serializer_class = shapes.ExpenseSerializer
    input_class, change_class = shapes.ExpenseInput, shapes.ExpenseChange
    queryset = Expense.objects.none()

    def rows(self) -> Any:
        return Expense.objects.filter(provider=self.managed)

    def add(self, data: dict[str, Any]) -> Any:
        data["amount"] = data["amount"].amount
        return expenses.add(self.managed, by=self.request.user, now=self.now, **data)  # type: ignore[arg-type]

    def change(self, row: Any, data: dict[str, Any]) -> Any:
        if "amount" in data:
            data["amount"] = data["amount"].amount
        return expenses.change(row, now=self.now, **data)

    def drop(self, row: Any) -> Any:
        return expenses.remove(row)


class ReceiptViewSet(ManagersOnly):
    """The receipt of an expense."""

    serializer_class = shapes.ReceiptInput
    queryset = Expense.objects.none()

    def get_parsers(self) -> Any:
        request: Any = getattr(self, "request", None)
        return [UploadParser()] if request is not None and request.method == "PUT" else super().get_parsers()

    def get_queryset(self) -> Any:
        return Expense.objects.filter(provider=self.managed)

    @extend_schema(responses=FILE_ANSWER)
    def retrieve(self, request: Request, provider_id: Any, id: Any) -> HttpResponse:
        """Read the receipt itself (managers)."""
        row = self.get_object()
        return private_response(row.receipt, filename=f"receipt {row.on}")

    @extend_schema(request={"multipart/form-data": shapes.ReceiptInput}, responses={200: shapes.ExpenseSerializer})
    def update(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Hand a receipt in, in the place of an earlier one (managers)."""
        row = self.get_object()
        file = clean_upload("receipt", clean_document, self.read(shapes.ReceiptInput)["receipt"])
        return Response(shapes.ExpenseSerializer(expenses.change(row, receipt=file, now=self.now)).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, provider_id: Any, id: Any) -> Response:
        """Take the receipt away (managers)."""
        expenses.drop_receipt(self.get_object())
        return Response(status=204)
