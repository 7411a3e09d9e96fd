"""What providers are paid out."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from payments.models.invoice import Invoice
from payments.states import PayoutState
from petplace.models import PublicModel
from providers.models import Provider


class PayoutAccount(PublicModel):
    """Where a gateway sends a provider's money."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="payout_accounts")
    gateway = models.CharField(max_length=20)
    ref = models.CharField(max_length=255)
    is_ready = models.BooleanField(default=False)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "gateway"], name="payout_account_once"),
            models.UniqueConstraint(fields=["gateway", "ref"], name="payout_account_ref_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} at {self.gateway}"


class Payout(PublicModel):
    """One transfer to a provider, in one currency. ``attempts`` counts those that were refused."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="payouts")
    account = models.ForeignKey(PayoutAccount, on_delete=models.PROTECT, related_name="payouts")
    gateway = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=PayoutState, default=PayoutState.WAITING)
    ref = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 (unique where there is one)
    attempts = models.PositiveIntegerField(default=0)
    approvals_needed = models.PositiveSmallIntegerField(default=0, db_default=0)
    due_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payout_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=PayoutState.values), name="payout_state_known"),
            models.CheckConstraint(condition=~Q(state="paid") | Q(paid_at__isnull=False), name="payout_paid_has_time"),
            models.UniqueConstraint(fields=["gateway", "ref"], name="payout_ref_once"),
        ]

    def __str__(self) -> str:
        return f"Payout {self.uid}"

    @property
    def is_paid(self) -> bool:
        return self.state == PayoutState.PAID

    @property
    def is_to_approve(self) -> bool:
        return self.state == PayoutState.TO_APPROVE

    @property
    def is_failed(self) -> bool:
        return self.state == PayoutState.FAILED


class PayoutApproval(models.Model):
    """One administrator has looked at a large payout and lets it go. Each counts once."""

    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, related_name="approvals", db_index=False)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payout", "by"], name="payout_approval_once"),
        ]

    def __str__(self) -> str:
        return f"{self.by}, {self.at:%Y-%m-%d %H:%M}"


class PayoutItemQuerySet(models.QuerySet["PayoutItem"]):
    def waiting(self) -> Self:
        return self.filter(payout__isnull=True)

    def due(self, now: datetime) -> Self:
        """Those that are due, in no payout yet, and not frozen by a complaint or a dispute."""
        frozen = PayoutFreeze.objects.active(now).values("invoice_id")
        return (
            self.waiting()
            .filter(due_at__lte=now)
            .exclude(invoice_id__in=frozen)
            .exclude(invoice__parent_id__isnull=False, invoice__parent_id__in=frozen)
        )


class PayoutItem(models.Model):
    """A provider's side of one ledger entry: what it brings, or (negative) takes back."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="payout_items")
    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="payout_items")
    entry = models.OneToOneField("payments.LedgerEntry", on_delete=models.PROTECT, related_name="payout_item")
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    due_at = models.DateTimeField()
    payout = models.ForeignKey(Payout, on_delete=models.PROTECT, null=True, blank=True, related_name="items")

    objects = PayoutItemQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(amount=0), name="payout_item_not_zero"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["provider", "due_at"], name="payout_item_due", condition=Q(payout__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class PayoutFreezeQuerySet(models.QuerySet["PayoutFreeze"]):
    def active(self, now: datetime) -> Self:
        return self.filter(Q(until__isnull=True) | Q(until__gt=now))


class PayoutFreeze(PublicModel):
    """A complaint or a dispute: until it is lifted (``until``), what the family of ``invoice`` earned stays here."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="freezes")
    dispute = models.OneToOneField(
        "payments.Dispute", on_delete=models.PROTECT, null=True, blank=True, related_name="freeze"
    )
    reason = models.CharField(max_length=300)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    until = models.DateTimeField(null=True, blank=True)

    objects = PayoutFreezeQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(reason=""), name="payout_freeze_has_reason"),
        ]

    def __str__(self) -> str:
        return self.reason
