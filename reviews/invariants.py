"""What must be true of reviews and ratings."""

from petplace.invariants import register

COUNTED = "r.side = 'owner' AND r.published_at IS NOT NULL AND r.hidden_at IS NULL"

register(
    "a provider's rating figures are the sum and the number of its visible reviews",
    f"""SELECT p.slug, p.rating_sum, p.review_count, coalesce(sum(r.rating), 0), count(r.id)
       FROM providers_provider p LEFT JOIN reviews_review r ON r.provider_id = p.id AND {COUNTED}
       GROUP BY p.id HAVING p.rating_sum <> coalesce(sum(r.rating), 0) OR p.review_count <> count(r.id)""",
)
register(
    "only completed bookings have reviews, the owner's by the owner and the provider's by somebody else",
    """SELECT b.reference, b.state, r.side FROM reviews_review r JOIN bookings_booking b ON b.id = r.booking_id
       WHERE b.state <> 'completed' OR (r.author_id = b.owner_id) <> (r.side = 'owner')
          OR r.provider_id <> b.provider_id""",
)
register(
    "no review waits once both sides wrote",
    """SELECT b.reference FROM reviews_review r JOIN bookings_booking b ON b.id = r.booking_id
       GROUP BY b.id HAVING count(*) > 1 AND count(r.published_at) < count(*)""",
)
register(
    "no review is seen before both sides wrote or the time to write was over",
    """SELECT b.reference, r.side, r.published_at FROM reviews_review r JOIN bookings_booking b ON b.id = r.booking_id
       WHERE r.published_at < r.due_at
         AND NOT EXISTS (SELECT FROM reviews_review o WHERE o.booking_id = b.id AND o.id <> r.id)""",
)
register(
    "no review waits for an hour after its time",
    """SELECT b.reference, r.due_at FROM reviews_review r JOIN bookings_booking b ON b.id = r.booking_id
       WHERE r.published_at IS NULL AND r.due_at < now() - interval '1 hour'""",
)
register(
    "replies are to published reviews of owners",
    """SELECT b.reference FROM reviews_reply a JOIN reviews_review r ON r.id = a.review_id
       JOIN bookings_booking b ON b.id = r.booking_id WHERE r.side <> 'owner' OR r.published_at IS NULL""",
)
register(
    "every late cancellation by a provider is on record, and nothing else is",
    """SELECT b.reference, e.at, l.id FROM
         (SELECT e.booking_id, e.at FROM bookings_bookingevent e JOIN bookings_booking b ON b.id = e.booking_id
           WHERE e.action = 'cancel' AND e.side = 'provider' AND e.from_state = 'confirmed'
             AND b.starts_at - e.at <= interval '5 days') e
       FULL JOIN reviews_latecancellation l ON l.booking_id = e.booking_id
       JOIN bookings_booking b ON b.id = coalesce(e.booking_id, l.booking_id)
       WHERE e.booking_id IS NULL OR l.id IS NULL OR l.provider_id <> b.provider_id""",
)
register(
    "a review is asked for only while it is missing and can be written",
    """SELECT b.reference, b.state, n.due_at FROM messaging_notification n
       JOIN bookings_booking b ON n.topic = 'booking:' || b.uid
       WHERE n.kind = 'review_request' AND n.cancelled_at IS NULL AND n.due_at > now()
         AND (b.state <> 'completed'
              OR EXISTS (SELECT FROM reviews_review r WHERE r.booking_id = b.id AND r.side = 'owner'))""",
)
