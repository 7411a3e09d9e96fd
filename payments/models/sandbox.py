"""What the sandbox gateway remembers: it plays a payment service that lives elsewhere.

Only ``payments.gateways.sandbox`` and its webhooks write these tables, and nothing else of ours reads them.
"""

import secrets
from typing import ClassVar

from django.db import models
from django.db.models import F, Q


def new_ref(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


class SandboxCharge(models.Model):
    """A payment. Who has its ``ref`` may pay it, so that cannot be guessed."""

    ref = models.CharField(max_length=40, unique=True)
    key = models.CharField(max_length=255, unique=True)
    request = models.JSONField()
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    is_manual = models.BooleanField()
    description = models.CharField(max_length=1000, blank=True)
    metadata = models.JSONField(default=dict)
    return_url = models.CharField(max_length=1000)
    state = models.CharField(max_length=20, default="requires_payment")
    card = models.CharField(max_length=30, blank=True)
    failure_code = models.CharField(max_length=40, blank=True)
    captured_amount = models.BigIntegerField(default=0)
    refunded_amount = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    captured_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(refunded_amount__gte=0)
                & Q(refunded_amount__lte=F("captured_amount"))
                & Q(captured_amount__lte=F("amount")),
                name="sandbox_charge_amounts_in_order",
            ),
        ]

    def __str__(self) -> str:
        return self.ref


class SandboxRefund(models.Model):
    ref = models.CharField(max_length=40, unique=True)
    key = models.CharField(max_length=255, unique=True)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.CASCADE, related_name="refunds")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=20, default="succeeded")
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.ref


class SandboxDispute(models.Model):
    ref = models.CharField(max_length=40, unique=True)
    charge = models.ForeignKey(SandboxCharge, on_delete=models.CASCADE, related_name="disputes")
    amount = models.BigIntegerField()
    fee = models.BigIntegerField()
    state = models.CharField(max_length=20)
    reason = models.CharField(max_length=40)
    evidence = models.JSONField(default=dict)
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.ref


class SandboxAccount(models.Model):
    """A provider's account. ``return_url`` is where its onboarding page leads back to."""

    ref = models.CharField(max_length=40, unique=True)
    key = models.CharField(max_length=255, unique=True)
    email = models.CharField(max_length=254)
    country = models.CharField(max_length=2)
    is_ready = models.BooleanField(default=False)
    return_url = models.CharField(max_length=1000, blank=True)

    def __str__(self) -> str:
        return self.ref


class SandboxTransfer(models.Model):
    ref = models.CharField(max_length=40, unique=True)
    key = models.CharField(max_length=255, unique=True)
    account = models.ForeignKey(SandboxAccount, on_delete=models.CASCADE, related_name="transfers")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=10)
    failure = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.ref


class SandboxEvent(models.Model):
    """A webhook on its way. ``repeats_left`` counts how often it is still to be posted."""

    ref = models.CharField(max_length=40, unique=True)
    kind = models.CharField(max_length=40)
    payload = models.JSONField()
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    repeats_left = models.PositiveSmallIntegerField(default=1)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due_at"], condition=Q(repeats_left__gt=0), name="sandbox_event_due"),
        ]

    def __str__(self) -> str:
        return self.ref
