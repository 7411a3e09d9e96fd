"""The words of the trade: kinds of providers, services, resources, papers."""

from django.db import models

from pets.choices import Species


class ProviderKind(models.TextChoices):
    SITTER = "sitter", "Sitter"
    WALKER = "walker", "Walker"
    GROOMER = "groomer", "Groomer"
    TRAINER = "trainer", "Trainer"
    CLINIC = "clinic", "Clinic"
    SHOP = "shop", "Pet shop"


class ServiceKind(models.TextChoices):
    WALKING = "walking", "Dog walking"
    SITTING = "sitting", "Pet sitting"
    BOARDING = "boarding", "Boarding"
    DAYCARE = "daycare", "Day care"
    DROP_IN = "drop_in", "Drop-in visit"
    GROOMING = "grooming", "Grooming"
    TRAINING = "training", "Training"
    CLINIC = "clinic", "Clinic"


ICONS = {
    ServiceKind.WALKING: "signpost-split",
    ServiceKind.SITTING: "house-heart",
    ServiceKind.BOARDING: "moon-stars",
    ServiceKind.DAYCARE: "sun",
    ServiceKind.DROP_IN: "door-open",
    ServiceKind.GROOMING: "scissors",
    ServiceKind.TRAINING: "award",
    ServiceKind.CLINIC: "heart-pulse",
}

# Appointments have late and no-show fees, stays and visits a full refund until a noon (see bookings.cancellation).
APPOINTMENT_KINDS = frozenset({ServiceKind.GROOMING, ServiceKind.TRAINING, ServiceKind.CLINIC})


class ResourceKind(models.TextChoices):
    PERSON = "person", "Person"
    ROOM = "room", "Room"
    KENNEL = "kennel", "Kennel place"
    TABLE = "table", "Table"
    VEHICLE = "vehicle", "Vehicle"


class PaymentPolicy(models.TextChoices):
    PREPAY = "prepay", "Pay when booking"
    DEPOSIT = "deposit", "Deposit when booking"
    AT_VISIT = "at_visit", "Pay at the visit"


class StayPolicy(models.TextChoices):
    """Full refund until 12:00 noon, provider's zone, that many days before the start."""

    SAME_DAY = "same_day", "Same day"
    ONE_DAY = "one_day", "One day"
    THREE_DAY = "three_day", "Three days"
    SEVEN_DAY = "seven_day", "Seven days"


class AppointmentPolicy(models.TextChoices):
    """Late fee / no-show fee in percent; late is under 24 hours before the start."""

    FLEXIBLE = "flexible", "Flexible (0 / 10 %)"
    FAIR = "fair", "Fair (10 / 30 %)"
    MODERATE = "moderate", "Moderate (30 / 50 %)"
    STRICT = "strict", "Strict (50 / 100 %)"


class DocumentKind(models.TextChoices):
    IDENTITY = "identity", "Proof of identity"
    BACKGROUND_CHECK = "background_check", "Background check"
    INSURANCE = "insurance", "Insurance"
    LICENCE = "licence", "Licence"
    FIRST_AID = "first_aid", "First aid certificate"
    CERTIFICATE = "certificate", "Professional certificate"
    OTHER = "other", "Other"


class MembershipRole(models.TextChoices):
    MANAGER = "manager", "Manager"
    STAFF = "staff", "Staff"


_KINDS = [str(kind) for kind in ServiceKind.values]
_SPECIES = [str(species) for species in Species.values]


def offer_bit(kind: str, species: str) -> int:
    """Return the bit of a branch's ``offer_mask`` that says "sells this kind of service for this species".

    56 bits in use, so that the mask fits PostgreSQL's ``bigint``. The order of both enums is therefore fixed: add new
    members at the end.
    """
    return 1 << (_KINDS.index(str(kind)) * len(_SPECIES) + _SPECIES.index(str(species)))


def offer_mask(kinds: list[str] | None = None, species: list[str] | None = None) -> int:
    """Return the mask of every pairing of the given kinds and species (None: all of them)."""
    mask = 0
    for kind in kinds or _KINDS:
        for one in species or _SPECIES:
            mask |= offer_bit(kind, one)
    return mask
