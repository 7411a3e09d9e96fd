"""Visits and what was said about them, for the tests of reviews."""

import datetime as dt
from typing import Any

from bookings.models import Booking
from providers.models import Provider
from reviews.domain import publishing, writing
from reviews.models import Review
from tests.factories import make_booking, manager_of

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def completed(**fields: Any) -> Booking:
    return make_booking(state="completed", **fields)


def after(booking: Booking) -> dt.datetime:
    """Return the instant at which the time to write is over."""
    return booking.ends_at + 14 * DAY


def write(booking: Booking, **options: Any) -> Review:
    """Let the owner write."""
    options = {"by": booking.owner, "rating": 4, "text": " Very good. ", "now": booking.ends_at} | options
    return writing.write(booking, **options)


def answer(booking: Booking, **options: Any) -> Review:
    """Let the provider write about the owner."""
    options = {"by": manager_of(booking), "rating": 5, "text": "A friendly owner.", "now": booking.ends_at} | options
    return writing.write(booking, **options)


def published(booking: Booking | None = None, **options: Any) -> Review:
    """Return the owner's review of a visit about which both sides wrote."""
    booking = booking or completed()
    review = write(booking, **options)
    answer(booking)
    review.refresh_from_db()
    return review


def publish_all(now: dt.datetime) -> int:
    return publishing.publish_due(now)


def figures() -> list[tuple[int, int]]:
    return list(Provider.objects.order_by("pk").values_list("rating_sum", "review_count"))
