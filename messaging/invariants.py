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
    """SELECT uid, state, sent_at FROM messaging_delivery
       WHERE (state IN ('sent', 'delivered')) <> (sent_at IS NOT NULL) AND (state <> 'dead' OR sent_at IS NULL)""",
)
register(
    "nothing leaves the system without its point of no return",
    """SELECT uid, channel, state FROM messaging_delivery
       WHERE channel <> 'in_app' AND state IN ('sent', 'delivered') AND handed_at IS NULL""",
)
register(
    "nothing leaves the system after it has become useless",
    """SELECT d.uid, d.handed_at, n.useless_after FROM messaging_delivery d
       JOIN messaging_notification n ON n.id = d.notification_id
       WHERE d.state IN ('sent', 'delivered') AND d.handed_at >= n.useless_after""",
)
register(
    "nothing that was taken back still waits",
    """SELECT d.uid, n.cancelled_at FROM messaging_delivery d
       JOIN messaging_notification n ON n.id = d.notification_id
       WHERE d.state = 'waiting' AND n.cancelled_at IS NOT NULL""",
)
register(
    "no delivery is in somebody's hands for long",
    "SELECT uid, leased_until FROM messaging_delivery WHERE leased_until > now() + interval '10 min'",
)
register(
    "what the developer's outbox keeps is never called sent",
    """SELECT d.uid, d.state FROM messaging_outboxmessage o JOIN messaging_delivery d ON d.id = o.delivery_id
       WHERE d.state IN ('sent', 'delivered')""",
)
