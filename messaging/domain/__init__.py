from messaging.domain import live
from messaging.domain.notifications import (
    Notice,
    cancel,
    move,
    notify,
    notify_all,
    read,
    read_all,
    read_bundle,
)

__all__ = ["Notice", "cancel", "live", "move", "notify", "notify_all", "read", "read_all", "read_bundle"]
