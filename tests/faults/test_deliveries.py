"""Redis refuses, hangs or is emptied while much is due; two beats; a beat that was off: each message leaves once."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from petplace.embedded.process import tail, wait_until
from tests.faults.conftest import IS_FULL
from tests.faults.sinks import Sinks, running_sinks
from tests.faults.world import Site

pytestmark = pytest.mark.fault

PENDING = 500 if IS_FULL else 60
FAULT_SECONDS = 300 if IS_FULL else 4
# From the moment Redis is back until the worker carries on (RELIABILITY L9: 30 s).
RESUMES_WITHIN = 30.0


@pytest.fixture(scope="module")
def sinks() -> Iterator[Sinks]:
    with running_sinks() as running:
        yield running


@pytest.fixture(scope="module")
def at_work(site: Site, sinks: Sinks) -> Site:
    """The site with a worker and a beat that have shown that they work."""
    site.sql("UPDATE messaging_delivery SET state = 'cancelled' WHERE state = 'waiting'")
    site.start_beat()
    site.start_worker(**sinks.environment)
    owe(site, "first", 1)
    assert wait_until(lambda: waiting(site) == 0, 180), tail(site.folder / "worker.log", 20)
    return site


def owe(site: Site, name: str, count: int, *, due: str = "0 s", useless: str | None = None) -> set[str]:
    """Write ``count`` mails that are due ``due`` from now. Returns the ids of their deliveries."""
    rows = site.sql(
        """WITH told AS (
             INSERT INTO messaging_notification (uid, created_at, user_id, kind, key, last_key, topic, title, body, url,
                                                 short, actions, bundle, count, place_zone, due_at, useless_after)
             SELECT gen_random_uuid(), now(), (SELECT min(id) FROM accounts_user), 'review_written', %s || n, '', %s,
                    'A title', '', '', '', '[]', '', 1, '', now() + %s::interval, now() + %s::interval
             FROM generate_series(1, %s) n RETURNING id, due_at)
           INSERT INTO messaging_delivery (uid, created_at, notification_id, channel, state, due_at, attempts, outages,
                                           last_error, ref, reached)
           SELECT gen_random_uuid(), now(), id, 'email', 'waiting', due_at, 0, 0, '', '', '[]' FROM told
           RETURNING uid""",
        f"{name}:", name, due, useless, count,
    )  # fmt: skip
    user = site.sql("SELECT min(id) FROM accounts_user")[0][0]
    site.sql(
        """INSERT INTO messaging_contactsettings
           (user_id, quiet_is_on, quiet_from, quiet_to, texts_are_on, phone_state, email_bounce_reason)
           VALUES (%s, false, '21:00', '08:00', false, '', '') ON CONFLICT DO NOTHING""",
        user,
    )
    return {str(uid) for (uid,) in rows}


def waiting(site: Site) -> int:
    return int(site.sql("SELECT count(*) FROM messaging_delivery WHERE state = 'waiting' AND due_at <= now()")[0][0])


def queue_length(site: Site) -> int:
    return int(client(site).llen("celery"))


def client(site: Site) -> "redis.Redis":
    """Database 0, which is the broker's."""
    return redis.Redis.from_url(site.environment["REDIS_URL"])


def flush(site: Site) -> None:
    """Empty it while much is due, a few times."""
    for _ in range(3):
        time.sleep(0.5)
        client(site).flushall()


def hang(site: Site) -> None:
    """It accepts and never answers."""
    assert site.valkey.child is not None
    os.kill(site.valkey.child.pid, signal.SIGSTOP)
    time.sleep(FAULT_SECONDS)
    os.kill(site.valkey.child.pid, signal.SIGCONT)
    site.valkey.wait()


def refuse(site: Site) -> None:
    site.valkey.stop()
    time.sleep(FAULT_SECONDS)
    site.valkey.start()
    site.valkey.wait()


@pytest.mark.parametrize("fault", [flush, hang, refuse])
def test_redis_in_trouble_loses_and_doubles_nothing(at_work: Site, sinks: Sinks, fault: Callable[[Site], None]) -> None:
    """RELIABILITY L9, J03 to J05."""
    due = owe(at_work, fault.__name__, PENDING)

    fault(at_work)
    back = time.monotonic()
    late = owe(at_work, f"{fault.__name__}-after", 1)
    assert wait_until(lambda: not late - set(sinks.mail.ids), RESUMES_WITHIN + PENDING * 0.1)
    seconds = time.monotonic() - back

    assert wait_until(lambda: waiting(at_work) == 0, 60)
    assert {uid: sinks.mail.ids[uid] for uid in due} == dict.fromkeys(due, 1)
    assert seconds < RESUMES_WITHIN + PENDING * 0.1, seconds


def test_two_beats_send_once(at_work: Site, sinks: Sinks) -> None:
    """RELIABILITY J06: whoever starts a second beat by mistake gets no second mail."""
    at_work.start(
        "beat2", "celery", "-A", "petplace", "beat", "--pidfile", "", "--schedule", str(at_work.folder / "s2")
    )
    try:
        due = set()
        for number in range(5):
            due |= owe(at_work, f"two-{number}", PENDING // 5)
            time.sleep(1)
        assert wait_until(lambda: waiting(at_work) == 0, 60)
    finally:
        at_work.stop_processes("beat2")

    assert {uid: sinks.mail.ids[uid] for uid in due} == dict.fromkeys(due, 1)


def test_a_beat_that_was_off_makes_no_storm_and_sends_nothing_stale(at_work: Site, sinks: Sinks) -> None:
    """RELIABILITY J06: two hours without a beat, told by the clock of the rows."""
    at_work.stop_processes("beat")
    stale = owe(at_work, "stale", PENDING // 2, due="-2 h", useless="-1 h")
    fresh = owe(at_work, "fresh", PENDING // 2, due="-2 h", useless="1 h")
    red = at_work.call("GET", "/readyz?strict=1")

    at_work.start_beat()
    assert wait_until(lambda: waiting(at_work) == 0, 60)

    assert (red.status, red.body["deliveries"]) == (503, "late")
    assert queue_length(at_work) < 20
    assert {uid: sinks.mail.ids[uid] for uid in fresh} == dict.fromkeys(fresh, 1)
    assert stale & set(sinks.mail.ids) == set()
    states = at_work.sql("SELECT DISTINCT state FROM messaging_delivery WHERE uid = ANY(%s::uuid[])", list(stale))
    assert states == [("late",)]
    assert wait_until(lambda: at_work.call("GET", "/readyz?strict=1").status == 200, 30)
