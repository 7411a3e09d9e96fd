from django.db import migrations

# One statement each, so that a large table is no long loop. A conversation carries its booking's reference behind the
# comma of its subject until the third statement has put them together.
OPEN = """
INSERT INTO messaging_conversation (uid, created_at, provider_id, owner_id, kind, subject, is_open_contact, closes_at,
                                    last_seq, owner_last_seq, provider_last_seq, last_message_at)
SELECT gen_random_uuid(), now(), b.provider_id, b.owner_id, 'booking', left(s.name, 180) || ', ' || b.reference,
       b.state <> 'pending', CASE WHEN b.state <> 'pending' THEN b.ends_at + interval '14 days' END, 1, 0, 0, now()
FROM bookings_booking b JOIN providers_service s ON s.id = b.service_id
WHERE b.state IN ('pending', 'confirmed', 'in_progress') AND b.conversation_id IS NULL
"""
JOIN = """
UPDATE bookings_booking b SET conversation_id = c.id FROM messaging_conversation c
WHERE c.kind = 'booking' AND b.conversation_id IS NULL AND c.owner_id = b.owner_id AND c.provider_id = b.provider_id
  AND c.subject LIKE '%, ' || b.reference
"""
FIRST = """
INSERT INTO messaging_message (uid, created_at, conversation_id, seq, side, kind, text, photo, at)
SELECT gen_random_uuid(), now(), c.id, 1, 'system', 'event', 'You can talk about this booking here.', '', now()
FROM messaging_conversation c JOIN bookings_booking b ON b.conversation_id = c.id
WHERE NOT EXISTS (SELECT FROM messaging_message m WHERE m.conversation_id = c.id)
"""


class Migration(migrations.Migration):
    """Bookings that are under way get the conversation that new ones are opened with."""

    dependencies = [
        ("bookings", "0007_conversation"),
        ("providers", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL([OPEN, JOIN, FIRST], migrations.RunSQL.noop),
    ]
