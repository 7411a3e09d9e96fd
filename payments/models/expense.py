"""What a provider spends: it stands in the provider's own figures, not in the ledger."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from petplace.models import PublicModel
from providers.models import Provider


class ExpenseCategory(models.TextChoices):
    SUPPLIES = "supplies", "Food and supplies"
    EQUIPMENT = "equipment", "Equipment"
    RENT = "rent", "Rent"
    TRAVEL = "travel", "Travel"
    INSURANCE = "insurance", "Insurance"
    STAFF = "staff", "Staff"
    MARKETING = "marketing", "Marketing"
    TRAINING = "training", "Training"
    FEES = "fees", "Fees and taxes"
    OTHER = "other", "Other"


class Expense(PublicModel):
    """``receipt`` is a private file."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="expenses")
    category = models.CharField(max_length=20, choices=ExpenseCategory)
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    on = models.DateField()
    note = models.CharField(max_length=300, blank=True)
    receipt = models.FileField(upload_to="receipts/", blank=True)

    class Meta:
        ordering = ("-on", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="expense_amount_positive"),
            models.CheckConstraint(condition=Q(category__in=ExpenseCategory.values), name="expense_category_known"),
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "-on"], name="expense_of_provider")]

    def __str__(self) -> str:
        return f"{self.get_category_display()}, {self.on}"
