"""Telling open pages that something changed, and reading it back without missing or doubling a line.

A line's place is ``(xid, id)``. Readers take what lies above their place and below the oldest transaction that is
still open: nothing can appear there any more, so the place of the last line read says all that is to be known. The
price is that a line waits for older transactions to end, wherever in the database server they are.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Self

from django.db import connection, transaction

from accounts.models import User
from messaging.live import wakeups
from messaging.models import LiveEvent

KEPT = timedelta(days=3)
# Who missed more than this looks at everything anew, which is less work than so many lines.
MOST_MISSED = 500
# A page asks for what came since it was made; its clock and ours may differ by as much.
CLOCKS_DIFFER = timedelta(seconds=2)
LONGEST_SINCE = timedelta(minutes=10)

_POSITION = re.compile(r"([0-9]{1,19})-([0-9]{1,18})", re.ASCII)


class Position(NamedTuple):
    """The place of a line in all streams, said as ``"<xid>-<id>"``."""

    xid: int
    id: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the place, or None for what is not one."""
        found = _POSITION.fullmatch(text)
        if found is None or int(found[1]) >= 2**63:
            return None
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.xid}-{self.id}"


@dataclass(frozen=True)
class Line:
    """One event as its reader gets it; ``data`` is JSON without line breaks."""

    position: Position
    kind: str
    data: str


@dataclass(frozen=True)
class Page:
    """What one reader missed, and where to go on. ``is_reset``: too much or too old, look at everything anew."""

    lines: tuple[Line, ...]
    position: Position
    is_reset: bool = False


# Everything in one statement, so that the snapshot whose bounds it tells is the one that it reads with. Lines that are
# committed and still wait for an older transaction come along, marked: their reader knows to look again soon.
WINDOW_SQL = """
    WITH look AS MATERIALIZED (
        SELECT pg_snapshot_xmin(shot) AS low, pg_snapshot_xmax(shot) AS high FROM pg_current_snapshot() AS shot
    )
    SELECT look.low::text, line.xid::text, line.id, line.user_id, line.kind, line.data, line.xid < look.low
    FROM look LEFT JOIN LATERAL (
        SELECT event.xid, event.id, event.user_id, event.kind, event.data::text AS data
        FROM messaging_liveevent event
        WHERE (event.xid, event.id) > (%(xid)s::text::xid8, %(id)s) AND event.xid < look.high
            AND event.user_id = ANY(%(users)s) AND event.at >= coalesce(%(since)s::timestamptz, '-infinity')
        ORDER BY event.xid, event.id
        LIMIT %(limit)s
    ) line ON true
    ORDER BY line.xid, line.id
"""
# The bounds of what can be resumed: the next transaction's id, and the mark below which lines were forgotten.
BOUNDS_SQL = """
    SELECT pg_snapshot_xmax(pg_current_snapshot())::text, oldest.xid::text, oldest.id
    FROM (SELECT 1) AS one LEFT JOIN LATERAL (
        SELECT event.xid, event.id, event.kind FROM messaging_liveevent event ORDER BY event.xid, event.id LIMIT 1
    ) oldest ON oldest.kind = 'forgotten'
"""
# The newest of the lines that go stays as that mark, and is nobody's any more.
FORGET_SQL = """
    WITH mark AS (
        SELECT event.xid, event.id FROM messaging_liveevent event
        WHERE event.at < %(until)s ORDER BY event.xid DESC, event.id DESC LIMIT 1
    ), marked AS (
        UPDATE messaging_liveevent event SET kind = 'forgotten', user_id = 0, data = '{}'
        FROM mark WHERE event.id = mark.id AND event.kind <> 'forgotten'
    )
    DELETE FROM messaging_liveevent event USING mark WHERE (event.xid, event.id) < (mark.xid, mark.id)
"""


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


def read(user: User, *, after: Position | None, since: datetime | None, now: datetime) -> Page:
    """Return what ``user`` missed ``after`` a place or ``since`` an instant; with neither, only the place of now."""
    with connection.cursor() as cursor:
        if after is not None:
            cursor.execute(BOUNDS_SQL)
            is_known = can_resume(after, cursor.fetchone())
        else:
            is_known = True
        start = after if after is not None and is_known else Position(0, 0)
        is_asked = is_known and (after is not None or since is not None)
        cursor.execute(
            WINDOW_SQL,
            {
                "xid": str(start.xid),
                "id": start.id,
                "users": [user.pk] if is_asked else [],
                "since": None if after is not None else from_instant(since, now=now),
                "limit": MOST_MISSED + 1,
            },
        )
        rows = cursor.fetchall()
    lines = tuple(Line(Position(int(row[1]), row[2]), row[4], row[5]) for row in rows if row[1] and row[6])
    top = Position(int(rows[0][0]), 0)
    if not is_known or len(lines) > MOST_MISSED:
        return Page((), top, is_reset=True)
    return Page(lines, max(top, start))


def can_resume(after: Position, bounds: tuple[str, str | None, int | None]) -> bool:
    """Tell whether all that came after this place is still there.

    What lay below the mark is forgotten. A place that this server has not reached is from before a backup was
    restored, and means nothing here.
    """
    following, xid, number = bounds
    return after.xid <= int(following) and (xid is None or number is None or after >= (int(xid), number))


def from_instant(since: datetime | None, *, now: datetime) -> datetime | None:
    """Return the instant from which to look for a page that was made at ``since``."""
    return None if since is None else max(since, now - LONGEST_SINCE) - CLOCKS_DIFFER


def delete_old(*, now: datetime) -> int:
    """Forget lines older than three days. Returns how many; safe to repeat."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_SQL, {"until": now - KEPT})
        return int(cursor.rowcount)
