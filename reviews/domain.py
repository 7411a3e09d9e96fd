"""Writing a review. The only code that touches a provider's rating figures."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.urls import reverse

from accounts.models import User
from bookings.kinds import REVIEW_REQUEST
from bookings.models import Booking
from bookings.states import BookingState
from messaging import domain as messaging
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers.choices import MembershipRole
from providers.models import Provider
from reviews import permissions
from reviews.models import Review

TEXT_LENGTH = 4000


@transaction.atomic
def write(booking: Booking, *, by: User, rating: int, text: str = "", now: datetime) -> Review:
    """Write the one review of a completed visit, raise the provider's figures and tell its managers.

    Locks the booking, then the provider, so that many posts at once make one review and true figures. Raises
    NotAllowed for anyone but the owner, InvalidTransition before the visit is completed, InvalidInput for a rating
    outside 1 to 5, DomainError ``review_window_closed`` when it is too late, ``already_reviewed`` the second time.
    """
    if not permissions.can_write(by, booking):
        raise NotAllowed("Only the owner of the booking can review it.")
    _check(rating, text)
    booking = Booking.objects.select_for_update(no_key=True, of=("self",)).get(pk=booking.pk)
    if booking.state != BookingState.COMPLETED:
        raise InvalidTransition("A visit can be reviewed when it is completed.")
    if Review.objects.filter(booking=booking).exists():
        raise DomainError("You have reviewed this visit already.", code="already_reviewed")
    if now > permissions.write_until(booking):
        raise DomainError("The time to review this visit is over.", code="review_window_closed")
    review = Review.objects.create(
        booking=booking, provider_id=booking.provider_id, author=by, rating=rating, text=text.strip()
    )
    Review.objects.filter(pk=review.pk).update(created_at=now)
    Provider.objects.filter(pk=booking.provider_id).update(
        rating_sum=F("rating_sum") + rating, review_count=F("review_count") + 1
    )
    messaging.cancel(topic=f"booking:{booking.uid}", kind=REVIEW_REQUEST, now=now)
    _tell_managers(review, now)
    return review


def _check(rating: int, text: str) -> None:
    fields: dict[str, list[str]] = {}
    if not 1 <= rating <= 5:
        fields["rating"] = ["Choose one to five stars."]
    if len(text) > TEXT_LENGTH:
        fields["text"] = [f"Use at most {TEXT_LENGTH} characters."]
    if fields:
        raise InvalidInput(fields=fields)


def _tell_managers(review: Review, now: datetime) -> None:
    provider = review.provider
    stars = f"{review.rating} star{'s' if review.rating != 1 else ''}"
    for manager in User.objects.filter(
        memberships__provider=provider, memberships__role=MembershipRole.MANAGER, is_active=True
    ):
        messaging.notify(
            manager,
            "review_written",
            key=f"review:{review.uid}",
            topic=f"booking:{review.booking.uid}",
            title=f"{review.author.get_short_name()} gave {provider.name} {stars}",
            body=review.text,
            url=reverse("provider:reviews", args=[provider.slug]),
            now=now,
        )
