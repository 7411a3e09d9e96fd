"""Workers die at any moment: everything due is still done, and recorded once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from aiosmtpd.controller import Controller

from petplace.embedded.process import Child, wait_until
from tests.faults.conftest import IS_FULL
from tests.faults.world import Site, children_of, free_port, kill

pytestmark = pytest.mark.fault

KILLS = 50 if IS_FULL else 4
OWNERS = 12 if IS_FULL else 4
BOOKINGS = 20 if IS_FULL else 5  # for each owner


class Sink:
    """A mail server that takes its time, so that kills hit mails half sent, and remembers what came."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802 - its name
        await asyncio.sleep(0.05)
        for line in envelope.content.decode(errors="replace").splitlines():  # type: ignore[attr-defined]
            if line.lower().startswith("message-id:"):
                self.ids[line.split(":", 1)[1].strip()] += 1
                break
        return "250 OK"


@pytest.fixture
def sink() -> Iterator[tuple[Sink, str]]:
    handler, port = Sink(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, f"smtp://127.0.0.1:{port}"
    controller.stop()


def waiting(site: Site) -> int:
    return int(site.sql("SELECT count(*) FROM messaging_delivery WHERE state = 'waiting' AND due_at <= now()")[0][0])


def let_leases_run_out(site: Site) -> None:
    """Move the clock of the rows that a killed worker had in its hands, instead of waiting for two minutes."""
    site.sql("UPDATE messaging_delivery SET leased_until = now() WHERE state = 'waiting' AND leased_until > now()")


@pytest.mark.parametrize("victim", ["main", "child"])
def test_killed_workers_lose_nothing_and_do_nothing_twice(site: Site, sink: tuple[Sink, str], victim: str) -> None:
    handler, url = sink
    chance = random.Random(victim)
    owners = site.sign_up(OWNERS)
    for owner in owners:
        for _ in range(BOOKINGS):
            assert site.book(owner, site.next_booking(owner)).status == 201
        assert site.book(owner, {**site.next_booking(owner), "hold": True}).status == 201
    site.sql("UPDATE bookings_booking SET due_at = now() - interval '1 second' WHERE state = 'held'")
    total = waiting(site)

    site.start_beat()
    worker = site.start_worker(EMAIL_URL=url)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 3.0))
        worker = strike(site, worker, victim, url)
    idle_since = time.monotonic()
    left = waiting(site)
    deadline = time.monotonic() + 300
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        if not worker.is_running():
            site.children.remove(worker)
            worker = site.start_worker(EMAIL_URL=url)
        now_left = waiting(site)
        if now_left != left:
            left, idle_since = now_left, time.monotonic()
        elif time.monotonic() - idle_since > 12:  # nobody works on it: what is left was in dead hands
            let_leases_run_out(site)
            idle_since = time.monotonic()

    mails = Counter(
        f"<{uid}@localhost>"
        for (uid,) in site.sql("SELECT uid FROM messaging_delivery WHERE channel = 'email' AND state = 'sent'")
    )
    assert total > 2 * OWNERS * BOOKINGS
    assert waiting(site) == 0
    assert site.sql("SELECT count(*) FROM messaging_delivery WHERE state NOT IN ('sent', 'waiting', 'cancelled')") == [
        (0,)
    ]
    sent_now = set(handler.ids)
    assert sent_now <= set(mails)
    repeats = sum(handler.ids.values()) - len(handler.ids)
    assert repeats <= 2 * KILLS  # each kill may cut off one mail in each of two hands
    assert wait_until(lambda: site.sql("SELECT count(*) FROM bookings_booking WHERE state = 'held'") == [(0,)], 60)
    ends = site.sql(
        "SELECT b.uid, count(*) FROM bookings_booking b JOIN bookings_bookingevent e ON e.booking_id = b.id"
        " WHERE b.cancel_reason = 'hold_expired' AND e.to_state = 'cancelled' GROUP BY b.uid"
    )
    assert len(ends) >= OWNERS
    assert {count for _, count in ends} == {1}


def strike(site: Site, worker: Child, victim: str, url: str) -> Child:
    """Kill the worker whole and start another, or kill one of its children and let it go on.

    Celery gives up when a child dies while it starts ("Could not start worker processes"): then whoever supervises the
    worker starts another, as compose and ``manage.py up`` do.
    """
    if victim == "main":
        kill(worker.pid)
        worker.process.wait()
        site.children.remove(worker)
        return site.start_worker(EMAIL_URL=url)
    if not worker.is_running():
        site.children.remove(worker)
        return site.start_worker(EMAIL_URL=url)
    children = children_of(worker.pid)
    if children:
        kill(children[0])
    return worker
