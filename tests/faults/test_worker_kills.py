"""Workers die at any moment: everything due is still done, and recorded once."""

import random
import sys
import time
from collections.abc import Iterator

import pytest

from petplace.embedded.process import Child, wait_until
from tests.faults.conftest import IS_FULL
from tests.faults.sinks import Sinks, give_phone_and_browser, running_sinks
from tests.faults.world import Site, children_of, kill

pytestmark = pytest.mark.fault

KILLS = 50 if IS_FULL else 4
OWNERS = 12 if IS_FULL else 4
BOOKINGS = 20 if IS_FULL else 5  # for each owner
CHANNELS = ("email", "sms", "push")


@pytest.fixture
def sinks(site: Site) -> Iterator[Sinks]:
    """Sinks of this test alone; a worker that knows them does not outlive them."""
    with running_sinks() as running:
        yield running
        site.stop_processes("worker", "beat")


def waiting(site: Site) -> int:
    return int(site.sql("SELECT count(*) FROM messaging_delivery WHERE state = 'waiting' AND due_at <= now()")[0][0])


def let_leases_run_out(site: Site) -> None:
    """Move the clock of the rows that a killed worker had in its hands, instead of waiting for two minutes."""
    site.sql("UPDATE messaging_delivery SET leased_until = now() WHERE state = 'waiting' AND leased_until > now()")


def recorded(site: Site) -> dict[str, set[str]]:
    """Return what the rows say was sent: by channel, under the id that the channel's sink sees."""
    rows = site.sql(
        """SELECT d.channel, CASE WHEN d.channel = 'push' THEN n.uid ELSE d.uid END FROM messaging_delivery d
           JOIN messaging_notification n ON n.id = d.notification_id WHERE d.state = 'sent' AND d.channel <> 'in_app'"""
    )
    found: dict[str, set[str]] = {channel: set() for channel in CHANNELS}
    for channel, uid in rows:
        found[channel].add(str(uid))
    return found


def given_up(site: Site) -> list[tuple[int, ...]]:
    return site.sql("SELECT id FROM messaging_delivery WHERE state IN ('dead', 'late', 'outbox') ORDER BY id")


@pytest.mark.parametrize("victim", ["main", "child"])
def test_killed_workers_lose_nothing_and_do_nothing_twice(
    site: Site, sinks: Sinks, victim: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """RELIABILITY L7, J01, J02: by mail, text and push."""
    chance = random.Random(victim)
    owners = site.sign_up(OWNERS)
    give_phone_and_browser(site, sinks, owners, "booking_booked")
    site.sql("UPDATE messaging_delivery SET state = 'cancelled' WHERE state = 'waiting'")  # of other suites
    before, given_up_before = recorded(site), given_up(site)  # other suites leave reminders that were too late
    for owner in owners:
        for _ in range(BOOKINGS):
            assert site.book(owner, site.next_booking(owner)).status == 201
        assert site.book(owner, {**site.next_booking(owner), "hold": True}).status == 201
    site.sql("UPDATE bookings_booking SET due_at = now() - interval '1 second' WHERE state = 'held'")
    total = waiting(site)

    site.start_beat()
    worker = site.start_worker(**sinks.environment)
    kills = 0
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.5, 3.0))
        worker = strike(site, worker, victim, sinks.environment)
        kills += 1
    finish(site, worker, sinks.environment)

    sent = {channel: uids - before[channel] for channel, uids in recorded(site).items()}
    seen = sinks.ids
    repeats = {channel: sum(seen[channel].values()) - len(seen[channel]) for channel in CHANNELS}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{kills} kills of {victim}: {total} due; "
            + "; ".join(f"{name} {len(sent[name])} recorded, {repeats[name]} seen twice" for name in CHANNELS)
            + "\n"
        )
    assert total > 4 * OWNERS * BOOKINGS
    assert waiting(site) == 0
    # None lost, none recorded that nobody got, and each row is one record.
    assert {channel: set(seen[channel]) for channel in CHANNELS} == sent
    assert min(len(sent[channel]) for channel in CHANNELS) >= OWNERS * BOOKINGS
    assert given_up(site) == given_up_before
    assert sum(repeats.values()) <= 2 * KILLS  # each kill may cut off one message in each of two hands
    assert wait_until(lambda: site.sql("SELECT count(*) FROM bookings_booking WHERE state = 'held'") == [(0,)], 60)
    ends = site.sql(
        "SELECT b.uid, count(*) FROM bookings_booking b JOIN bookings_bookingevent e ON e.booking_id = b.id"
        " WHERE b.cancel_reason = 'hold_expired' AND e.to_state = 'cancelled' GROUP BY b.uid"
    )
    assert len(ends) >= OWNERS
    assert {count for _, count in ends} == {1}


def finish(site: Site, worker: Child, environment: dict[str, str]) -> None:
    """Let everything that is due go out, with a worker that lives."""
    idle_since = time.monotonic()
    left = waiting(site)
    deadline = time.monotonic() + 300
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        if not worker.is_running():
            site.children.remove(worker)
            worker = site.start_worker(**environment)
        now_left = waiting(site)
        if now_left != left:
            left, idle_since = now_left, time.monotonic()
        elif time.monotonic() - idle_since > 12:  # nobody works on it: what is left was in dead hands
            let_leases_run_out(site)
            idle_since = time.monotonic()


def strike(site: Site, worker: Child, victim: str, environment: dict[str, str]) -> Child:
    """Kill the worker whole and start another, or kill one of its children and let it go on.

    Celery gives up when a child dies while it starts ("Could not start worker processes"): then whoever supervises the
    worker starts another, as compose and ``manage.py up`` do.
    """
    if victim == "main":
        kill(worker.pid)
        worker.process.wait()
        site.children.remove(worker)
        return site.start_worker(**environment)
    if not worker.is_running():
        site.children.remove(worker)
        return site.start_worker(**environment)
    children = children_of(worker.pid)
    if children:
        kill(children[0])
    return worker
