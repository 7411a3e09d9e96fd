"""The figures that badges are counted from (``providers.badges`` publishes the rules), from bookings and their events.

They are written into the provider's row, where search, profile and API read them: nightly for all, and every few
minutes for those whose bookings had an event. Reservations know nothing of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Max

from bookings.models import BookingEvent
from providers.badges import FIGURE_MONTHS, LATE_CANCELLATION_DAYS, ON_TIME_MINUTES, REQUESTS
from providers.models import Provider

WINDOW = timedelta(days=FIGURE_MONTHS * 365 // 12)
CHUNK = 200
SEEN_KEY = "trust:last-event"
# Events get their number before they are committed: each look goes back so many, for those that came in late.
OVERLAP = 200

# What counts as a request: a booking that became pending. Its answer is the next event that ends that; by the owner or
# by staff it is no answer of anybody, and by the system it is the missing one.
FIGURES = """
WITH wanted AS (SELECT unnest(%(ids)s::bigint[]) AS id),
recent AS (
    SELECT booking.id, booking.provider_id, booking.owner_id, booking.starts_at, booking.state
      FROM bookings_booking booking
      JOIN wanted ON wanted.id = booking.provider_id
     WHERE booking.starts_at >= %(since)s
),
request AS (
    SELECT recent.provider_id, asked.at AS asked_at, reply.side, reply.at AS replied_at,
           row_number() OVER (PARTITION BY recent.provider_id ORDER BY asked.at DESC, asked.id DESC) AS position
      FROM recent
      JOIN bookings_bookingevent asked
        ON asked.booking_id = recent.id AND asked.to_state = 'pending' AND asked.from_state <> 'pending'
     CROSS JOIN LATERAL (
           SELECT event.at, event.side
             FROM bookings_bookingevent event
            WHERE event.booking_id = recent.id AND event.id > asked.id AND event.to_state <> 'pending'
            ORDER BY event.id
            LIMIT 1) reply
     WHERE reply.side IN ('provider', 'system')
),
answer AS (
    SELECT provider_id, count(*) AS asked, count(*) FILTER (WHERE side = 'provider') AS answered,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM replied_at - asked_at))
               FILTER (WHERE side = 'provider') AS seconds
      FROM request
     WHERE position <= %(requests)s
     GROUP BY provider_id
),
client AS (
    SELECT provider_id, count(*) AS clients, count(*) FILTER (WHERE visits > 1) AS returned, sum(visits) AS completed
      FROM (SELECT provider_id, owner_id, count(*) AS visits
              FROM recent WHERE state = 'completed' GROUP BY provider_id, owner_id) owner
     GROUP BY provider_id
),
step AS (
    SELECT recent.provider_id,
           count(*) FILTER (WHERE event.action = 'start') AS visits,
           count(*) FILTER (WHERE event.action = 'start' AND event.at <= recent.starts_at + %(grace)s) AS on_time,
           count(*) FILTER (WHERE event.action = 'cancel' AND event.side = 'provider' AND event.from_state = 'confirmed'
                              AND event.at >= recent.starts_at - %(late)s) AS late_cancellations
      FROM recent
      JOIN bookings_bookingevent event ON event.booking_id = recent.id AND event.action IN ('start', 'cancel')
     GROUP BY recent.provider_id
)
UPDATE providers_provider provider
   SET figures = jsonb_build_object(
           'asked', coalesce(answer.asked, 0), 'answered', coalesce(answer.answered, 0),
           'answer_minutes', coalesce(ceil(answer.seconds / 60), 0)::int,
           'clients', coalesce(client.clients, 0), 'returned', coalesce(client.returned, 0),
           'completed', coalesce(client.completed, 0)::int,
           'visits', coalesce(step.visits, 0), 'on_time', coalesce(step.on_time, 0),
           'late_cancellations', coalesce(step.late_cancellations, 0)),
       figures_at = %(now)s
  FROM (SELECT id FROM providers_provider WHERE id = ANY(%(ids)s) ORDER BY id FOR NO KEY UPDATE) locked
  LEFT JOIN answer ON answer.provider_id = locked.id
  LEFT JOIN client ON client.provider_id = locked.id
  LEFT JOIN step ON step.provider_id = locked.id
 WHERE provider.id = locked.id
"""


def refresh(provider_ids: Iterable[int], *, now: datetime) -> int:
    """Count anew for those providers, in one statement for each 200. Returns how many."""
    ids = sorted(set(provider_ids))
    for first in range(0, len(ids), CHUNK):
        _refresh(ids[first : first + CHUNK], now)
    return len(ids)


def refresh_all(now: datetime) -> int:
    """Count anew for all that can be found: what is older than the window goes out."""
    return refresh(Provider.objects.public().values_list("pk", flat=True), now=now)


def refresh_changed(now: datetime) -> int:
    """Count anew for those whose bookings had an event since the last look. Where that is forgotten, the night does."""
    newest = BookingEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    seen = cache.get(SEEN_KEY, newest)
    if seen == newest:
        cache.set(SEEN_KEY, newest, None)
        return 0
    events = BookingEvent.objects.filter(pk__gt=seen - OVERLAP).order_by()
    count = refresh(events.values_list("booking__provider_id", flat=True).distinct(), now=now)
    cache.set(SEEN_KEY, newest, None)
    return count


def _refresh(ids: Sequence[int], now: datetime) -> None:
    parameters: dict[str, Any] = {
        "ids": list(ids),
        "since": now - WINDOW,
        "now": now,
        "requests": REQUESTS,
        "grace": timedelta(minutes=ON_TIME_MINUTES),
        "late": timedelta(days=LATE_CANCELLATION_DAYS),
    }
    with connection.cursor() as cursor:
        cursor.execute(FIGURES, parameters)
