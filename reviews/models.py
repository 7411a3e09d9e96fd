"""What owners say after a visit."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from bookings.models import Booking
from petplace.models import PublicModel
from providers.models import Provider


class Review(PublicModel):
    """One per completed booking, by its owner."""

    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="review")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="reviews")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(max_length=4000, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(rating__range=(1, 5)), name="review_rating_one_to_five"),
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "-created_at"], name="review_of_provider")]

    def __str__(self) -> str:
        return f"{self.rating} for {self.provider}"
