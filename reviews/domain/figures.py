"""A provider's rating: the sum and the number of the published, visible reviews. Only this touches the columns."""

from django.db.models import F

from providers.models import Provider
from reviews.models import Review


def add(review: Review) -> None:
    """Count a review that has just become visible. What providers write is in no figure."""
    if review.is_of_owner:
        Provider.objects.filter(pk=review.provider_id).update(
            rating_sum=F("rating_sum") + review.rating, review_count=F("review_count") + 1
        )


def take(review: Review) -> None:
    """Take a review out that has just been hidden."""
    if review.is_of_owner:
        Provider.objects.filter(pk=review.provider_id).update(
            rating_sum=F("rating_sum") - review.rating, review_count=F("review_count") - 1
        )
