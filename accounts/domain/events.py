"""What other apps want to hear about an account. Apps above register here when they start."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from accounts.models import User


class AccountEvent(StrEnum):
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a name, not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    NEW_DEVICE = "new_device"
    EXPORT_READY = "export_ready"


# Called in the transaction of the change: ``listener(user, event, now, detail)``, the detail in words for people.
listeners: list[Callable[[User, AccountEvent, datetime, str], None]] = []


def tell(user: User, event: AccountEvent, *, now: datetime, detail: str = "") -> None:
    for listener in listeners:
        listener(user, event, now, detail)
