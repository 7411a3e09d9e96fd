"""What the two pages of a booking show of its reviews."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Avg, Count
from django.urls import reverse

from accounts.models import User
from bookings.models import Booking
from providers.models import Provider
from reviews import permissions
from reviews.choices import ReviewSide
from reviews.models import LateCancellation, Review

SHOWN = 3
SHOWN_ON_PROFILE = 5


@dataclass(frozen=True)
class Card:
    """Where the reviewing of a visit stands, as one side may see it."""

    side: ReviewSide
    mine: Review | None
    theirs: Review | None
    is_open: bool
    until: datetime
    url: str

    @property
    def other(self) -> str:
        return "the owner" if self.side == ReviewSide.PROVIDER else "the provider"


def review_card(user: User, booking: Booking, *, now: datetime) -> Card | None:
    """Return the card of a completed visit, or None where there is nothing to say (to write or to see)."""
    if not booking.is_completed:
        return None
    side = permissions.side_of(user, booking)
    if side is None:
        return None
    found = {review.side: review for review in booking.reviews.with_author()}
    mine = found.get(side)
    # What a provider writes about an owner is for providers: the owner's page never shows it.
    theirs = found.get(ReviewSide.OWNER) if side == ReviewSide.PROVIDER else None
    theirs = theirs if theirs is not None and theirs.is_shown else None
    is_open = mine is None and permissions.is_time(booking, now=now)
    if mine is None and theirs is None and not is_open:
        return None
    address = (
        reverse("reviews:write", args=[booking.reference])
        if side == ReviewSide.OWNER
        else reverse("provider:review", args=[booking.provider.slug, booking.reference])
    )
    return Card(side, mine, theirs, is_open, permissions.write_until(booking), address)


def said_of(owner: User, *, but: Booking) -> dict[str, Any]:
    """Return what providers said of ``owner``: for pages of a provider that the owner has asked or booked.

    What the team wrote about ``but``, the visit that is shown, stands there already.
    """
    shown = Review.objects.about(owner).shown()
    figures = shown.order_by().aggregate(mean=Avg("rating"), count=Count("pk"))
    if not figures["count"]:
        return {"count": 0}
    return {
        "count": figures["count"],
        "mean": round(float(figures["mean"]), 2),
        "means": shown.means(ReviewSide.PROVIDER),
        "last": list(shown.exclude(booking=but).with_author()[:SHOWN]),
    }


def ratings_of(owner_ids: set[int]) -> dict[int, dict[str, Any]]:
    """Return owner -> mean and count of what providers said, in one query: for lists of requests."""
    rows = (
        Review.objects.filter(side=ReviewSide.PROVIDER, booking__owner__in=owner_ids)
        .shown()
        .order_by()
        .values("booking__owner")
        .annotate(mean=Avg("rating"), count=Count("pk"))
    )
    return {row["booking__owner"]: {"mean": round(float(row["mean"]), 2), "count": row["count"]} for row in rows}


def review_parts(provider: Provider) -> dict[str, Any]:
    """Return what the public profile shows of reviews and late cancellations."""
    shown = Review.objects.of(provider).shown()
    return {
        "reviews": shown.with_author()[:SHOWN_ON_PROFILE],
        "review_means": shown.means(ReviewSide.OWNER),
        "late": LateCancellation.objects.of(provider).shown().select_related("booking")[:SHOWN],
    }
