"""The JSON of an invoice."""

from typing import Any, ClassVar

from rest_framework import serializers

from payments.models import Invoice, InvoiceLine
from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer


class InvoiceLineSerializer(StrictModelSerializer):
    unit = fields.MoneyField(amount="unit_amount", currency="invoice.currency", read_only=True)
    amount = fields.MoneyField(amount="amount", currency="invoice.currency", read_only=True)

    class Meta:
        model = InvoiceLine
        fields = ("kind", "description", "quantity", "unit", "amount")
        read_only_fields = ("kind", "description", "quantity")


class InvoiceSerializer(StrictModelSerializer):
    id = IdField()
    number = serializers.CharField(read_only=True)
    provider = fields.UidRelatedField()
    payer = fields.UidRelatedField()
    booking = serializers.SerializerMethodField(help_text="The reference of the booking that it is for, if any.")
    total = fields.MoneyField(amount="total", currency="currency", read_only=True)

    class Meta:
        model = Invoice
        fields: ClassVar[Any] = (
            "id", "number", "subject", "provider", "payer", "booking", "state", "total", "due_at", "paid_at",
            "voided_at", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_booking(self, invoice: Invoice) -> str | None:
        booking = getattr(invoice, "booking", None)
        return booking.reference if booking else None


class InvoiceDetailSerializer(InvoiceSerializer):
    lines = InvoiceLineSerializer(many=True, read_only=True)

    class Meta(InvoiceSerializer.Meta):
        fields: ClassVar[Any] = (*InvoiceSerializer.Meta.fields, "lines")
        read_only_fields = fields
