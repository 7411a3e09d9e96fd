"""Forms of the provider's finances. They clean input; rules are the domain's."""

from typing import Any

from django import forms
from django.utils import timezone

from payments.domain import finance
from payments.models import ExpenseCategory, Invoice
from petplace.money import format_money
from petplace.uploads import DocumentField
from providers.forms.base import DomainForm, Group, LocalDateTimeField, MoneyField, RateField
from providers.models import Provider

WHOLE_BP = 10_000
MAX_AMOUNT = 1_000_000_000


class PromoCodeForm(DomainForm):
    """A new promo code of a provider. Times are those of the provider's first branch."""

    code = forms.CharField(max_length=40, help_text="4 to 40 letters, digits and hyphens: WELCOME-10.")
    takes = forms.ChoiceField(
        choices=(("percent", "A percentage"), ("amount", "An amount")), label="It takes off", initial="percent"
    )
    percent_bp = RateField(max_bp=WHOLE_BP, required=False, label="Percent")
    max_uses = forms.IntegerField(
        min_value=1, max_value=1_000_000, required=False, label="Uses in all", help_text="Empty: no limit."
    )
    max_uses_per_person = forms.IntegerField(
        min_value=1,
        max_value=1_000_000,
        required=False,
        label="Uses per person",
        initial=1,
        help_text="Empty: no limit.",
    )

    groups = (
        Group(
            "A new code",
            ("code", "takes", "percent_bp", "amount"),
            "The discount is yours: it is taken off your prices, and fees and taxes shrink with it.",
            wide=("code",),
        ),
        Group("When it counts", ("starts_at", "ends_at", "minimum_total")),
        Group("How often", ("max_uses", "max_uses_per_person")),
    )

    def __init__(self, *args: Any, provider: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = provider.currency
        branch = provider.branches.order_by("pk").first()
        zone = branch.zone if branch else None
        self.fields["amount"] = MoneyField(currency=currency, required=False, label=f"Amount ({currency})")
        self.fields["minimum_total"] = MoneyField(
            currency=currency, required=False, label=f"From a price of ({currency})", help_text="Before the discount."
        )
        if zone is not None:
            where = f"Clock of {zone.key}."
            self.fields["starts_at"] = LocalDateTimeField(zone=zone, required=False, label="From", help_text=where)
            self.fields["ends_at"] = LocalDateTimeField(zone=zone, required=False, label="Until", help_text=where)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        is_percent = data.pop("takes", "percent") == "percent"
        if is_percent:
            data["amount"] = None
            if not data.get("percent_bp") and "percent_bp" not in self.errors:
                self.add_error("percent_bp", "Say how many percent.")
        else:
            data["percent_bp"] = None
            if not data.get("amount") and "amount" not in self.errors:
                self.add_error("amount", "Say how much.")
        data["minimum_total"] = data.get("minimum_total") or 0
        return data


class PeriodForm(forms.Form):
    """The period of the finance page; what is wrong or left out is this year by month."""

    by = forms.ChoiceField(choices=[(one, one.capitalize()) for one in finance.GROUPINGS], required=False)
    year = forms.IntegerField(min_value=finance.FIRST_YEAR, max_value=finance.LAST_YEAR, required=False)

    def chosen(self, provider: Provider) -> tuple[str, int]:
        self.is_valid()
        data: dict[str, Any] = self.cleaned_data
        return data.get("by") or "month", data.get("year") or finance.this_year(provider, timezone.now())


class CashForm(DomainForm):
    """How much an owner has paid at the visit."""

    def __init__(self, *args: Any, invoice: Invoice, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        left = format_money(invoice.outstanding, invoice.currency)
        self.fields["amount"] = MoneyField(
            currency=invoice.currency, max_value=MAX_AMOUNT, label=f"Amount in {invoice.currency}",
            initial=invoice.outstanding, help_text=f"{left} is open. A part is fine, too.",
        )  # fmt: skip


class ExpenseForm(DomainForm):
    category = forms.ChoiceField(choices=ExpenseCategory)
    on = forms.DateField(label="Date", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    note = forms.CharField(max_length=300, required=False, label="Note", help_text="What it was, and from whom.")
    receipt = DocumentField(required=False, label="Receipt")
    groups = (Group("What you spent", ("category", "amount", "on", "receipt", "note"), wide=("note",)),)

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"] = MoneyField(currency=currency, max_value=MAX_AMOUNT, label=f"Amount in {currency}")
