"""What a review consists of, why one can be objected to, and what staff can decide."""

from django.db import models


class ReviewSide(models.TextChoices):
    """Who writes: the owner about the provider, for everyone; or the provider about the owner, for providers."""

    OWNER = "owner", "The owner"
    PROVIDER = "provider", "The provider"


class Aspect(models.TextChoices):
    """What can get stars of its own. Each is a column of the review."""

    CARE = "care", "Care"
    COMMUNICATION = "communication", "Communication"
    PUNCTUALITY = "punctuality", "Punctuality"
    VALUE = "value", "Value for money"
    PET_AS_DESCRIBED = "pet_as_described", "Pet as described"


ASPECTS = {
    ReviewSide.OWNER: (Aspect.CARE, Aspect.COMMUNICATION, Aspect.PUNCTUALITY, Aspect.VALUE),
    ReviewSide.PROVIDER: (Aspect.COMMUNICATION, Aspect.PET_AS_DESCRIBED, Aspect.PUNCTUALITY),
}


class FlagTarget(models.TextChoices):
    REVIEW = "review", "The review"
    REPLY = "reply", "The reply"


class FlagReason(models.TextChoices):
    SPAM = "spam", "It is advertising or spam"
    INSULT = "insult", "It insults or threatens somebody"
    PRIVATE_DATA = "private_data", "It tells private things: names, addresses, numbers"
    NOT_A_VISIT = "not_a_visit", "It is not about a real visit"
    OTHER = "other", "Something else"


class Decision(models.TextChoices):
    HIDE = "hide", "Hide it"
    KEEP = "keep", "Keep it"
