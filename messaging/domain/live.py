"""Telling open pages that something changed, and reading it back without missing or doubling a line."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection, transaction

from messaging.live import wakeups
from messaging.models import LiveEvent


def emit(user_ids: Iterable[int], kind: str, data: Mapping[str, Any]) -> None:
    """Write one line into the stream of each of ``user_ids``, in the caller's transaction, with one INSERT.

    ``data`` holds what the reader may see of it: ids, a state, an address, never a text of somebody else. It takes no
    lock on any row. Side effect: once committed, the streams are woken; nobody waits for that and it may get lost.
    """
    rows = [LiveEvent(user_id=user_id, kind=kind, data=dict(data)) for user_id in dict.fromkeys(user_ids)]
    if not rows:
        return
    LiveEvent.objects.bulk_create(rows)
    if not any(callback is wakeups.wake for _, callback, *_ in connection.run_on_commit):
        transaction.on_commit(wakeups.wake, robust=True)
