from messaging.domain.notifications import cancel, notify, read, read_all

__all__ = ["cancel", "notify", "read", "read_all"]
