"""Staff screens: money is read here, never typed."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from payments.models import Invoice, InvoiceLine
from petplace.money import format_money


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InvoiceLineInline(ReadOnly, admin.TabularInline):
    model = InvoiceLine
    fields = ("kind", "description", "quantity", "unit_amount", "amount")


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("number", "subject", "provider", "payer", "sum", "state", "due_at", "paid_at")
    list_filter = ("state", "currency")
    list_select_related = ("provider", "payer")
    search_fields = ("subject", "provider__name", "payer__email", "booking__reference")
    date_hierarchy = "created_at"
    inlines = [InvoiceLineInline]

    @admin.display(description="total", ordering="total")
    def sum(self, invoice: Invoice) -> str:
        return format_money(invoice.total, invoice.currency)
