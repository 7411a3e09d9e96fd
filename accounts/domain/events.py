"""What other apps want to hear about an account. Apps above register here when they start."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from accounts.models import User


class AccountEvent(StrEnum):
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a name, not a secret
    PASSWORD_CHANGED = "password_changed"  # noqa: S105


# Called in the transaction of the change, with its time: ``listener(user, event, now)``.
listeners: list[Callable[[User, AccountEvent, datetime], None]] = []


def tell(user: User, event: AccountEvent, *, now: datetime) -> None:
    for listener in listeners:
        listener(user, event, now)
