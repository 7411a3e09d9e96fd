"""What the platform's staff must know at once."""

from datetime import datetime

from accounts.models import User
from messaging.domain import Notice, notify_all
from petplace.roles import Right


def staff(kind: str, *, key: str, title: str, body: str, now: datetime) -> None:
    """Tell every administrator, once per ``key``."""
    people = User.objects.who_may(Right.PAYOUTS).order_by("pk")
    notify_all(
        [Notice(user, kind, key=key, title=title, body=body, url="/admin/payments/") for user in people], now=now
    )
