"""What must be true of providers and of what the search walks."""

from django.conf import settings

from petplace.invariants import register

# The nightly task may miss a week before anybody can notice.
PROMISED_DAYS = settings.OPEN_HOURS_HORIZON_DAYS - 8

register(
    "only active branches of approved providers are found",
    """SELECT b.uid, p.slug, p.state FROM providers_branch b JOIN providers_provider p ON p.id = b.provider_id
       WHERE b.is_listed AND NOT (b.is_active AND p.state = 'approved')""",
)
register(
    "every provider is in the state that its last event says",
    """SELECT p.slug, p.state, last.to_state FROM providers_provider p
       LEFT JOIN LATERAL (SELECT to_state FROM providers_providerevent e
                          WHERE e.provider_id = p.id ORDER BY id DESC LIMIT 1) last ON true
       WHERE last.to_state IS DISTINCT FROM p.state""",
)
register(
    "the open hours of every active resource reach the horizon",
    f"""SELECT r.uid, o.expanded_until FROM providers_resource r
        LEFT JOIN providers_openhours o ON o.resource_id = r.id
        WHERE r.is_active AND coalesce(o.expanded_until, '-infinity') < current_date + {PROMISED_DAYS}""",
)
register(
    "nobody is open during time off",
    """SELECT t.uid, t.during FROM providers_timeoff t JOIN providers_openhours o ON o.resource_id = t.resource_id
       WHERE o.open && t.during""",
)
register(
    "every provider that was handed in has a manager",
    """SELECT p.slug FROM providers_provider p
       WHERE p.state <> 'draft' AND NOT EXISTS (SELECT FROM providers_membership m
                                                WHERE m.provider_id = p.id AND m.role = 'manager')""",
)
