"""What changes a price: commission and promo codes."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper

from payments.models.invoice import Invoice
from petplace.models import PublicModel
from providers.choices import ProviderKind
from providers.models import Provider, Service

WHOLE_BP = 10_000


class CommissionRule(PublicModel):
    """What the platform takes: ``provider_bp`` of the provider, ``owner_bp`` on top from the owner (basis points).

    The rule of a service goes before that of a kind of provider, that before the one for all. ``cap_amount`` limits
    each of the two, where the provider's currency is ``cap_currency``.
    """

    provider_kind = models.CharField(max_length=20, choices=ProviderKind, blank=True)
    service = models.OneToOneField(
        Service, on_delete=models.CASCADE, null=True, blank=True, related_name="commission_rule"
    )
    provider_bp = models.PositiveIntegerField(default=0)
    owner_bp = models.PositiveIntegerField(default=0)
    cap_amount = models.PositiveBigIntegerField(null=True, blank=True)
    cap_currency = models.CharField(max_length=3, blank=True)

    class Meta:
        ordering = ("pk",)
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(provider_bp__lte=WHOLE_BP, owner_bp__lte=WHOLE_BP), name="commission_is_a_share"
            ),
            models.CheckConstraint(
                condition=Q(service__isnull=True) | Q(provider_kind=""), name="commission_service_or_kind"
            ),
            models.CheckConstraint(
                condition=Q(cap_amount__isnull=True) ^ ~Q(cap_currency=""), name="commission_cap_has_currency"
            ),
            models.UniqueConstraint(
                fields=["provider_kind"], condition=Q(service__isnull=True), name="commission_kind_once"
            ),
        ]

    def __str__(self) -> str:
        if self.service is not None:
            return str(self.service)
        return self.get_provider_kind_display() or "Everybody"


class PromoCode(PublicModel):
    """A discount: ``percent_bp`` of the price, or ``amount`` in ``currency``. Without a provider it is the platform's.

    ``used_count`` only guards the limit, the redemptions tell what happened.
    """

    AUDIT_LABEL = "code"

    code = models.CharField(max_length=40)
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, null=True, blank=True, related_name="promo_codes")
    percent_bp = models.PositiveIntegerField(null=True, blank=True)
    amount = models.PositiveBigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    minimum_total = models.PositiveBigIntegerField(default=0)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    max_uses = models.PositiveIntegerField(null=True, blank=True)
    max_uses_per_person = models.PositiveIntegerField(null=True, blank=True)
    used_count = models.PositiveIntegerField(default=0, editable=False)
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ("code",)
        constraints: ClassVar = [
            models.UniqueConstraint(Upper("code"), name="promo_code_once"),
            models.CheckConstraint(
                condition=Q(percent_bp__isnull=False, amount__isnull=True)
                | Q(percent_bp__isnull=True, amount__isnull=False),
                name="promo_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(percent_bp__isnull=True) | Q(percent_bp__range=(1, WHOLE_BP)), name="promo_percent_possible"
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | (Q(amount__gt=0) & ~Q(currency="")), name="promo_amount_has_currency"
            ),
            models.CheckConstraint(condition=Q(minimum_total=0) | ~Q(currency=""), name="promo_minimum_has_currency"),
            models.CheckConstraint(
                condition=Q(max_uses__isnull=True) | Q(used_count__lte=F("max_uses")), name="promo_within_limit"
            ),
            models.CheckConstraint(
                condition=Q(starts_at__isnull=True) | Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")),
                name="promo_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def percent_text(self) -> str:
        """The percentage for people: ``10`` or ``7.5``."""
        return f"{(self.percent_bp or 0) / 100:g}"

    @property
    def is_platforms(self) -> bool:
        return self.provider_id is None


class PromoRedemption(PublicModel):
    """One use of a code, for one invoice. Given back (``released_at``) when nothing came of it."""

    promo = models.ForeignKey(PromoCode, on_delete=models.PROTECT, related_name="redemptions")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="promo_redemptions")
    invoice = models.OneToOneField(Invoice, on_delete=models.PROTECT, related_name="promo_redemption")
    amount = models.PositiveBigIntegerField(default=0)
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("pk",)
        indexes: ClassVar = [
            models.Index(fields=["promo", "user"], name="promo_uses", condition=Q(released_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.promo_id} for {self.invoice_id}"
