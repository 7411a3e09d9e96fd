"""The process that holds the streams is killed in the middle of talks: who comes back misses and doubles nothing."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
import redis

from messaging.live.wakeups import CHANNEL
from petplace.embedded.paths import derive_redis_urls
from petplace.embedded.process import Child, wait_until
from tests.faults.conftest import IS_FULL
from tests.faults.world import Owner, Site, free_port, kill
from tests.messaging.streaming import Reader

pytestmark = pytest.mark.fault

KILLS = 30 if IS_FULL else 3
READERS = 12 if IS_FULL else 4
WRITERS = 6 if IS_FULL else 3
PAUSE = 3.0 if IS_FULL else 1.0


INSERT = """
    WITH number AS (SELECT nextval('messaging_liveevent_id_seq') AS id)
    INSERT INTO messaging_liveevent (id, user_id, kind, data) OVERRIDING SYSTEM VALUE
    SELECT id, %s, 'badge', jsonb_build_object('number', id) FROM number
"""


class Events:
    """The process and its port."""

    def __init__(self, site: Site) -> None:
        self.site, self.port = site, free_port()
        self.start()

    def start(self) -> None:
        self.child: Child = self.site.start(
            "events", "uvicorn", "petplace.events_asgi:application", "--port", str(self.port), "--lifespan", "off",
            "--log-level", "error",
        )  # fmt: skip
        assert wait_until(self._is_up, 120, 0.1)

    def _is_up(self) -> bool:
        with contextlib.suppress(OSError), contextlib.closing(Reader(self.port, "/healthz").socket):
            return True
        return False

    def restart(self) -> None:
        kill(self.child.pid)
        self.child.stop(5)
        self.site.children.remove(self.child)
        self.start()


class Client(threading.Thread):
    """Reads one person's stream as a good client does: after every loss it goes on from the last id."""

    def __init__(self, events: Events, owner: Owner) -> None:
        super().__init__(daemon=True)
        self.events, self.owner = events, owner
        self.last, self.got, self.losses, self.is_over = "", list[int](), 0, False
        self.is_ready = threading.Event()

    def run(self) -> None:
        while not self.is_over:
            with contextlib.suppress(OSError, EOFError, TimeoutError, ValueError):
                headers = {"Last_Event_ID": self.last} if self.last else {}
                reader = Reader(
                    self.events.port, "/api/v1/events/", Authorization=f"Bearer {self.owner.token}", **headers
                )
                with reader:
                    self._read(reader)
            self.losses += 1
            time.sleep(0.1)

    def _read(self, reader: Reader) -> None:
        while not self.is_over and reader.status == 200:
            try:
                event = reader.next(0.5)
            except TimeoutError:
                continue
            if event is None:
                return
            assert event.kind != "reset"
            self.last = event.id or self.last
            if event.kind == "place":
                self.is_ready.set()
            if event.kind == "badge":
                self.got.append(event.data["number"])


@pytest.fixture
def events(site: Site) -> Iterator[Events]:
    started = Events(site)
    yield started
    site.stop_processes("events")


def users_of(site: Site, count: int) -> list[int]:
    rows = site.sql("SELECT id FROM accounts_user ORDER BY id DESC LIMIT %s", count)
    return [row[0] for row in reversed(rows)]


def write(site: Site, users: list[int], stop: threading.Event) -> None:
    """Write lines in transactions that overlap and commit in any order, and wake the readers now and then."""
    server = redis.Redis.from_url(derive_redis_urls(site.servers.environment()["REDIS_URL"]).cache)
    with psycopg.connect(site.postgres.url) as connection, contextlib.closing(server):
        while not stop.is_set():
            with connection.transaction():
                for user in random.sample(users, 2):
                    connection.execute(INSERT, [user])
                    time.sleep(random.uniform(0, 0.2))  # who misses too many lines is told to look anew
            if random.random() < 0.5:
                server.publish(CHANNEL, b"")


def test_nothing_is_lost_doubled_or_out_of_order(site: Site, events: Events) -> None:
    owners = site.sign_up(READERS)
    users = users_of(site, READERS)
    clients = [Client(events, owner) for owner in owners]
    for client in clients:
        client.start()
        assert client.is_ready.wait(30)
    stop = threading.Event()
    writers = [threading.Thread(target=write, args=(site, users, stop), daemon=True) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.3, PAUSE))
        events.restart()
    time.sleep(0.5)
    stop.set()
    for writer in writers:
        writer.join(30)

    in_order = {
        user: [
            row[0]
            for row in site.sql(
                "SELECT id FROM messaging_liveevent WHERE user_id = %s AND kind = 'badge' ORDER BY xid, id", user
            )
        ]
        for user in users
    }
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and any(
        len(client.got) < len(in_order[user]) for client, user in zip(clients, users, strict=True)
    ):
        time.sleep(0.1)
    for client in clients:
        client.is_over = True
    for client, user in zip(clients, users, strict=True):
        assert client.got == in_order[user]
        assert client.losses >= KILLS
    by_number = [sorted(numbers) != numbers for numbers in in_order.values()]
    assert any(by_number), "The control: commits did not overtake each other, so nothing was shown."
