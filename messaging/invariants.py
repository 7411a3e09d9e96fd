"""What must be true of notifications and their deliveries."""

from petplace.invariants import register

register(
    "no delivery that was never tried waits for more than 5 minutes",
    """SELECT uid, channel, due_at FROM messaging_delivery
       WHERE state = 'waiting' AND attempts = 0 AND due_at < now() - interval '5 min'""",
)
register(
    "no notification is doubled",
    "SELECT user_id, key, count(*) FROM messaging_notification GROUP BY user_id, key HAVING count(*) > 1",
)
register(
    "every notification has a delivery",
    """SELECT n.uid, n.kind FROM messaging_notification n
       WHERE NOT EXISTS (SELECT FROM messaging_delivery d WHERE d.notification_id = n.id)""",
)
register(
    "a delivery is sent exactly when it says so",
    "SELECT uid, state, sent_at FROM messaging_delivery WHERE (state = 'sent') <> (sent_at IS NOT NULL)",
)
