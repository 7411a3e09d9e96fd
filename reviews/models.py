"""What owners say after a visit."""

from dataclasses import dataclass
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from bookings.models import Booking
from petplace.models import PublicModel
from providers.models import Provider


@dataclass(frozen=True)
class Spread:
    """How many gave so many stars, and the share of all in percent."""

    stars: int
    count: int
    percent: int


class ReviewQuerySet(models.QuerySet["Review"]):
    def of(self, provider: Provider) -> Self:
        return self.filter(provider=provider)

    def with_author(self) -> Self:
        """Load what a list shows, in one query."""
        return self.select_related("author", "booking__service")

    def spread(self) -> list[Spread]:
        """Return the counts from five stars down to one."""
        counts = dict(self.order_by().values_list("rating").annotate(models.Count("pk")))
        total = sum(counts.values())
        return [
            Spread(stars, counts.get(stars, 0), round(100 * counts.get(stars, 0) / total) if total else 0)
            for stars in range(5, 0, -1)
        ]


class Review(PublicModel):
    """One per completed booking, by its owner."""

    booking = models.OneToOneField(Booking, on_delete=models.PROTECT, related_name="review")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="reviews")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="reviews")
    rating = models.PositiveSmallIntegerField(validators=[MinValueValidator(1), MaxValueValidator(5)])
    text = models.TextField(max_length=4000, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(rating__range=(1, 5)), name="review_rating_one_to_five"),
        ]
        indexes: ClassVar = [models.Index(fields=["provider", "-created_at"], name="review_of_provider")]

    def __str__(self) -> str:
        return f"{self.rating} for {self.provider}"

    @property
    def author_name(self) -> str:
        """The first name, which is all that the public gets to know."""
        return self.author.get_short_name() if self.author.is_active else "Former user"
