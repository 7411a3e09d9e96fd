"""Staff screens: money is read here, never typed."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.utils import timezone

from accounts.models import User
from payments.domain import calls, disputes, payouts, promo_codes, reconciliation, refunds, terms
from payments.models import (
    CommissionRule,
    Dispute,
    GatewayCall,
    GatewayEvent,
    Invoice,
    InvoiceLine,
    LedgerAccount,
    LedgerEntry,
    LedgerLine,
    Payment,
    Payout,
    PayoutApproval,
    PayoutFreeze,
    PayoutItem,
    PromoCode,
    PromoRedemption,
    ReconciliationDifference,
    ReconciliationRun,
    Refund,
)
from petplace.errors import DomainError, InvalidInput
from petplace.money import exponent, format_money
from petplace.roles import Right
from petplace.staff_admin import ByRight


class ReadOnly(ByRight):
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InvoiceLineInline(ReadOnly, admin.TabularInline):
    model = InvoiceLine
    fields = ("kind", "description", "quantity", "unit_amount", "amount")


class WordsForm(ActionForm):
    """What a person says to an action."""

    words = forms.CharField(required=False, max_length=300, label="Reason")


class RefundForm(WordsForm):
    amount = forms.DecimalField(
        required=False, min_value=Decimal(0), max_digits=14, label="Amount (all that is left if empty)"
    )


def staff_of(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def each(model_admin: Any, request: HttpRequest, rows: Any, act: Callable[[Any], Any], done: str) -> None:
    """Do ``act`` with each row; one for which it is not possible does not stop the rest."""
    for row in rows:
        try:
            act(row)
        except DomainError as error:
            model_admin.message_user(request, f"{row}: {error.message}", messages.WARNING)
        else:
            model_admin.message_user(request, f"{row}: {done}")


@admin.register(Invoice)
class InvoiceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("label", "kind", "subject", "provider", "payer", "sum", "paid", "state", "due_at", "paid_at")
    list_filter = ("state", "kind", "currency")
    action_form = WordsForm
    actions = ["freeze", "unfreeze"]
    list_select_related = ("provider", "payer")
    search_fields = ("number", "subject", "provider__name", "payer__email", "booking__reference")
    date_hierarchy = "created_at"
    inlines = [InvoiceLineInline]

    @admin.display(description="total", ordering="total")
    def sum(self, invoice: Invoice) -> str:
        return format_money(invoice.total, invoice.currency)

    @admin.display(description="paid", ordering="paid_amount")
    def paid(self, invoice: Invoice) -> str:
        return format_money(invoice.paid_amount, invoice.currency)

    @admin.action(description="Keep the payout back (give the reason)", permissions=[Right.PAYOUTS])
    def freeze(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        by, now, words = staff_of(request), timezone.now(), request.POST.get("words", "")
        each(self, request, queryset, lambda row: payouts.freeze(row, reason=words, by=by, now=now), "kept back.")

    @admin.action(description="Let the payout go", permissions=[Right.PAYOUTS])
    def unfreeze(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        by, now = staff_of(request), timezone.now()
        each(self, request, queryset, lambda row: payouts.unfreeze(row, by=by, now=now), "no longer kept back.")


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ("amount", "state", "origin", "reason", "ref", "failure", "by", "done_at")


class DisputeInline(ReadOnly, admin.TabularInline):
    model = Dispute
    fields = ("ref", "amount", "fee", "state", "reason", "due_at")


class CallInline(ReadOnly, admin.TabularInline):
    model = GatewayCall
    fields = ("kind", "amount", "state", "attempts", "due_at", "last_error")


@admin.register(Payment)
class PaymentAdmin(ReadOnly, admin.ModelAdmin):
    """Money is given back from here: choose payments, say how much and why."""

    list_display = ("uid", "invoice", "gateway", "sum", "state", "refunded", "flagged", "failure_code", "created_at")
    list_filter = ("flagged", "state", "gateway", "method", "refunds__state")
    list_select_related = ("invoice",)
    search_fields = ("uid", "ref", "invoice__number", "invoice__subject", "invoice__payer__email")
    inlines = [RefundInline, DisputeInline, CallInline]
    action_form = RefundForm
    actions = ["give_back"]

    @admin.display(description="amount", ordering="amount")
    def sum(self, payment: Payment) -> str:
        return format_money(payment.amount, payment.currency)

    @admin.display(description="refunded", ordering="refunded_amount")
    def refunded(self, payment: Payment) -> str:
        return format_money(payment.refunded_amount, payment.currency)

    @admin.action(description="Give money back", permissions=[Right.REFUNDS])
    def give_back(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        form = RefundForm(request.POST)
        form.fields.pop("action")
        if not form.is_valid():
            self.message_user(request, "The amount is not a number above zero.", messages.ERROR)
            return
        asked, words, by, now = (
            form.cleaned_data["amount"],
            form.cleaned_data["words"],
            staff_of(request),
            timezone.now(),
        )

        def act(payment: Payment) -> None:
            amount = payment.refundable_amount if asked is None else asked.scaleb(exponent(payment.currency))
            if amount != int(amount):
                raise InvalidInput(f"{payment.currency} has no such amount.")
            refunds.request(payment, amount=int(amount), by=by, reason=words or "By Pet Place", now=now)

        each(self, request, queryset, act, "is being refunded.")


@admin.register(Refund)
class RefundAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("uid", "payment", "amount", "state", "origin", "reason", "failure", "created_at")
    list_filter = ("state", "origin")
    search_fields = ("uid", "ref", "payment__ref", "payment__invoice__number")


@admin.register(Dispute)
class DisputeAdmin(ReadOnly, admin.ModelAdmin):
    """What we know was collected when it came in; it is sent from here, with words of yours if you like."""

    list_display = ("ref", "payment", "sum", "state", "reason", "due_at", "submitted_at", "closed_at")
    list_filter = ("state",)
    list_select_related = ("payment",)
    search_fields = ("ref", "payment__ref", "payment__invoice__number")
    action_form = WordsForm
    actions = ["submit"]

    @admin.display(description="amount", ordering="amount")
    def sum(self, dispute: Dispute) -> str:
        return format_money(dispute.amount, dispute.payment.currency)

    @admin.action(description="Answer with the evidence", permissions=[Right.PAYOUTS])
    def submit(self, request: HttpRequest, queryset: QuerySet[Dispute]) -> None:
        by, now, words = staff_of(request), timezone.now(), request.POST.get("words", "")
        each(self, request, queryset, lambda row: disputes.submit(row, by=by, now=now, words=words), "is answered.")


@admin.register(GatewayCall)
class GatewayCallAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("key", "gateway", "kind", "state", "attempts", "due_at", "last_error", "done_at")
    list_filter = ("state", "kind", "gateway")
    search_fields = ("key", "payment__ref", "refund__payment__ref", "payout__ref")
    actions = ["send_again"]

    @admin.action(description="Make the call now", permissions=[Right.PAYOUTS])
    def send_again(self, request: HttpRequest, queryset: QuerySet[GatewayCall]) -> None:
        by, now = staff_of(request), timezone.now()
        each(self, request, queryset, lambda row: calls.send_again(row, by=by, now=now), "is due now.")


@admin.register(GatewayEvent)
class GatewayEventAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("event_id", "gateway", "kind", "object_ref", "state", "attempts", "error", "created_at")
    list_filter = ("state", "gateway", "kind")
    search_fields = ("event_id", "object_ref", "payment_uid")


class PayoutItemInline(ReadOnly, admin.TabularInline):
    model = PayoutItem
    fields = ("invoice", "amount", "currency", "due_at")


class PayoutApprovalInline(ReadOnly, admin.TabularInline):
    model = PayoutApproval
    fields = ("by", "at")


@admin.register(Payout)
class PayoutAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("uid", "provider", "sum", "state", "attempts", "last_error", "due_at", "paid_at")
    list_filter = ("state", "gateway", "currency")
    list_select_related = ("provider",)
    search_fields = ("uid", "ref", "provider__name")
    inlines = [PayoutApprovalInline, PayoutItemInline, CallInline]
    actions = ["approve", "send_again"]

    @admin.display(description="amount", ordering="amount")
    def sum(self, payout: Payout) -> str:
        return format_money(payout.amount, payout.currency)

    @admin.action(description="Approve (a large one needs two people)", permissions=[Right.PAYOUTS])
    def approve(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        by, now = staff_of(request), timezone.now()
        each(self, request, queryset, lambda row: payouts.approve(row, by=by, now=now), "is approved by you.")

    @admin.action(description="Send again", permissions=[Right.PAYOUTS])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Payout]) -> None:
        by, now = staff_of(request), timezone.now()
        each(self, request, queryset, lambda row: payouts.send_again(row, by=by, now=now), "is sent again.")


@admin.register(PayoutFreeze)
class PayoutFreezeAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("invoice", "reason", "by", "created_at", "until")
    list_select_related = ("invoice", "by")
    search_fields = ("invoice__number", "invoice__subject", "reason")


class LedgerLineInline(ReadOnly, admin.TabularInline):
    model = LedgerLine
    fields = ("account", "amount")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("key", "kind", "currency", "at", "invoice", "memo")
    list_filter = ("kind", "currency")
    list_select_related = ("invoice",)
    search_fields = ("key", "memo", "invoice__number", "payment__ref", "refund__ref", "payout__ref")
    date_hierarchy = "at"
    inlines = [LedgerLineInline]


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnly, admin.ModelAdmin):
    """The balances, debit positive."""

    list_display = ("kind", "provider", "detail", "balance")
    list_filter = ("kind", "currency")
    list_select_related = ("provider",)
    search_fields = ("provider__name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerAccount]:
        return super().get_queryset(request).annotate(sum=Sum("lines__amount"))

    @admin.display(ordering="sum")
    def balance(self, account: Any) -> str:
        return format_money(account.sum or 0, account.currency)


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("gateway", "since", "until", "movement_count", "healed_count", "difference_count", "error")
    list_filter = ("gateway",)


@admin.register(ReconciliationDifference)
class ReconciliationDifferenceAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("ref", "object_kind", "kind", "here", "there", "run", "created_at", "resolved_at", "note")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "kind", "object_kind")
    list_select_related = ("run",)
    search_fields = ("ref", "note")
    action_form = WordsForm
    actions = ["resolve"]

    @admin.display(description="our amount")
    def here(self, row: ReconciliationDifference) -> str:
        return "" if row.ours is None else format_money(row.ours, row.currency)

    @admin.display(description="the gateway's amount")
    def there(self, row: ReconciliationDifference) -> str:
        return "" if row.theirs is None else format_money(row.theirs, row.currency)

    @admin.action(description="Close (say what you found)", permissions=[Right.PAYOUTS])
    def resolve(self, request: HttpRequest, queryset: QuerySet[ReconciliationDifference]) -> None:
        by, now, words = staff_of(request), timezone.now(), request.POST.get("words", "")
        each(self, request, queryset, lambda row: reconciliation.resolve(row, by=by, note=words, now=now), "is closed.")


@admin.register(CommissionRule)
class CommissionRuleAdmin(admin.ModelAdmin):
    """What the platform takes from now on. Quotes and bookings that exist keep what they were made with."""

    list_display = ("whom", "provider_bp", "owner_bp", "cap")
    list_select_related = ("service__provider",)
    raw_id_fields = ("service",)

    def save_model(self, request: HttpRequest, obj: CommissionRule, form: Any, change: bool) -> None:
        before = terms.of_rule(CommissionRule.objects.filter(pk=obj.pk).first())
        super().save_model(request, obj, form, change)
        terms.record_commission(obj, before=before, after=terms.of_rule(obj), by=staff_of(request), now=timezone.now())

    def delete_model(self, request: HttpRequest, obj: CommissionRule) -> None:
        terms.record_commission(obj, before=terms.of_rule(obj), after=None, by=staff_of(request), now=timezone.now())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[CommissionRule]) -> None:
        for rule in queryset:
            self.delete_model(request, rule)

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
class PromoCodeAdmin(ByRight, admin.ModelAdmin):
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

    def save_model(self, request: HttpRequest, obj: PromoCode, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        terms.record_promo(obj, before=None, by=staff_of(request), now=timezone.now())

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

    @admin.action(description="End the chosen codes", permissions=[Right.TERMS])
    def end(self, request: HttpRequest, queryset: QuerySet[PromoCode]) -> None:
        """End each; one that has been ended already does not stop the rest."""
        for promo in queryset:
            try:
                promo_codes.end(promo, by=staff_of(request), now=timezone.now())
            except DomainError as error:
                self.message_user(request, f"{promo.code}: {error.message}", messages.WARNING)
            else:
                self.message_user(request, f"{promo.code} is ended.")
