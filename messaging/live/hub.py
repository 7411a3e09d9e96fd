"""One reader of the database for all streams of a process, on one connection of its own and in no thread.

It looks when it is woken and by itself, asks for all connected people at once and hands each stream its lines.
"""

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import redis.asyncio
from django.db import connections
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from messaging.domain import live
from messaging.domain.live import Line, Position
from messaging.live import wakeups

logger = logging.getLogger(__name__)

STREAMS_PER_PERSON = 6
QUEUE = 200  # lines that a slow reader may be behind
LINES_AT_ONCE = 2000
LOOK_EVERY = 5.0  # seconds, when Redis wakes us
LOOK_EVERY_UNWOKEN = 1.0
LOOK_AGAIN = (0.02, 1.0)  # shortest and longest, while a line waits for an older transaction
BREATH = 0.02  # between two looks, however often we are woken
CHECK_EVERY = 5.0
ANSWER_WITHIN = 8.0  # a database that is silent for longer is asked anew over a fresh connection
IDLE = 20.0  # how long the connection outlives the last stream

# Those of the given streams whose person and sign-in are still good. The password counts for sessions, which hold its
# hash, as the version counts for tokens.
CHECK_SQL = """
    SELECT stream.n
    FROM unnest(%(ns)s::int[], %(users)s::bigint[], %(sessions)s::text[], %(passwords)s::text[], %(families)s::uuid[],
                %(versions)s::int[]) AS stream(n, user_id, session, password, family, version)
    JOIN accounts_user person ON person.id = stream.user_id AND person.is_active
    LEFT JOIN django_session session ON session.session_key = stream.session AND session.expire_date > now()
    LEFT JOIN accounts_tokenfamily family ON family.uid = stream.family AND family.revoked_at IS NULL
        AND family.user_id = person.id
    WHERE CASE WHEN stream.family IS NULL
        THEN session.session_key IS NOT NULL
            AND encode(sha256(convert_to(person.password, 'UTF8')), 'hex') = stream.password
        ELSE family.id IS NOT NULL AND person.token_version = stream.version END
"""
# What each of those who come (back) has missed below the place that the hub has reached.
MISSED_SQL = """
    SELECT stream.n, line.xid::text, line.id, line.kind, line.data
    FROM unnest(%(ns)s::int[], %(users)s::bigint[], %(xids)s::text[], %(ids)s::bigint[], %(sinces)s::timestamptz[])
        AS stream(n, user_id, xid, id, since)
    CROSS JOIN LATERAL (
        SELECT event.xid, event.id, event.kind, event.data::text AS data
        FROM messaging_liveevent event
        WHERE event.user_id = stream.user_id AND (event.xid, event.id) > (stream.xid::xid8, stream.id)
            AND (event.xid, event.id) <= (%(xid)s::text::xid8, %(id)s)
            AND event.at >= coalesce(stream.since, '-infinity')
        ORDER BY event.xid, event.id
        LIMIT %(limit)s
    ) line
    ORDER BY stream.n, line.xid, line.id
"""


START = Position(0, 0)


@dataclass(frozen=True)
class Viewer:
    """Who reads, by which sign-in, and from where on."""

    user_id: int
    user_uid: UUID
    session_key: str = ""
    password: str = ""  # SHA-256 of the stored hash
    family: UUID | None = None
    version: int = 0
    ends_at: float | None = None  # Unix time at which the sign-in runs out
    after: Position | None = None
    is_lost: bool = False  # it named a place that is none
    since: datetime | None = None


@dataclass(eq=False, slots=True)
class Stream:
    """One open answer: what is to be written to it, and whether it has ended."""

    viewer: Viewer
    position: Position = START
    is_welcome: bool = False  # it has what it missed, and takes what comes
    has_ended: bool = False
    queue: asyncio.Queue[bytes | None] = field(default_factory=lambda: asyncio.Queue(QUEUE))

    def put(self, chunk: bytes) -> bool:
        """Queue ``chunk``; a reader who is too far behind is dropped and comes back by its place."""
        if self.has_ended:
            return False
        try:
            self.queue.put_nowait(chunk)
        except asyncio.QueueFull:
            self.end()
            return False
        return True

    def end(self, last: bytes = b"") -> None:
        """End the answer after ``last``; what was not written yet is left to the next one."""
        if self.has_ended:
            return
        self.has_ended = True
        while not self.queue.empty():
            self.queue.get_nowait()
        if last:
            self.queue.put_nowait(last)
        self.queue.put_nowait(None)


def encode(kind: str, data: str, position: Position | None) -> bytes:
    place = f"id: {position}\n" if position is not None else ""
    return f"{place}event: {kind}\ndata: {data}\n\n".encode()


class Hub:
    """All streams of this process."""

    def __init__(self) -> None:
        self.streams: dict[int, list[Stream]] = defaultdict(list)
        self.position: Position | None = None
        self.is_woken = False  # Redis answers, and would wake us
        self._joining: list[Stream] = []
        self._asked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._is_away = False
        self._is_held = False
        self._checked_at = 0.0

    # --- For streams ----------------------------------------------------------------------------

    def join(self, stream: Stream) -> None:
        """Start giving ``stream`` its lines. One more than a person may have ends the person's oldest."""
        mine = self.streams[stream.viewer.user_id]
        mine.append(stream)
        for oldest in mine[:-STREAMS_PER_PERSON]:
            # It must not come back at once and end another.
            oldest.end(b"retry: 60000\nevent: crowded\ndata: {}\n\n")
            self.leave(oldest)
        self._joining.append(stream)
        self._asked.set()
        self._start()

    def leave(self, stream: Stream) -> None:
        mine = self.streams.get(stream.viewer.user_id, [])
        if stream in mine:
            mine.remove(stream)
        if not mine:
            self.streams.pop(stream.viewer.user_id, None)
        stream.has_ended = True

    def end_all(self) -> None:
        """End every stream: this process is about to end, and the readers come back to the next one."""
        for stream in self._all():
            stream.end()

    def count(self) -> int:
        return sum(len(mine) for mine in self.streams.values())

    # --- The task -------------------------------------------------------------------------------

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("Live streams have stopped", exc_info=error)
            self.end_all()  # they come back, to a fresh start
        elif self.streams:
            self._start()  # somebody came while the last one turned off the light

    async def _run(self) -> None:
        listening = asyncio.create_task(self._listen())
        undo = _on_shutdown(self.end_all)
        pause = LOOK_AGAIN[0]
        idle_since = time.monotonic()
        try:
            while self.streams or time.monotonic() - idle_since < IDLE:
                try:
                    async with asyncio.timeout(ANSWER_WITHIN):
                        await self._look()
                except (psycopg.Error, OSError, TimeoutError) as error:
                    await self._lose(error)
                if self.streams:
                    idle_since = time.monotonic()
                pause = min(pause * 2, LOOK_AGAIN[1]) if self._is_held else LOOK_AGAIN[0]
                await asyncio.sleep(BREATH)
                await self._wait(pause)
        finally:
            undo()
            listening.cancel()
            self._drop_connection()
            self.position = None
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def _wait(self, pause: float) -> None:
        """Sleep until somebody asks for a look, or it is time for one."""
        longest = LOOK_EVERY if self.is_woken else LOOK_EVERY_UNWOKEN
        if self._is_held:
            longest = min(longest, pause)
        if self._is_away:
            longest = LOOK_EVERY_UNWOKEN
            self._asked.clear()  # who asks meanwhile gets no faster answer
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest):
                await self._asked.wait()
        self._asked.clear()

    async def _look(self) -> None:
        connection = await self._connect()
        if not self.streams:
            self.position = None
            return
        if time.monotonic() - self._checked_at >= CHECK_EVERY:
            await self._check(connection)  # first: who was signed out gets nothing of what comes now
        await self._read(connection)
        await self._welcome(connection)
        if self._is_away:
            self._is_away = False
            logger.warning("Live streams have the database back")

    async def _read(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Hand out what is new. The first look only finds out where we are."""
        is_full = True
        while is_full:
            start = self.position
            known = {stream.viewer.user_id for stream in self._all() if stream.is_welcome}
            cursor = await connection.execute(
                live.WINDOW_SQL,
                {
                    "xid": str(start.xid if start else 0),
                    "id": start.id if start else 0,
                    "users": list(known) if start else [],
                    "since": None,
                    "limit": LINES_AT_ONCE,
                },
            )
            rows = await cursor.fetchall()
            ready = [row for row in rows if row[1] is not None and row[6]]
            is_full = len(ready) == LINES_AT_ONCE
            self._is_held = any(row[1] is not None and not row[6] for row in rows)
            for _, xid, number, user_id, kind, data, _ in ready:
                self._hand_out(user_id, Line(Position(int(xid), number), kind, data))
            top = Position(int(rows[0][0]), 0)
            self.position = Position(int(ready[-1][1]), ready[-1][2]) if is_full else max(top, start or top)

    def _hand_out(self, user_id: int, line: Line) -> None:
        chunk = encode(line.kind, line.data, line.position)
        for stream in list(self.streams.get(user_id, ())):
            # One that came here from a process that was ahead of us has it already.
            if stream.is_welcome and line.position > stream.position and stream.put(chunk):
                stream.position = line.position

    async def _welcome(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Give those who have just come what they missed, and the place where they are."""
        coming, self._joining = [one for one in self._joining if not one.has_ended], []
        if not coming or self.position is None:
            return
        try:
            pages = await self._missed(connection, coming)
        except BaseException:
            self._joining = coming + self._joining
            raise
        for stream, page in zip(coming, pages, strict=True):
            stream.position, stream.is_welcome = page.position, True
            hello = encode("hello", f'{{"user": "{stream.viewer.user_uid}"}}', None)
            if page.is_reset:
                hello += encode("reset", "{}", page.position)
            # One chunk: what was missed does not count as being slow.
            lines = b"".join(encode(line.kind, line.data, line.position) for line in page.lines)
            place = b"" if page.is_reset else encode("place", "{}", page.position)
            stream.put(hello + lines + place)

    async def _missed(self, connection: psycopg.AsyncConnection[Any], coming: list[Stream]) -> list[live.Page]:
        assert self.position is not None
        bounds = await (await connection.execute(live.BOUNDS_SQL)).fetchone()
        assert bounds is not None
        now = datetime.now(UTC)
        starts: dict[int, tuple[Position, datetime | None]] = {}
        lost: set[int] = set()
        for number, stream in enumerate(coming):
            viewer = stream.viewer
            if viewer.is_lost or (viewer.after is not None and not live.can_resume(viewer.after, bounds)):
                lost.add(number)
            elif viewer.after is not None:
                starts[number] = (viewer.after, None)
            elif viewer.since is not None:
                starts[number] = (Position(0, 0), live.from_instant(viewer.since, now=now))
        found: dict[int, list[Line]] = defaultdict(list)
        if starts:
            cursor = await connection.execute(
                MISSED_SQL,
                {
                    "ns": list(starts),
                    "users": [coming[number].viewer.user_id for number in starts],
                    "xids": [str(start.xid) for start, _ in starts.values()],
                    "ids": [start.id for start, _ in starts.values()],
                    "sinces": [since for _, since in starts.values()],
                    "xid": str(self.position.xid),
                    "id": self.position.id,
                    "limit": live.MOST_MISSED + 1,
                },
            )
            for number, xid, id_, kind, data in await cursor.fetchall():
                found[number].append(Line(Position(int(xid), id_), kind, data))
        return [
            live.Page((), self.position, is_reset=True)
            if number in lost or len(found[number]) > live.MOST_MISSED
            else live.Page(tuple(found[number]), max(self.position, stream.viewer.after or self.position))
            for number, stream in enumerate(coming)
        ]

    async def _check(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """End the streams of people who were banned or signed out, changed their password, or whose time is up."""
        streams = list(self._all())
        cursor = await connection.execute(
            CHECK_SQL,
            {
                "ns": list(range(len(streams))),
                "users": [stream.viewer.user_id for stream in streams],
                "sessions": [stream.viewer.session_key for stream in streams],
                "passwords": [stream.viewer.password for stream in streams],
                "families": [stream.viewer.family for stream in streams],
                "versions": [stream.viewer.version for stream in streams],
            },
        )
        good = {number for (number,) in await cursor.fetchall()}
        now = time.time()
        for number, stream in enumerate(streams):
            ends_at = stream.viewer.ends_at
            if number not in good or (ends_at is not None and ends_at <= now):
                stream.end()
                self.leave(stream)
        self._checked_at = time.monotonic()

    def _all(self) -> Iterable[Stream]:
        return [stream for mine in self.streams.values() for stream in mine]

    # --- The database ---------------------------------------------------------------------------

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            given = connections["default"].get_connection_params()
            for name in ("context", "cursor_factory"):
                given.pop(name, None)
            self._connection = await psycopg.AsyncConnection.connect(**given, autocommit=True)
        return self._connection

    async def _lose(self, error: Exception) -> None:
        if not self._is_away:
            logger.warning(
                "Live streams have lost the database: %s", str(error).splitlines()[:1] or type(error).__name__
            )
        self._is_away = True
        self._drop_connection()

    def _drop_connection(self) -> None:
        # Not ``close()``, which may wait: the server may be silent.
        if self._connection is not None and not self._connection.closed:
            self._connection.pgconn.finish()
        self._connection = None

    # --- Redis ----------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Be woken by Redis as long as it answers; a silent one counts as away."""
        while True:
            client = redis.asyncio.Redis.from_url(
                wakeups.address(), socket_connect_timeout=1, socket_timeout=1, retry=Retry(NoBackoff(), 0)
            )
            words = client.pubsub(ignore_subscribe_messages=True)
            try:
                async with asyncio.timeout(2):
                    await words.subscribe(wakeups.CHANNEL)
                self._asked.set()  # what was said before we could hear it
                await self._hear(words)
            except (redis.RedisError, OSError, TimeoutError):
                self.is_woken = False
            finally:
                with contextlib.suppress(redis.RedisError, OSError, TimeoutError):
                    async with asyncio.timeout(0.5):
                        await words.aclose()  # type: ignore[no-untyped-call]
                        await client.aclose()
            self._asked.set()
            await asyncio.sleep(1)

    async def _hear(self, words: Any) -> None:
        is_pinged = False
        while True:
            word = await words.get_message(timeout=1.0)
            if word is None:
                if is_pinged:
                    raise TimeoutError
                async with asyncio.timeout(1):
                    await words.ping()
                is_pinged = True
                continue
            is_pinged = False
            self.is_woken = True
            if word["type"] == "message":
                self._asked.set()


def _on_shutdown(end: Any) -> Any:
    """Call ``end`` when this process is asked to stop, before the server waits for its open answers.

    The server's own handlers go on to do what they do. Returns how to take it back.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def handle(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(end)
        if callable(before[number]):
            before[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before[number] = signal.getsignal(number)
        if callable(before[number]):
            signal.signal(number, handle)

    def undo() -> None:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)

    return undo
