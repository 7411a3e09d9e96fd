"""The words of the field: species, vaccines, kinds of care."""

from django.db import models


class Species(models.TextChoices):
    DOG = "dog", "Dog"
    CAT = "cat", "Cat"
    RABBIT = "rabbit", "Rabbit"
    BIRD = "bird", "Bird"
    REPTILE = "reptile", "Reptile"
    SMALL_MAMMAL = "small_mammal", "Small mammal"
    OTHER = "other", "Other"


class Sex(models.TextChoices):
    FEMALE = "female", "Female"
    MALE = "male", "Male"
    UNKNOWN = "unknown", "Not known"


class Vaccine(models.TextChoices):
    """Core and common vaccines by the names that WSAVA's guidelines use."""

    RABIES = "rabies", "Rabies"
    DHPP = "dhpp", "Distemper, hepatitis, parvo (DHPP)"
    LEPTOSPIROSIS = "leptospirosis", "Leptospirosis"
    BORDETELLA = "bordetella", "Kennel cough (Bordetella)"
    FVRCP = "fvrcp", "Cat flu and panleukopenia (FVRCP)"
    FELV = "felv", "Feline leukemia (FeLV)"
    MYXOMATOSIS_RHD = "myxomatosis_rhd", "Myxomatosis and RHD"
    OTHER = "other", "Other"


class CareKind(models.TextChoices):
    CHECKUP = "checkup", "Check-up"
    TREATMENT = "treatment", "Treatment"
    MEDICATION = "medication", "Medication"
    SURGERY = "surgery", "Surgery"
    GROOMING = "grooming", "Grooming"
    WEIGHT = "weight", "Weighing"
    NOTE = "note", "Note"
