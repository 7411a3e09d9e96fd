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
register(
    "the messages of a conversation are numbered from 1 without a gap",
    """SELECT c.uid, c.last_seq, m.number, m.highest FROM messaging_conversation c
       CROSS JOIN LATERAL (SELECT count(*) AS number, coalesce(max(seq), 0) AS highest FROM messaging_message
                           WHERE conversation_id = c.id) m
       WHERE c.last_seq <> m.number OR c.last_seq <> m.highest""",
)
register(
    "a conversation knows what each side wrote last",
    """SELECT c.uid, c.owner_last_seq, c.provider_last_seq FROM messaging_conversation c
       CROSS JOIN LATERAL (SELECT coalesce(max(seq) FILTER (WHERE side = 'owner'), 0) AS owner,
                                  coalesce(max(seq) FILTER (WHERE side = 'provider'), 0) AS provider
                           FROM messaging_message WHERE conversation_id = c.id) m
       WHERE c.owner_last_seq <> m.owner OR c.provider_last_seq <> m.provider""",
)
register(
    "a seat belongs to the owner or to somebody of the team, and is not ahead of its conversation",
    """SELECT c.uid, s.user_id, s.read_seq FROM messaging_seat s
       JOIN messaging_conversation c ON c.id = s.conversation_id
       WHERE s.delivered_seq > c.last_seq
          OR (s.user_id <> c.owner_id AND NOT EXISTS (
                SELECT FROM providers_membership p WHERE p.provider_id = c.provider_id AND p.user_id = s.user_id))""",
)
register(
    "nothing is left of what somebody wrote who closed the account",
    """SELECT m.uid FROM messaging_message m JOIN accounts_user u ON u.id = m.author_id
       WHERE u.closed_at IS NOT NULL AND (m.text <> '' OR m.photo <> '')""",
)
