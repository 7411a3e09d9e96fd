"""Which rows of money are a person's own: what they were billed and paid, and the costs of the business they manage."""

from accounts.domain import exporting
from payments.models import (
    Expense,
    Invoice,
    InvoiceLine,
    Payment,
    Payout,
    PayoutAccount,
    PromoRedemption,
    Refund,
)
from providers.exports import managed

INSIDE = ("owner_fee", "commission", "subsidy", "earned_at", "payout_due_at")


def register() -> None:
    exporting.register(
        Invoice, lambda user: Invoice.objects.filter(payer=user), skip=("payer", *INSIDE), names=("provider__name",)
    )
    exporting.register(
        InvoiceLine, lambda user: InvoiceLine.objects.filter(invoice__payer=user), names=("invoice__number",)
    )
    exporting.register(
        Payment, lambda user: Payment.objects.filter(invoice__payer=user), skip=("by", "return_url", "ref")
    )
    exporting.register(
        Refund, lambda user: Refund.objects.filter(payment__invoice__payer=user), skip=("by", "key", "ref")
    )
    exporting.register(
        PromoRedemption, lambda user: PromoRedemption.objects.filter(user=user), skip=("user",), names=("promo__code",)
    )
    exporting.register(Expense, lambda user: Expense.objects.filter(provider__in=managed(user)))
    exporting.register(PayoutAccount, lambda user: PayoutAccount.objects.filter(provider__in=managed(user)))
    exporting.register(Payout, lambda user: Payout.objects.filter(provider__in=managed(user)), skip=("last_error",))
