"""Writing a review, by either side of a visit, without seeing what the other one wrote."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from accounts.models import User
from bookings.kinds import REVIEW_REQUEST
from bookings.models import Booking
from bookings.states import BookingState
from messaging import domain as messaging
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from reviews import permissions
from reviews.choices import ASPECTS, Aspect, ReviewSide
from reviews.domain import locks, notices, publishing
from reviews.models import Review

TEXT_LENGTH = 4000


@transaction.atomic
def write(
    booking: Booking,
    *,
    by: User,
    rating: int,
    text: str = "",
    aspects: Mapping[str, int] | None = None,
    now: datetime,
) -> Review:
    """Write the one review of ``by``'s side of a completed visit.

    Nobody else sees it until the other side wrote, too, or the time to write is over. Locks the booking, so that many
    posts at once make one review for each side, and the second side finds the first. Raises NotAllowed for anyone who
    was on neither side (or on both), InvalidTransition before the visit is completed, InvalidInput for impossible
    stars, DomainError ``already_reviewed`` the second time and ``review_window_closed`` when it is too late.
    """
    side = permissions.side_of(by, booking)
    if side is None:
        raise NotAllowed("Only the two sides of a visit can review it.")
    given = _checked(side, rating, text, aspects or {})
    locked = locks.lock(booking.pk)
    assert locked is not None
    booking = locked
    if booking.state != BookingState.COMPLETED:
        raise InvalidTransition("A visit can be reviewed when it is completed.")
    if Review.objects.filter(booking=booking, side=side).exists():
        raise DomainError("You have reviewed this visit already.", code="already_reviewed")
    if not permissions.is_time(booking, now=now):
        raise DomainError("The time to review this visit is over.", code="review_window_closed")
    review = Review.objects.create(
        booking=booking,
        side=side,
        provider_id=booking.provider_id,
        author=by,
        rating=rating,
        text=_clean(text),
        due_at=permissions.write_until(booking),
        **given,
    )
    Review.objects.filter(pk=review.pk).update(created_at=now)
    if side == ReviewSide.OWNER:
        messaging.cancel(topic=notices.topic(booking), kind=REVIEW_REQUEST, now=now)
    if not publishing.publish_if_ready(booking, now=now) and side == ReviewSide.OWNER:
        notices.tell_waiting(review, now=now)
    review.refresh_from_db()
    return review


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()


def _checked(side: ReviewSide, rating: int, text: str, aspects: Mapping[str, int]) -> dict[str, int]:
    """Return the stars by column, or raise InvalidInput with the fields named."""
    fields: dict[str, list[str]] = {}
    if not 1 <= rating <= 5:
        fields["rating"] = ["Choose one to five stars."]
    if len(_clean(text)) > TEXT_LENGTH:
        fields["text"] = [f"Use at most {TEXT_LENGTH} characters."]
    known = {aspect.value for aspect in ASPECTS[side]}
    for aspect, stars in aspects.items():
        if aspect not in known:
            name = Aspect(aspect).label if aspect in Aspect.values else aspect
            fields.setdefault("aspects", []).append(f"{name} is not for you to rate.")
        elif not 1 <= stars <= 5:
            fields.setdefault("aspects", []).append(f"{Aspect(aspect).label}: choose one to five stars.")
    if fields:
        raise InvalidInput(fields=fields)
    return dict(aspects)
