from django.db import migrations

# The same as reviews.domain.cancellations says of new ones.
FILL = """
INSERT INTO reviews_latecancellation (uid, created_at, booking_id, provider_id, cancelled_at, days_before)
SELECT gen_random_uuid(), now(), b.id, b.provider_id, e.at,
       CASE WHEN e.at >= b.starts_at THEN -1
            ELSE least(5, (b.starts_at AT TIME ZONE b.time_zone)::date - (e.at AT TIME ZONE b.time_zone)::date) END
FROM bookings_bookingevent e JOIN bookings_booking b ON b.id = e.booking_id
WHERE e.action = 'cancel' AND e.side = 'provider' AND e.from_state = 'confirmed'
  AND b.starts_at - e.at <= interval '5 days'
ON CONFLICT (booking_id) DO NOTHING
"""


class Migration(migrations.Migration):

    dependencies = [('reviews', '0002_both_sides')]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
