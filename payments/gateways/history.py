"""The demo town's past: play money that moves at moments long gone, in the one transaction that builds the town.

Only the sandbox takes part. It tells nobody about it by webhooks: what was is known already.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from django.utils import timezone

_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


@contextmanager
def played(at: datetime) -> Iterator[None]:
    """Let the sandbox's clock stand at ``at``, and let it be called inside a transaction."""
    token = _moment.set(at)
    try:
        yield
    finally:
        _moment.reset(token)


def is_played() -> bool:
    return _moment.get() is not None


def now() -> datetime:
    return _moment.get() or timezone.now()
