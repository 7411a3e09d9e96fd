"""What managers are told of their application. ``messaging.provider_events`` writes it."""

from messaging.kinds import Kind, Urgency, register


def declare() -> None:
    register(
        Kind("provider_submitted", "Your application came in", "business"),
        Kind("provider_approved", "Your business is approved", "business", urgency=Urgency.URGENT, is_mutable=False),
        Kind("provider_rejected", "Your application needs changes", "business", is_mutable=False),
        Kind("provider_suspended", "Your business is suspended", "business", urgency=Urgency.URGENT, is_mutable=False),
    )
