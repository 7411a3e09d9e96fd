"""Staff screens: money is read here, never typed."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from payments.domain import promo_codes
from payments.models import CommissionRule, Invoice, InvoiceLine, PromoCode, PromoRedemption
from petplace.errors import DomainError
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


@admin.register(CommissionRule)
class CommissionRuleAdmin(admin.ModelAdmin):
    """What the platform takes from now on. Quotes and bookings that exist keep what they were made with."""

    list_display = ("whom", "provider_bp", "owner_bp", "cap")
    list_select_related = ("service__provider",)
    raw_id_fields = ("service",)

    @admin.display(description="for")
    def whom(self, rule: CommissionRule) -> str:
        return f"{rule.service}, {rule.service.provider}" if rule.service else str(rule)

    @admin.display(description="at most")
    def cap(self, rule: CommissionRule) -> str:
        return "" if rule.cap_amount is None else format_money(rule.cap_amount, rule.cap_currency)


class PromoCodeAdminForm(forms.ModelForm):
    def clean_code(self) -> str:
        code = promo_codes.clean_code(self.cleaned_data["code"])
        if not promo_codes.CODE.fullmatch(code):
            raise forms.ValidationError("Use 4 to 40 letters, digits and hyphens.")
        return code


class RedemptionInline(ReadOnly, admin.TabularInline):
    model = PromoRedemption
    fields = ("user", "invoice", "amount", "created_at", "released_at")
    readonly_fields = fields


@admin.register(PromoCode)
class PromoCodeAdmin(admin.ModelAdmin):
    """Codes are made here and ended; what one takes off never changes. Without a provider the platform pays for it."""

    form = PromoCodeAdminForm
    list_display = ("code", "owner", "takes_off", "uses", "starts_at", "ends_at", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("provider",)
    search_fields = ("code", "provider__name")
    raw_id_fields = ("provider",)
    exclude = ("is_active",)
    inlines = [RedemptionInline]
    actions = ["end"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="of")
    def owner(self, promo: PromoCode) -> str:
        return promo.provider.name if promo.provider else "the platform"

    @admin.display(description="takes off")
    def takes_off(self, promo: PromoCode) -> str:
        return f"{promo.percent_text} %" if promo.amount is None else format_money(promo.amount, promo.currency)

    @admin.display(description="used", ordering="used_count")
    def uses(self, promo: PromoCode) -> str:
        return f"{promo.used_count} of {promo.max_uses}" if promo.max_uses else str(promo.used_count)

    @admin.action(description="End the chosen codes", permissions=["change"])
    def end(self, request: HttpRequest, queryset: QuerySet[PromoCode]) -> None:
        """End each; one that has been ended already does not stop the rest."""
        for promo in queryset:
            try:
                promo_codes.end(promo)
            except DomainError as error:
                self.message_user(request, f"{promo.code}: {error.message}", messages.WARNING)
            else:
                self.message_user(request, f"{promo.code} is ended.")
