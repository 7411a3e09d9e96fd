"""The daily comparison of our ledger with what the gateway says that it did."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from petplace.models import PublicModel


class DifferenceKind(models.TextChoices):
    MISSING_HERE = "missing_here", "The gateway has it, we do not"
    MISSING_THERE = "missing_there", "We have it, the gateway does not"
    AMOUNT = "amount", "The amounts differ"


class ReconciliationRun(PublicModel):
    gateway = models.CharField(max_length=20)
    since = models.DateTimeField()
    until = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    movement_count = models.PositiveIntegerField(default=0)
    healed_count = models.PositiveIntegerField(default=0)
    difference_count = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=1000, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(until__gt=models.F("since")), name="reconciliation_ends_after_start"),
        ]

    def __str__(self) -> str:
        return f"{self.gateway}, {self.since:%Y-%m-%d}"


class ReconciliationDifference(PublicModel):
    """``ours`` and ``theirs`` are signed amounts of the gateway's balance, null where there is none."""

    run = models.ForeignKey(ReconciliationRun, on_delete=models.CASCADE, related_name="differences")
    kind = models.CharField(max_length=15, choices=DifferenceKind)
    object_kind = models.CharField(max_length=20)
    ref = models.CharField(max_length=255)
    currency = models.CharField(max_length=3)
    ours = models.BigIntegerField(null=True)
    theirs = models.BigIntegerField(null=True)
    note = models.CharField(max_length=300, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-pk",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=DifferenceKind.values), name="difference_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.ref}"
