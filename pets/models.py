"""Who is cared for."""

from datetime import date, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.templatetags.static import static
from django.urls import reverse

from accounts.models import User
from petplace.models import PublicModel
from pets.choices import CareKind, Sex, Species, Vaccine

EXPIRING = timedelta(days=30)


class PetQuerySet(models.QuerySet["Pet"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(owner_id=user.pk)

    def active(self) -> Self:
        return self.filter(archived_at__isnull=True)

    def archived(self) -> Self:
        return self.filter(archived_at__isnull=False)


class Pet(PublicModel):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="pets")
    name = models.CharField(max_length=60)
    species = models.CharField(max_length=20, choices=Species)
    breed = models.CharField(max_length=80, blank=True)
    sex = models.CharField(max_length=10, choices=Sex, default=Sex.UNKNOWN)
    birth_date = models.DateField(null=True, blank=True)
    weight_kg = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        validators=[MinValueValidator(0.01), MaxValueValidator(1500)],
        null=True,
        blank=True,
    )
    microchip = models.CharField(max_length=23, blank=True)
    photo = models.ImageField(upload_to="pets/", blank=True)

    temperament = models.TextField(max_length=1000, blank=True)
    feeding_notes = models.TextField(max_length=1000, blank=True)
    medication_notes = models.TextField(max_length=1000, blank=True)
    notes = models.TextField(max_length=2000, blank=True)
    vet_name = models.CharField(max_length=120, blank=True)
    vet_phone = models.CharField(max_length=40, blank=True)

    archived_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PetQuerySet.as_manager()

    class Meta:
        ordering = ("name", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(species__in=Species.values), name="pet_species_known"),
            models.CheckConstraint(
                condition=Q(weight_kg__isnull=True) | Q(weight_kg__gt=0), name="pet_weight_positive"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("pets:detail", args=[self.uid])

    @property
    def picture_url(self) -> str:
        """The photo's private address, or a drawing of the species."""
        return reverse("pets:photo", args=[self.uid]) if self.photo else static(f"img/species/{self.species}.svg")

    @property
    def is_archived(self) -> bool:
        return self.archived_at is not None

    def age_on(self, day: date) -> str:
        """Return the age in words, ``3 years`` or ``5 months``; nothing where the birth date is not known."""
        if self.birth_date is None or self.birth_date > day:
            return ""
        born = self.birth_date
        months = (day.year - born.year) * 12 + day.month - born.month - (day.day < born.day)
        count, unit = (months // 12, "year") if months >= 12 else (months, "month")
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def facts_on(self, day: date) -> str:
        """Return what a card says: ``Dog, Beagle, 3 years, 12.5 kg``."""
        weight = f"{self.weight_kg:f}".rstrip("0").rstrip(".") + " kg" if self.weight_kg is not None else ""
        return ", ".join(filter(None, (self.get_species_display(), self.breed, self.age_on(day), weight)))

    def current_vaccinations(self, day: date) -> list["Vaccination"]:
        """Return the longest of each vaccine, soonest to end first. Reads what is prefetched."""
        latest: dict[str, Vaccination] = {}
        for vaccination in sorted(self.vaccinations.all(), key=lambda one: (one.given_on <= day, one.valid_until)):
            latest[vaccination.vaccine] = vaccination
        return sorted(latest.values(), key=lambda one: one.valid_until)


class Vaccination(PublicModel):
    pet = models.ForeignKey(Pet, on_delete=models.CASCADE, related_name="vaccinations")
    vaccine = models.CharField(max_length=30, choices=Vaccine)
    given_on = models.DateField()
    valid_until = models.DateField()
    document = models.FileField(upload_to="vaccinations/", blank=True)

    class Meta:
        ordering = ("-valid_until", "pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(valid_until__gte=F("given_on")), name="vaccination_ends_after_start"),
            models.CheckConstraint(condition=Q(vaccine__in=Vaccine.values), name="vaccination_vaccine_known"),
        ]

    def __str__(self) -> str:
        return f"{self.get_vaccine_display()} until {self.valid_until}"

    def validity_on(self, day: date) -> str:
        """Return ``valid``, ``expiring`` (30 days or less are left) or ``expired``."""
        if self.valid_until < day:
            return "expired"
        return "expiring" if self.valid_until <= day + EXPIRING else "valid"

    def covers(self, day: date) -> bool:
        """Whether the pet is protected on ``day`` (a local date)."""
        return self.given_on <= day <= self.valid_until


class CareRecord(PublicModel):
    """One entry of a pet's treatment history."""

    pet = models.ForeignKey(Pet, on_delete=models.CASCADE, related_name="care_records")
    kind = models.CharField(max_length=20, choices=CareKind, default=CareKind.NOTE)
    on = models.DateField()
    note = models.TextField(max_length=4000)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    attachment = models.FileField(upload_to="care/", blank=True)

    class Meta:
        ordering = ("-on", "-pk")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} on {self.on}"
