"""When reviews become visible: both at once as soon as both sides wrote, or what there is when the time is over."""

import logging
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from bookings.models import Booking
from reviews.domain import figures, locks, notices
from reviews.models import Review

logger = logging.getLogger(__name__)

BATCH = 500


def publish_if_ready(booking: Booking, *, now: datetime) -> bool:
    """Publish what ``booking`` has when both sides wrote, or the time to write is over. Say whether something was.

    The caller holds the booking's lock (``locks.lock``): each review is published, and counted, once.
    """
    reviews = list(Review.objects.filter(booking=booking).select_related("author", "provider").order_by("pk"))
    if len(reviews) < 2 and not any(review.due_at <= now for review in reviews):
        return False
    waiting = [review for review in reviews if review.published_at is None]
    for review in waiting:
        review.published_at = now
        review.save(update_fields=["published_at"])
        figures.add(review)
        notices.tell_published(review, now=now)
    return bool(waiting)


def publish_due(now: datetime) -> int:
    """Publish reviews whose time of waiting is over, at most 500 visits, the longest due first. Return how many visits.

    Safe to run at any moment, twice, and many at once: each visit is a transaction of its own, one that somebody works
    on is left to them until the next run, one that fails is logged and stops no other.
    """
    due = Review.objects.due(now).order_by("due_at", "pk").values_list("booking_id", flat=True)[:BATCH]
    count = 0
    for booking_id in dict.fromkeys(due):
        try:
            count += _publish(booking_id, now)
        except (OperationalError, InterfaceError):
            raise  # the database is away: the next run goes on
        except Exception:
            logger.exception("The reviews of booking %s could not be published when they were due", booking_id)
    if count:
        logger.info("Reviews of %s visits published", count)
    return count


@transaction.atomic
def _publish(booking_id: int, now: datetime) -> bool:
    booking = locks.lock(booking_id, is_skipping=True)
    return booking is not None and publish_if_ready(booking, now=now)
