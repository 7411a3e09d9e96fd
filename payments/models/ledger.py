"""Double entry. Rows are only ever added: the database refuses to change or remove one (migration 0002)."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from payments.models.charge import Dispute, Payment, Refund
from payments.models.invoice import Invoice
from payments.models.payout import Payout
from petplace.models import PublicModel
from providers.models import Provider


class AccountKind(models.TextChoices):
    GATEWAY_CLEARING = "gateway_clearing", "At the gateway"
    CUSTOMER_FUNDS = "customer_funds", "Customers' funds"
    PROVIDER_PAYABLE = "provider_payable", "Owed to the provider"
    TAX_PAYABLE = "tax_payable", "Tax for the provider"
    TIPS_PAYABLE = "tips_payable", "Tips for the provider"
    PLATFORM_FEES = "platform_fees", "Platform fees"
    PROMOTIONS = "promotions", "Promotions"
    DISPUTES = "disputes", "Disputes"
    CASH = "cash", "Cash taken at the visit"
    GATEWAY_FEES = "gateway_fees", "Gateway fees"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit", "Payouts on their way"


# What the platform and a provider owe each other: these accounts, and only these, make up a payout.
PROVIDER_SIDE = (
    AccountKind.PROVIDER_PAYABLE,
    AccountKind.TAX_PAYABLE,
    AccountKind.TIPS_PAYABLE,
    AccountKind.CASH,
)


class EntryKind(models.TextChoices):
    CAPTURE = "capture", "Payment"
    CASH = "cash", "Cash at the visit"
    REFUND = "refund", "Refund"
    REFUND_FAILED = "refund_failed", "Refund that failed"
    DISPUTE = "dispute", "Dispute opened"
    DISPUTE_FEE = "dispute_fee", "Dispute fee"
    DISPUTE_WON = "dispute_won", "Dispute won"
    DISPUTE_LOST = "dispute_lost", "Dispute lost"
    RECOGNITION = "recognition", "Earned"
    PAYOUT = "payout", "Payout"
    PAYOUT_PAID = "payout_paid", "Payout paid"
    GATEWAY_FEE = "gateway_fee", "Gateway fee"


class LedgerAccount(models.Model):
    """``detail`` names the gateway of a clearing account."""

    kind = models.CharField(max_length=20, choices=AccountKind)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    currency = models.CharField(max_length=3)
    detail = models.CharField(max_length=20, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "provider", "currency", "detail"], name="ledger_account_once", nulls_distinct=False
            ),
            models.CheckConstraint(condition=Q(kind__in=AccountKind.values), name="ledger_account_kind_known"),
            models.CheckConstraint(
                condition=Q(
                    kind__in=["provider_payable", "tax_payable", "tips_payable", "cash", "payouts_in_transit"],
                    provider__isnull=False,
                )
                | Q(
                    kind__in=[
                        "gateway_clearing", "customer_funds", "platform_fees", "promotions", "disputes", "gateway_fees",
                    ],
                    provider__isnull=True,
                ),
                name="ledger_account_provider_fits",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return " ".join(filter(None, [self.get_kind_display(), self.detail, self.currency]))


class LedgerEntry(PublicModel):
    """What happened. ``key`` makes it once, so that a replay posts nothing."""

    kind = models.CharField(max_length=20, choices=EntryKind)
    key = models.CharField(max_length=120, unique=True)
    currency = models.CharField(max_length=3)
    at = models.DateTimeField()
    memo = models.CharField(max_length=300, blank=True)
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    dispute = models.ForeignKey(Dispute, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="entries")

    class Meta:
        ordering = ("pk",)
        verbose_name_plural = "ledger entries"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=EntryKind.values), name="ledger_entry_kind_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["at"], name="ledger_entry_at")]

    def __str__(self) -> str:
        return self.key


class LedgerLine(models.Model):
    """Debit is positive, credit negative. The lines of an entry sum to zero (deferred trigger)."""

    entry = models.ForeignKey(LedgerEntry, on_delete=models.PROTECT, related_name="lines")
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="lines")
    amount = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_line_not_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.amount}"
