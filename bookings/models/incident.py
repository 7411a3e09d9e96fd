"""What endangered somebody: reported by either side of a booking or by staff, and followed until it is resolved."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from bookings.models.booking import Booking
from bookings.states import Side
from petplace.models import PublicModel
from providers.models import Provider


class IncidentKind(models.TextChoices):
    INJURY = "injury", "A person or animal was hurt"
    LOST_PET = "lost_pet", "A pet is or was lost"
    NEGLECT = "neglect", "A pet was not cared for"
    THREAT = "threat", "Threat, violence or harassment"
    PROPERTY = "property", "Damage or theft"
    FRAUD = "fraud", "Somebody is not who they say"
    OTHER = "other", "Something else"


class Severity(models.IntegerChoices):
    LOW = 1, "Low"
    MEDIUM = 2, "Medium"
    HIGH = 3, "High"
    CRITICAL = 4, "Critical"


class IncidentState(models.TextChoices):
    OPEN = "open", "Open"
    IN_PROGRESS = "in_progress", "Being looked at"
    RESOLVED = "resolved", "Resolved"


class IncidentQuerySet(models.QuerySet["Incident"]):
    def waiting(self) -> Self:
        """Those that are not resolved, the most severe first, then the longest waiting."""
        return self.exclude(state=IncidentState.RESOLVED).order_by("-severity", "made_at", "pk")


class Incident(PublicModel):
    """A safety report about a provider or a person. Only staff read it, and who wrote it reads what was decided."""

    objects = IncidentQuerySet.as_manager()

    kind = models.CharField(max_length=10, choices=IncidentKind)
    severity = models.PositiveSmallIntegerField(choices=Severity, default=Severity.MEDIUM)
    state = models.CharField(max_length=12, choices=IncidentState, default=IncidentState.OPEN)
    text = models.TextField(max_length=4000)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    side = models.CharField(max_length=10, choices=Side)
    made_at = models.DateTimeField()

    booking = models.ForeignKey(Booking, on_delete=models.PROTECT, null=True, blank=True, related_name="incidents")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, null=True, blank=True, related_name="incidents")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="incidents"
    )

    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolution = models.TextField(max_length=2000, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-severity", "made_at", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="incident_has_text"),
            models.CheckConstraint(condition=Q(severity__range=(1, 4)), name="incident_severity_known"),
            models.CheckConstraint(condition=Q(state__in=IncidentState.values), name="incident_state_known"),
            models.CheckConstraint(
                condition=Q(provider__isnull=False) | Q(person__isnull=False), name="incident_about_somebody"
            ),
            models.CheckConstraint(
                condition=Q(state="resolved", resolved_at__isnull=False, resolved_by__isnull=False)
                | (~Q(state="resolved") & Q(resolved_at__isnull=True, resolved_by__isnull=True)),
                name="incident_resolved_by_somebody",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["-severity", "made_at"], name="incident_queue", condition=~Q(state="resolved")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.provider or self.person}"

    @property
    def is_open(self) -> bool:
        return self.state != IncidentState.RESOLVED


class IncidentNote(models.Model):
    """What staff found out or did. Never changed."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="notes")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    at = models.DateTimeField()

    class Meta:
        ordering = ("at", "pk")

    def __str__(self) -> str:
        return self.text[:60]
