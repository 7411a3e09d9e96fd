"""Where care happens, and the things that can be in one place at a time."""

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GistIndex
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.validators import validate_time_zone
from petplace.fields import Mercator, PointField
from petplace.models import PublicModel
from providers.choices import ResourceKind, ServiceKind
from providers.models.provider import Provider


class Branch(PublicModel):
    """A place of a provider. This is the row that the search walks.

    ``mercator``, ``offer_mask`` and ``is_listed`` are derived: ``providers.domain.listing.refresh`` keeps them true.
    ``mercator`` is the approximate point: whoever could search, sort or filter by the true one could find the address
    by asking from many places.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="branches")
    name = models.CharField(max_length=120)
    address = models.CharField(max_length=250)
    city = models.CharField(max_length=120, blank=True)
    country = models.CharField(max_length=2, blank=True)  # ISO 3166-1 alpha-2, decides the public holidays
    latitude = models.FloatField(validators=[MinValueValidator(-85), MaxValueValidator(85)])
    longitude = models.FloatField(validators=[MinValueValidator(-180), MaxValueValidator(180)])
    time_zone = models.CharField(max_length=64, validators=[validate_time_zone])
    service_radius_km = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(500)]
    )
    is_active = models.BooleanField(default=True)

    mercator = PointField(editable=False)
    # What the public sees instead of the address: a point shifted once, by up to some hundred meters, and stored.
    approximate_latitude = models.FloatField(editable=False)
    approximate_longitude = models.FloatField(editable=False)
    offer_mask = models.BigIntegerField(default=0, editable=False)
    is_listed = models.BooleanField(default=False, editable=False)

    class Meta:
        ordering = ("name", "pk")
        verbose_name_plural = "branches"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(latitude__range=(-85, 85), longitude__range=(-180, 180)), name="branch_on_earth"
            ),
        ]
        indexes: ClassVar = [
            GistIndex(
                fields=["mercator"],
                name="branch_near",
                include=["offer_mask", "id", "provider", "service_radius_km"],
                condition=Q(is_listed=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.mercator = Mercator.from_degrees(self.approximate_latitude, self.approximate_longitude)
        super().save(*args, **kwargs)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def hours_note(self) -> str:
        return f"At {self.name}. All times are local to {self.time_zone.replace('_', ' ')}."


class Resource(PublicModel):
    """A thing that can be in one place at a time: a person, room, kennel place, table, van."""

    branch = models.ForeignKey(Branch, on_delete=models.CASCADE, related_name="resources")
    kind = models.CharField(max_length=10, choices=ResourceKind)
    name = models.CharField(max_length=120)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="resources"
    )
    # Kinds of service that it can be used for; empty means every kind.
    skills = ArrayField(models.CharField(max_length=20, choices=ServiceKind), default=list, blank=True)
    is_active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)
    # Kinds of papers that ran out or are missing, and so switched it off by themselves.
    paused_for = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ("kind", "position", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=ResourceKind.values), name="resource_kind_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["branch", "kind"], name="resource_in_use", condition=Q(is_active=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def skill_labels(self) -> str:
        return ", ".join(ServiceKind(skill).label.lower() for skill in self.skills)


class Certification(PublicModel):
    """What a person has learned and can prove."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="certifications")
    name = models.CharField(max_length=120)
    issued_by = models.CharField(max_length=120, blank=True)
    valid_until = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ("name", "pk")

    def __str__(self) -> str:
        return self.name


class PublicHoliday(models.Model):
    """A public holiday of a country: its nights and visits cost the holiday rate. From the ``holidays`` package."""

    country = models.CharField(max_length=2)
    on = models.DateField()
    name = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["country", "on"], name="public_holiday_once")]

    def __str__(self) -> str:
        return f"{self.name} ({self.country} {self.on})"
