"""The JSON of an invoice."""

from typing import Any, ClassVar

from rest_framework import serializers

from payments.domain.finance import GROUPINGS
from payments.models import Expense, ExpenseCategory, Invoice, InvoiceLine, Payout
from petplace.api import fields
from petplace.api.serializers import IdField, StrictModelSerializer, StrictSerializer


class InvoiceLineSerializer(StrictModelSerializer):
    unit = fields.MoneyField(amount="unit_amount", currency="invoice.currency", read_only=True)
    amount = fields.MoneyField(amount="amount", currency="invoice.currency", read_only=True)

    class Meta:
        model = InvoiceLine
        fields = ("kind", "description", "quantity", "unit", "amount")
        read_only_fields = ("kind", "description", "quantity")


class InvoiceSerializer(StrictModelSerializer):
    id = IdField()
    number = serializers.CharField(read_only=True, allow_null=True, help_text="Given when it is issued.")
    parent = fields.UidRelatedField(  # type: ignore[assignment]  # a name that the base class has, too
        allow_null=True,
        help_text="The sale that an extra charge, tip or credit note belongs to.",
    )
    provider = fields.UidRelatedField()
    payer = fields.UidRelatedField()
    booking = serializers.SerializerMethodField(help_text="The reference of the booking that it is for, if any.")
    total = fields.MoneyField(amount="total", currency="currency", read_only=True)
    tax = fields.MoneyField(amount="tax_amount", currency="currency", read_only=True)
    credited = fields.MoneyField(amount="credited_amount", currency="currency", read_only=True)
    paid = fields.MoneyField(amount="paid_amount", currency="currency", read_only=True)
    outstanding = fields.MoneyField(amount="outstanding", currency="currency", read_only=True)

    class Meta:
        model = Invoice
        fields: ClassVar[Any] = (
            "id", "kind", "number", "parent", "subject", "provider", "payer", "booking", "state", "total", "tax",
            "tax_rate_bp", "is_tax_inclusive", "credited", "paid", "outstanding", "due_at", "issued_at", "paid_at",
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


class CashInput(StrictSerializer):
    amount = fields.MoneyField(min_value=1, help_text="In the invoice's currency, at most what is outstanding.")


class PayoutSerializer(StrictModelSerializer):
    id = IdField()
    amount = fields.MoneyField(amount="amount", currency="currency", read_only=True)

    class Meta:
        model = Payout
        fields: ClassVar[Any] = ("id", "amount", "state", "gateway", "due_at", "paid_at", "last_error", "created_at")
        read_only_fields = fields


class ExpenseSerializer(StrictModelSerializer):
    id = IdField()
    amount = fields.MoneyField(amount="amount", currency="currency", read_only=True)
    has_receipt = serializers.SerializerMethodField()

    class Meta:
        model = Expense
        fields: ClassVar[Any] = ("id", "category", "amount", "on", "note", "has_receipt", "created_at")
        read_only_fields = fields

    def get_has_receipt(self, expense: Expense) -> bool:
        return bool(expense.receipt)


class ExpenseInput(StrictSerializer):
    category = fields.ChoiceField(ExpenseCategory.choices)
    amount = fields.MoneyField(min_value=1, help_text="In the provider's currency.")
    on = fields.DateField()
    note = fields.LineField(max_length=300, required=False, allow_blank=True, default="")

    def validate_amount(self, value: fields.Money) -> fields.Money:
        if value.currency != self.context["provider"].currency:
            raise serializers.ValidationError(f"The amount must be in {self.context['provider'].currency}.")
        return value


class ExpenseChange(ExpenseInput):
    note = fields.LineField(max_length=300, required=False, allow_blank=True)


class ReceiptInput(StrictSerializer):
    receipt = serializers.FileField(help_text="PDF, JPEG, PNG or WEBP, up to 10 MB.")


class _Sum(fields.MoneyField):
    """An amount of the summary, in the provider's currency."""

    def __init__(self, source: str) -> None:
        self._path = source
        super().__init__(source="*", read_only=True)

    def to_representation(self, value: Any) -> dict[str, Any]:
        amount = value
        for part in self._path.split("."):
            amount = getattr(amount, part)
        return {"amount": amount, "currency": self.context["provider"].currency}


class FiguresSerializer(StrictSerializer):
    revenue = _Sum("revenue")
    refunds = _Sum("refunds")
    fees = _Sum("fees")
    tax = _Sum("tax")
    tips = _Sum("tips")
    expenses = _Sum("expenses")
    profit = _Sum("profit")
    returned = _Sum("returned")


class PeriodSerializer(StrictSerializer):
    period = serializers.CharField(source="label", help_text="2026-11, 2026-Q4 or 2026.", read_only=True)
    start = fields.DateField(read_only=True)
    end = fields.DateField(read_only=True, help_text="The day after the last one.")
    figures = FiguresSerializer(read_only=True)


class ReceivablesSerializer(StrictSerializer):
    due = _Sum("due")
    due_count = fields.IntegerField(read_only=True)
    later = _Sum("later")
    later_count = fields.IntegerField(read_only=True)
    oldest_at = fields.UtcDateTimeField(read_only=True, allow_null=True)


class AheadSerializer(StrictSerializer):
    balance = _Sum("balance")
    waiting = _Sum("waiting")
    frozen = _Sum("frozen_amount")
    next_at = fields.UtcDateTimeField(read_only=True, allow_null=True)


class SummarySerializer(StrictSerializer):
    by = serializers.ChoiceField(GROUPINGS, read_only=True)
    currency = serializers.CharField(read_only=True)
    time_zone = serializers.CharField(source="zone", read_only=True)
    periods = PeriodSerializer(many=True, read_only=True)
    total = FiguresSerializer(read_only=True)
    receivables = ReceivablesSerializer(read_only=True)
    payouts = AheadSerializer(read_only=True)
