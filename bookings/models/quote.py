"""The price, explained and kept."""

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from payments.models import LineKind, PromoCode
from petplace.models import PublicModel
from pets.models import Pet
from providers.models import AddOn, Service


class Quote(PublicModel):
    """What one service costs for these pets at this time. Good until ``expires_at``, then asked again.

    ``cancellation`` is the snapshot of the refund table (``bookings.domain.cancellation.Terms.as_json``). The other
    figures are those of ``bookings.domain.pricing.Price``: they go with the lines onto the invoice. ``prepay_amount``
    is what must be paid before the booking is placed.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    pets = models.ManyToManyField(Pet, related_name="+")
    addons = models.ManyToManyField(AddOn, related_name="+", blank=True)
    currency = models.CharField(max_length=3)
    total = models.BigIntegerField()
    promo = models.ForeignKey(PromoCode, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    prepay_amount = models.BigIntegerField(default=0, db_default=0)
    tax_rate_bp = models.PositiveIntegerField(default=0, db_default=0)
    is_tax_inclusive = models.BooleanField(default=False, db_default=False)
    tax_amount = models.BigIntegerField(default=0, db_default=0)
    owner_fee = models.BigIntegerField(default=0, db_default=0)
    commission = models.BigIntegerField(default=0, db_default=0)
    subsidy = models.BigIntegerField(default=0, db_default=0)
    cancellation = models.JSONField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="quote_ends_after_start"),
            models.CheckConstraint(condition=Q(total__gte=0), name="quote_total_not_negative"),
            models.CheckConstraint(
                condition=Q(prepay_amount__gte=0, prepay_amount__lte=F("total")), name="quote_prepay_possible"
            ),
            models.CheckConstraint(
                condition=Q(tax_amount__gte=0, owner_fee__gte=0, total__gte=F("tax_amount") + F("owner_fee")),
                name="quote_parts_within_total",
            ),
            models.CheckConstraint(
                condition=Q(
                    commission__gte=0,
                    subsidy__gte=0,
                    commission__lte=F("total") - F("tax_amount") - F("owner_fee") + F("subsidy"),
                ),
                name="quote_commission_possible",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service} {self.starts_at:%Y-%m-%d %H:%M}"

    @property
    def is_paid_at_visit(self) -> bool:
        """Whether something is left to be paid at the visit: all of it, or the rest after a deposit."""
        return self.prepay_amount < self.total or not self.total

    def is_expired(self, *, now: datetime) -> bool:
        return self.expires_at <= now


class QuoteLine(models.Model):
    quote = models.ForeignKey(Quote, on_delete=models.CASCADE, related_name="lines")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20, choices=LineKind)
    description = models.CharField(max_length=250)
    quantity = models.PositiveIntegerField(default=1)
    unit_amount = models.BigIntegerField()
    amount = models.BigIntegerField()

    class Meta:
        ordering = ("position",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["quote", "position"], name="quote_line_position_once"),
            models.CheckConstraint(
                condition=Q(amount=F("quantity") * F("unit_amount")), name="quote_line_amount_is_product"
            ),
        ]

    def __str__(self) -> str:
        return self.description
