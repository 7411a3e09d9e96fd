from messaging.domain import live
from messaging.domain.notifications import Notice, cancel, notify, notify_all, read, read_all

__all__ = ["Notice", "cancel", "live", "notify", "notify_all", "read", "read_all"]
