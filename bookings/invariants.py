"""What must be true of bookings. Figures of time are in seconds past what the sweeps promise."""

from django.conf import settings

from bookings.states import FINAL_STATES, LIVE_STATES, TRANSITIONS, BookingState
from petplace.invariants import register


def _values(names: object) -> str:
    return ", ".join(f"'{name}'" for name in sorted(map(str, names)))  # type: ignore[call-overload]


LIVE, FINAL, ALL = _values(LIVE_STATES), _values(FINAL_STATES), _values(BookingState.values)
# (action, from, to, side), from the one table.
ROWS = ", ".join(f"('{t.action}', '{t.source or ''}', '{t.target}', '{side}')" for t in TRANSITIONS for side in t.sides)

register(
    "no two live allocations of a resource overlap",
    """SELECT a.resource_id, a.booking_id, b.booking_id AS other, a.during
       FROM bookings_allocation a JOIN bookings_allocation b ON a.resource_id = b.resource_id AND a.id < b.id
       WHERE a.is_live AND b.is_live AND a.during && b.during""",
)
register(
    "an allocation is live exactly as long as its booking",
    f"""SELECT b.reference, b.state, a.is_live
        FROM bookings_allocation a JOIN bookings_booking b ON b.id = a.booking_id
        WHERE a.is_live <> (b.state IN ({LIVE}))""",
)
register(
    "each live booking holds the resources that it took, all of them",
    f"""SELECT b.reference, held.number, last.number AS should_be
        FROM bookings_booking b
        CROSS JOIN LATERAL (SELECT count(*) AS number FROM bookings_allocation a
                            WHERE a.booking_id = b.id AND a.is_live) held
        CROSS JOIN LATERAL (SELECT (e.detail->>'resources')::int AS number FROM bookings_bookingevent e
                            WHERE e.booking_id = b.id AND e.detail ? 'resources' ORDER BY e.id DESC LIMIT 1) last
        WHERE b.state IN ({LIVE}) AND (held.number = 0 OR held.number <> last.number)""",
)
register(
    "a live allocation covers its booking's time",
    """SELECT b.reference, a.during
       FROM bookings_allocation a JOIN bookings_booking b ON b.id = a.booking_id
       WHERE a.is_live AND NOT a.during @> tstzrange(b.starts_at, b.ends_at)""",
)
register(
    "no pet is in two places at once",
    f"""SELECT p.pet_id, a.reference, b.reference AS other
        FROM bookings_bookingpet p JOIN bookings_booking a ON a.id = p.booking_id
        JOIN bookings_bookingpet q ON q.pet_id = p.pet_id JOIN bookings_booking b ON b.id = q.booking_id
        WHERE a.id < b.id AND a.state IN ({LIVE}) AND b.state IN ({LIVE})
          AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at""",
)
register(
    "nobody keeps more open holds than allowed",
    f"""SELECT owner_id, count(*) FROM bookings_booking WHERE state = 'held' AND due_at > now()
        GROUP BY owner_id HAVING count(*) > {settings.OPEN_HOLDS_PER_OWNER}""",
)
register(
    "no hold, request or visit is more than 60 s past its due time",
    "SELECT reference, state, due_at FROM bookings_booking WHERE due_at < now() - interval '60 s'",
)
register(
    "no request is pending 24 hours after its start",
    """SELECT reference, starts_at FROM bookings_booking
       WHERE state = 'pending' AND starts_at < now() - interval '24 hours 60 s'""",
)
register(
    "no final booking has a due time",
    f"SELECT reference FROM bookings_booking WHERE due_at IS NOT NULL AND state IN ({FINAL})",
)
register(
    "every state is one of the table's", f"SELECT reference, state FROM bookings_booking WHERE state NOT IN ({ALL})"
)
register(
    "every step is a row of the transition table",
    f"""SELECT b.reference, e.action, e.from_state, e.to_state, e.side
        FROM bookings_bookingevent e JOIN bookings_booking b ON b.id = e.booking_id
        WHERE (e.action, e.from_state, e.to_state, e.side) NOT IN (VALUES {ROWS})""",
)
register(
    "every step starts where the one before it ended",
    """SELECT b.reference, e.action, e.before, e.from_state
       FROM (SELECT booking_id, action, from_state,
                    coalesce(lag(to_state) OVER (PARTITION BY booking_id ORDER BY id), '') AS before
             FROM bookings_bookingevent) e
       JOIN bookings_booking b ON b.id = e.booking_id
       WHERE e.before <> e.from_state""",
)
register(
    "every booking is in the state that its last event says",
    """SELECT b.reference, b.state, last.to_state FROM bookings_booking b
       LEFT JOIN LATERAL (SELECT to_state FROM bookings_bookingevent e
                          WHERE e.booking_id = b.id ORDER BY id DESC LIMIT 1) last ON true
       WHERE last.to_state IS DISTINCT FROM b.state""",
)
register(
    "a quote's total is the sum of its lines",
    """SELECT q.uid, q.total, coalesce(sum(l.amount), 0) FROM bookings_quote q
       LEFT JOIN bookings_quoteline l ON l.quote_id = q.id
       GROUP BY q.id HAVING q.total <> coalesce(sum(l.amount), 0)""",
)
register(
    "an invoice without a number carries the tax, fee and shares of its booking's quote",
    f"""SELECT b.reference, i.tax_amount, i.owner_fee, i.commission, i.subsidy
        FROM bookings_booking b JOIN payments_invoice i ON i.id = b.invoice_id
        JOIN bookings_quote q ON q.id = b.quote_id
        WHERE b.state IN ({LIVE}) AND i.number IS NULL
          AND (i.tax_rate_bp, i.is_tax_inclusive, i.tax_amount, i.owner_fee, i.commission, i.subsidy)
              <> (q.tax_rate_bp, q.is_tax_inclusive, q.tax_amount, q.owner_fee, q.commission, q.subsidy)""",
)
register(
    "a booking costs what its quote says",
    """SELECT b.reference, b.total, q.total AS quoted FROM bookings_booking b JOIN bookings_quote q ON q.id = b.quote_id
       WHERE b.total <> q.total OR b.currency <> q.currency OR b.starts_at <> q.starts_at OR b.ends_at <> q.ends_at""",
)
register(
    "a booking that was placed has an invoice, one that was not has a draft at most",
    """SELECT b.reference, b.state, i.state AS invoice
       FROM bookings_booking b LEFT JOIN payments_invoice i ON i.id = b.invoice_id
       CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM bookings_bookingevent e WHERE e.booking_id = b.id
                                          AND e.action IN ('place', 'revive')) AS yes) placed
       WHERE CASE WHEN placed.yes THEN i.id IS NULL ELSE i.state NOT IN ('draft', 'void') END""",
)
register(
    "the invoices of a booking ask for its total, or for what the terms keep, less what was given back by hand",
    f"""SELECT b.reference, b.state, i.state AS invoice, b.total, asked.amount, kept.amount AS kept
        FROM bookings_booking b JOIN payments_invoice i ON i.id = b.invoice_id
        CROSS JOIN LATERAL (
          SELECT coalesce(sum(f.total - f.credited_amount) FILTER (WHERE f.state <> 'void'), 0) AS amount
          FROM payments_invoice f WHERE f.id = i.id OR f.parent_id = i.id AND f.kind = 'extra' AND EXISTS (
            SELECT FROM payments_invoiceline l WHERE l.invoice_id = f.id AND l.kind = 'moved')) asked
        CROSS JOIN LATERAL (
          SELECT EXISTS (SELECT FROM payments_refund r JOIN payments_payment p ON p.id = r.payment_id
                         JOIN payments_invoice f ON f.id = p.invoice_id
                         WHERE (f.id = i.id OR f.parent_id = i.id) AND r.origin IN ('staff', 'dashboard')) AS yes) given
        LEFT JOIN LATERAL (SELECT (e.detail->>'kept')::bigint AS amount FROM bookings_bookingevent e
                           WHERE e.booking_id = b.id AND e.detail ? 'kept' ORDER BY id DESC LIMIT 1) kept ON true
        WHERE i.currency <> b.currency OR CASE
          WHEN b.state = 'held' THEN i.state <> 'draft' OR i.total <> b.total
          WHEN b.state IN ({LIVE}) OR b.state = 'completed' THEN
            b.state <> 'pending' AND i.state = 'draft' OR i.state = 'void' AND NOT given.yes
            OR asked.amount > b.total OR asked.amount <> b.total AND NOT given.yes
          ELSE kept.amount IS NULL OR i.state = 'draft' OR asked.amount > kept.amount
            OR asked.amount <> kept.amount AND NOT given.yes END""",
)
register(
    "what a finished visit was paid is earned",
    """SELECT b.reference, i.state FROM bookings_booking b JOIN payments_invoice i ON i.id = b.invoice_id
       WHERE b.state = 'completed' AND i.number IS NOT NULL AND i.earned_at IS NULL""",
)
register(
    "nothing stays reserved on a card for a booking that has ended",
    f"""SELECT b.reference, b.state, p.uid FROM payments_payment p
        JOIN bookings_booking b ON b.invoice_id = p.invoice_id
        WHERE p.state = 'authorized' AND p.wanted = '' AND NOT p.flagged AND b.state IN ({FINAL})""",
)
register(
    "an open complaint keeps the payout back",
    """SELECT b.reference FROM bookings_complaint c JOIN bookings_booking b ON b.id = c.booking_id
       WHERE c.closed_at IS NULL AND NOT EXISTS (
         SELECT FROM payments_payoutfreeze f WHERE f.invoice_id = b.invoice_id AND f.until IS NULL)""",
)
register(
    "a reminder waits only for a confirmed booking, at its present time",
    """SELECT b.reference, b.state, n.due_at FROM messaging_notification n
       JOIN bookings_booking b ON n.topic = 'booking:' || b.uid
       WHERE n.kind IN ('booking_reminder', 'booking_reminder_soon') AND n.cancelled_at IS NULL AND n.due_at > now()
         AND (b.state <> 'confirmed' OR n.due_at <> b.starts_at
              - CASE n.kind WHEN 'booking_reminder' THEN interval '48 h' ELSE interval '3 h' END)""",
)
register(
    "a nudge waits only while a request can be answered",
    """SELECT b.reference, b.state, n.due_at FROM messaging_notification n
       JOIN bookings_booking b ON n.topic = 'booking:' || b.uid
       WHERE n.kind = 'team_nudge' AND n.cancelled_at IS NULL AND n.due_at > now()
         AND n.due_at > (SELECT max(e.at) FROM bookings_bookingevent e WHERE e.booking_id = b.id)
         AND (b.state <> 'pending' OR n.useless_after <> b.due_at)""",
)
register(
    "every booking that waits, is agreed or under way has the conversation of its owner and provider",
    """SELECT b.reference, b.state, c.uid FROM bookings_booking b
       LEFT JOIN messaging_conversation c
         ON c.id = b.conversation_id AND c.owner_id = b.owner_id AND c.provider_id = b.provider_id
       WHERE b.state IN ('pending', 'confirmed', 'in_progress') AND c.id IS NULL""",
)
register(
    "what is agreed shows how to reach each other, and closes two weeks after its end",
    """SELECT b.reference, c.is_open_contact, c.closes_at FROM bookings_booking b
       JOIN messaging_conversation c ON c.id = b.conversation_id
       WHERE b.state IN ('confirmed', 'in_progress', 'completed', 'no_show')
         AND (NOT c.is_open_contact
              OR (c.closes_at IS DISTINCT FROM b.ends_at + interval '14 days'
                  AND NOT EXISTS (SELECT FROM accounts_user u WHERE u.id = c.owner_id AND u.closed_at IS NOT NULL)))""",
)
