"""What must be true of ratings."""

from petplace.invariants import register

register(
    "a provider's rating figures are the sum and the number of its reviews",
    """SELECT p.slug, p.rating_sum, p.review_count, coalesce(sum(r.rating), 0), count(r.id)
       FROM providers_provider p LEFT JOIN reviews_review r ON r.provider_id = p.id
       GROUP BY p.id HAVING p.rating_sum <> coalesce(sum(r.rating), 0) OR p.review_count <> count(r.id)""",
)
register(
    "only completed bookings have a review, by their owner",
    """SELECT b.reference, b.state FROM reviews_review r JOIN bookings_booking b ON b.id = r.booking_id
       WHERE b.state <> 'completed' OR r.author_id <> b.owner_id OR r.provider_id <> b.provider_id""",
)
register(
    "a review is asked for only while it is missing and can be written",
    """SELECT b.reference, b.state, n.due_at FROM messaging_notification n
       JOIN bookings_booking b ON n.topic = 'booking:' || b.uid
       WHERE n.kind = 'review_request' AND n.cancelled_at IS NULL AND n.due_at > now()
         AND (b.state <> 'completed' OR EXISTS (SELECT FROM reviews_review r WHERE r.booking_id = b.id))""",
)
