"""What managers are told of their application. ``messaging.provider_events`` writes it."""

from messaging.kinds import Kind, Urgency, register


def declare() -> None:
    register(
        Kind("provider_submitted", "Your application came in", "business"),
        Kind("provider_approved", "Your business is approved", "business", urgency=Urgency.URGENT, is_mutable=False),
        Kind("provider_rejected", "Your application needs changes", "business", is_mutable=False),
        Kind("provider_suspended", "Your business is suspended", "business", urgency=Urgency.URGENT, is_mutable=False),
        Kind("provider_document_expiring", "A document runs out soon", "business", is_mutable=False),
        Kind("provider_document_expired", "A document has run out", "business", is_mutable=False),
        Kind("provider_document_accepted", "A document was checked", "business"),
        Kind("provider_document_refused", "A document was not accepted", "business", is_mutable=False),
        Kind("provider_edit_undone", "A change was undone", "business", is_mutable=False),
    )
