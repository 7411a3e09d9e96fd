"""What is sold."""

from datetime import time
from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from petplace.models import PublicModel
from pets.choices import Species, Vaccine
from providers.choices import APPOINTMENT_KINDS, ICONS, PaymentPolicy, ResourceKind, ServiceKind
from providers.models.place import Branch
from providers.models.provider import Provider
from providers.states import ProviderState

MAX_PRICE = 1_000_000_00  # minor units; a guard against slips of the finger


class ServiceQuerySet(models.QuerySet["Service"]):
    def active(self) -> Self:
        return self.filter(is_active=True, branch__is_active=True)

    def bookable(self) -> Self:
        """Active ones of approved providers."""
        return self.active().filter(provider__state=ProviderState.APPROVED)


class Service(PublicModel):
    """One thing that can be booked. Prices are minor units of the provider's currency.

    A timed service lasts ``duration_minutes``; an overnight one runs from a local check-in to a local check-out and is
    priced by the night. While it is booked it occupies one resource of each kind in ``needs``.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="services")
    branch = models.ForeignKey(Branch, on_delete=models.PROTECT, related_name="services")
    kind = models.CharField(max_length=20, choices=ServiceKind)
    name = models.CharField(max_length=120)
    description = models.TextField(max_length=2000, blank=True)

    is_overnight = models.BooleanField(default=False)
    duration_minutes = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(5), MaxValueValidator(24 * 60)]
    )
    check_in = models.TimeField(default=time(15))
    check_out = models.TimeField(default=time(11))

    price = models.PositiveBigIntegerField(validators=[MaxValueValidator(MAX_PRICE)])
    extra_pet_price = models.PositiveBigIntegerField(default=0, validators=[MaxValueValidator(MAX_PRICE)])
    holiday_percent = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(300)])

    species = ArrayField(models.CharField(max_length=20, choices=Species))
    max_weight_kg = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0.1), MaxValueValidator(1500)],
    )
    max_pets = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1), MaxValueValidator(20)])
    required_vaccines = ArrayField(models.CharField(max_length=30, choices=Vaccine), default=list, blank=True)
    needs = ArrayField(models.CharField(max_length=10, choices=ResourceKind))

    buffer_before_minutes = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(480)])
    buffer_after_minutes = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(480)])
    minimum_notice_minutes = models.PositiveIntegerField(default=120, validators=[MaxValueValidator(60 * 24 * 60)])
    maximum_advance_days = models.PositiveSmallIntegerField(
        default=180, validators=[MinValueValidator(1), MaxValueValidator(400)]
    )
    slot_step_minutes = models.PositiveSmallIntegerField(
        default=30, validators=[MinValueValidator(5), MaxValueValidator(24 * 60)]
    )
    is_instant = models.BooleanField(default=False)
    payment_policy = models.CharField(max_length=10, choices=PaymentPolicy, default=PaymentPolicy.AT_VISIT)
    # Of the total, paid when booking; used with the policy "deposit" alone.
    deposit_percent = models.PositiveSmallIntegerField(
        default=20, db_default=20, validators=[MinValueValidator(1), MaxValueValidator(99)]
    )
    is_active = models.BooleanField(default=True)
    # Kinds of papers that ran out or are missing, and so switched it off by themselves.
    paused_for = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ("kind", "price", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=ServiceKind.values), name="service_kind_known"),
            models.CheckConstraint(
                condition=Q(is_overnight=True) | Q(duration_minutes__isnull=False, duration_minutes__range=(5, 1440)),
                name="service_timed_has_duration",
            ),
            models.CheckConstraint(condition=Q(max_pets__range=(1, 20)), name="service_pets_possible"),
            models.CheckConstraint(condition=Q(slot_step_minutes__gte=5), name="service_step_possible"),
            models.CheckConstraint(condition=Q(maximum_advance_days__range=(1, 400)), name="service_window_possible"),
            models.CheckConstraint(condition=Q(needs__len__gte=1), name="service_needs_something"),
            models.CheckConstraint(condition=Q(species__len__gte=1), name="service_takes_some_species"),
            models.CheckConstraint(
                condition=Q(price__lte=MAX_PRICE, extra_pet_price__lte=MAX_PRICE), name="service_price_sane"
            ),
            models.CheckConstraint(condition=Q(deposit_percent__range=(1, 99)), name="service_deposit_possible"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["branch", "kind"],
                name="service_of_branch",
                condition=Q(is_active=True),
                include=["price", "extra_pet_price", "duration_minutes", "max_pets", "is_overnight"],
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def icon(self) -> str:
        """The name of the icon of its kind."""
        return ICONS[ServiceKind(self.kind)]

    @property
    def is_appointment(self) -> bool:
        return self.kind in APPOINTMENT_KINDS

    @property
    def currency(self) -> str:
        return self.provider.currency


class AddOn(PublicModel):
    """An extra that can be booked with a service, for a price per booking in minor units."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="addons")
    name = models.CharField(max_length=120)
    price = models.PositiveBigIntegerField(validators=[MaxValueValidator(MAX_PRICE)])
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering = ("price", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(price__lte=MAX_PRICE), name="addon_price_sane"),
        ]

    def __str__(self) -> str:
        return self.name
