from messaging.domain.notifications import cancel, notify

__all__ = ["cancel", "notify"]
