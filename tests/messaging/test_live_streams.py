"""Streams over real connections."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.domain import credentials, families
from accounts.models import TokenFamily, User
from messaging.domain import live
from messaging.live import hub as hub_module
from messaging.live import wakeups
from messaging.models import LiveEvent
from tests.factories import UserFactory
from tests.messaging.streaming import Streams, committed, running, sign_in, token_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def _django_db_helper(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Stand in for pytest-django's fixture of this name, which empties every table after every test."""
    with committed(django_db_blocker):
        yield


@pytest.fixture
def streams(_django_db_helper: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Streams]:
    monkeypatch.setattr(hub_module, "CHECK_EVERY", 0.1)
    monkeypatch.setattr(hub_module, "LOOK_EVERY", 0.1)
    with running(monkeypatch) as site:
        yield site


@pytest.fixture
def ann(_django_db_helper: None) -> User:
    return UserFactory()


@pytest.fixture
def outside() -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    """Make connections whose transactions stay open as long as a test wants."""
    made: list[psycopg.Connection[Any]] = []

    def connect() -> psycopg.Connection[Any]:
        made.append(psycopg.connect(**connection.get_connection_params()))
        return made[-1]

    yield connect
    for one in made:
        one.close()


def tell(user: User, number: int) -> None:
    live.emit([user.pk], "badge", {"number": number})


def numbers(events: Any) -> list[int]:
    return [event.data["number"] for event in events]


def insert(one: psycopg.Connection[Any], user: User, number: int) -> None:
    one.execute(
        "INSERT INTO messaging_liveevent (user_id, kind, data) VALUES (%s, 'badge', %s)",
        [user.pk, f'{{"number": {number}}}'],
    )


def test_lines_come_as_they_happen(streams: Streams, ann: User) -> None:
    with streams.open(ann) as reader:
        assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream")
        reader.place()
        tell(ann, 1)
        tell(ann, 2)
        assert numbers(reader.take(2)) == [1, 2]


def test_coming_back_brings_what_was_missed_once_and_in_order(streams: Streams, ann: User) -> None:
    client = sign_in(ann)
    with streams.open(client=client) as reader:
        reader.place()
        tell(ann, 1)
        (first,) = reader.take(1)
    tell(ann, 2)
    tell(ann, 3)
    for options in ({"Last_Event_ID": first.id}, {"path": f"/events/?after={first.id}"}):
        with streams.open(client=client, **options) as reader:
            tell(ann, 4)
            assert numbers(reader.take(3))[:2] == [2, 3]
    with streams.open(client=client, Last_Event_ID=first.id) as reader:
        assert numbers(reader.take(4)) == [2, 3, 4, 4]
        assert reader.is_silent()


def test_what_commits_late_is_not_missed(streams: Streams, ann: User, outside: Any) -> None:
    client = sign_in(ann)
    slow, fast = outside(), outside()
    with streams.open(client=client) as reader:
        start = reader.place()
        insert(slow, ann, 1)  # has the lower number, and commits last
        insert(fast, ann, 2)
        fast.commit()
        by_bare_id = list(LiveEvent.objects.values_list("pk", flat=True))
        assert reader.is_silent()  # a line waits for older transactions
        slow.commit()
        assert numbers(reader.take(2)) == [1, 2]
    # The control: who remembers the highest number seen never gets to see the first.
    assert not LiveEvent.objects.filter(pk__gt=by_bare_id[-1]).exists()
    assert LiveEvent.objects.count() == 2
    with streams.open(client=client, Last_Event_ID=start) as reader:
        assert numbers(reader.take(2)) == [1, 2]


def test_resuming_between_two_commits_misses_nothing(streams: Streams, ann: User, outside: Any) -> None:
    client = sign_in(ann)
    slow = outside()
    with streams.open(client=client) as reader:
        reader.place()
        tell(ann, 0)
        (zero,) = reader.take(1)
    insert(slow, ann, 1)
    tell(ann, 2)
    with streams.open(client=client, Last_Event_ID=zero.id) as reader:
        place = reader.place()
        assert reader.is_silent()
    slow.commit()
    with streams.open(client=client, Last_Event_ID=place) as reader:
        assert numbers(reader.take(2)) == [1, 2]


def test_long_transaction_that_writes_no_lines_only_delays(streams: Streams, ann: User, outside: Any) -> None:
    other = outside()
    with streams.open(ann) as reader:
        reader.place()
        other.execute("SELECT pg_current_xact_id()")
        tell(ann, 1)
        assert reader.is_silent()
        other.rollback()
        assert numbers(reader.take(1, within=20)) == [1]


def test_nobody_gets_lines_of_others(streams: Streams, ann: User) -> None:
    ben = UserFactory()
    with streams.open(ann) as reader, streams.open(ben) as other:
        reader.place()
        other.place()
        tell(ann, 1)
        tell(ben, 2)
        assert numbers(reader.take(1)) == [1]
        assert numbers(other.take(1)) == [2]
        start = live.Position(0, 1)
        with streams.open(ben, Last_Event_ID=str(start)) as again:
            assert again.place()
        assert reader.is_silent()
        assert other.is_silent()


def settle() -> None:
    """Wait until no older transaction holds a line back: autovacuum has some."""
    for _ in range(600):
        with connection.cursor() as cursor:
            cursor.execute("SELECT bool_and(xid < pg_snapshot_xmin(pg_current_snapshot())) FROM messaging_liveevent")
            if cursor.fetchone() == (True,):
                return
        time.sleep(0.05)
    raise AssertionError("a transaction has been open for half a minute")


def test_page_gets_what_came_since_it_was_made(streams: Streams, ann: User) -> None:
    tell(ann, 1)
    LiveEvent.objects.update(at=timezone.now() - timedelta(seconds=30))
    tell(ann, 2)
    settle()
    with streams.open(ann, f"/events/?since={int(time.time())}") as reader:
        assert numbers(reader.take(1)) == [2]
    with streams.open(ann, f"/events/?since={int(time.time()) - 60}") as reader:
        assert numbers(reader.take(2)) == [1, 2]
    for nonsense in ("since=yesterday", "since=999999999999999999", "since=", "x=1"):
        with streams.open(ann, f"/events/?{nonsense}") as reader:
            assert reader.place()


@pytest.mark.parametrize("place", ["nonsense", "1", "-1", "1-2-3", "99999999999999999999-1", "9223372036854775807-1"])
def test_place_that_means_nothing_is_a_reset(streams: Streams, ann: User, place: str) -> None:
    tell(ann, 1)
    settle()
    with streams.open(ann, Last_Event_ID=place) as reader:
        (event,) = reader.take(1)
        assert event.kind == "reset"
        assert live.Position.parse(event.id) is not None
        tell(ann, 2)
        assert numbers(reader.take(1)) == [2]


def test_too_old_and_too_much_are_a_reset(streams: Streams, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = sign_in(ann)
    with streams.open(client=client) as reader:
        start = reader.place()
    for number in range(4):
        tell(ann, number)
    settle()
    monkeypatch.setattr(live, "MOST_MISSED", 3)
    with streams.open(client=client, Last_Event_ID=start) as reader:
        assert reader.take(1)[0].kind == "reset"
    monkeypatch.setattr(live, "MOST_MISSED", 4)
    with streams.open(client=client, Last_Event_ID=start) as reader:
        assert numbers(reader.take(4)) == [0, 1, 2, 3]
    LiveEvent.objects.filter(data__number__lt=2).update(at=timezone.now() - timedelta(days=4))
    assert live.delete_old(now=timezone.now()) == 1
    with streams.open(client=client, Last_Event_ID=start) as reader:
        assert reader.take(1)[0].kind == "reset"


def test_seventh_stream_ends_the_oldest(streams: Streams, ann: User) -> None:
    client = sign_in(ann)
    readers = [streams.open(client=client) for _ in range(7)]
    for reader in readers[1:]:
        reader.place()
    assert [event.kind for event in readers[0].take(1)] == ["crowded"]
    assert readers[0].ends_within(20)
    tell(ann, 1)
    assert [numbers(reader.take(1)) for reader in readers[1:]] == [[1]] * 6
    for reader in readers:
        reader.socket.close()


def test_reader_who_goes_away_is_forgotten(streams: Streams, ann: User) -> None:
    with streams.open(ann) as reader:
        reader.place()
        assert streams.hub.count() == 1
    deadline = time.monotonic() + 20
    while streams.hub.count() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert streams.hub.count() == 0


def test_slow_reader_is_dropped_and_resumes(streams: Streams, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messaging.live.stream.WRITE_WITHIN", 0.5)
    client, other = sign_in(ann), UserFactory()
    text = "x" * 20_000
    with streams.open(other) as witness, streams.open(client=client) as reader:
        witness.place()
        start = reader.place()
        for number in range(300):  # 6 MB, more than all buffers on the way
            live.emit([ann.pk], "badge", {"number": number, "text": text})
        live.emit([other.pk], "badge", {"number": 1})
        assert numbers(witness.take(1)) == [1]  # nobody waits for the slow one
        deadline = time.monotonic() + 30
        while streams.hub.count() == 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert streams.hub.count() == 1
        got = numbers(reader.take(300))
        assert got == list(range(len(got)))
    with streams.open(client=client, Last_Event_ID=start) as reader:
        assert numbers(reader.take(300)) == list(range(300))


# --- Who may read ---------------------------------------------------------------------------------


def _sign_out(client: Client, ann: User) -> None:
    client.session.flush()


def _ban(client: Client, ann: User) -> None:
    credentials.deactivate(ann, now=timezone.now())


def _ban_bare(client: Client, ann: User) -> None:
    User.objects.filter(pk=ann.pk).update(is_active=False)


def _change_password(client: Client, ann: User) -> None:
    credentials.set_password(ann, "a new pass phrase", now=timezone.now())


def _run_out(client: Client, ann: User) -> None:
    from django.contrib.sessions.models import Session

    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("end", [_sign_out, _ban, _ban_bare, _change_password, _run_out])
def test_stream_of_a_session_that_ended_closes(streams: Streams, ann: User, end: Any) -> None:
    client, ben = sign_in(ann), UserFactory()
    with streams.open(client=client) as reader, streams.open(ben) as other:
        reader.place()
        other.place()
        end(client, ann)
        tell(ann, 1)
        if end is not _run_out:
            tell(ben, 2)
            assert numbers(other.take(1)) == [2]
        assert reader.ends_within(20)
        with streams.open(client=client) as again:
            assert again.status == 401


def _end_family(ann: User) -> None:
    families.end_family(TokenFamily.objects.get(user=ann), now=timezone.now())


def _end_tokens(ann: User) -> None:
    families.end_all(ann, now=timezone.now())


@pytest.mark.parametrize("end", [_end_family, _end_tokens, lambda ann: _change_password(Client(), ann)])
def test_stream_of_a_token_that_died_closes(streams: Streams, ann: User, end: Any) -> None:
    token = token_of(ann, timezone.now())
    with streams.open_by_token(token) as reader:
        assert reader.status == 200
        reader.place()
        tell(ann, 1)
        assert numbers(reader.take(1)) == [1]
        end(ann)
        assert reader.ends_within(20)
    with streams.open_by_token(token) as again:
        assert again.status == 401


def test_check_comes_before_lines(streams: Streams, ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast lines come: the first look after the check was due checks first."""
    client = sign_in(ann)
    with streams.open(client=client) as reader:
        reader.place()
        time.sleep(0.15)
        with psycopg.connect(**connection.get_connection_params()) as one:
            one.execute("UPDATE accounts_user SET is_active = false WHERE id = %s", [ann.pk])
            insert(one, ann, 1)
        assert reader.take(1, within=3) == []


def test_stream_ends_with_its_token(
    streams: Streams, ann: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rest_framework_simplejwt.tokens import AccessToken

    monkeypatch.setattr(AccessToken, "lifetime", timedelta(seconds=3))
    with streams.open_by_token(token_of(ann, timezone.now())) as reader:
        reader.place()
        assert reader.ends_within(20)


def test_strangers_get_no_stream(streams: Streams) -> None:
    with streams.open() as reader:
        assert reader.status == 401
    with Streams(streams.port, streams.hub).open(path="/api/v1/events/") as reader:
        assert (reader.status, reader.headers["content-type"]) == (401, "application/problem+json")
    with streams.open_by_token("nonsense") as reader:
        assert reader.status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost"}, 200),
    ],
)
def test_other_sites_get_no_stream(streams: Streams, ann: User, headers: dict[str, str], status: int) -> None:
    for path in ("/events/", "/events/poll/"):
        with streams.open(ann, path, **headers) as reader:
            assert reader.status == status


def test_streams_carry_the_headers_of_every_answer(streams: Streams, ann: User, settings: Any) -> None:
    with (
        streams.open(ann) as page,
        streams.open_by_token(token_of(ann, timezone.now()), Origin="https://app.example.org") as api,
    ):
        for reader in (page, api):
            assert reader.headers["x-content-type-options"] == "nosniff"
            assert "default-src" in reader.headers["content-security-policy"]
            assert reader.headers["x-frame-options"] == "DENY"
            assert "no-store" in reader.headers["cache-control"]
            assert "content-length" not in reader.headers
        assert "access-control-allow-origin" not in page.headers
        assert "Authorization" in api.headers["vary"]


def test_other_methods_and_addresses_are_djangos(streams: Streams, ann: User) -> None:
    with streams.open(ann, "/events") as reader:
        assert reader.status == 301
    with streams.open(ann, "/healthz") as reader:
        assert reader.status == 200


# --- Redis ----------------------------------------------------------------------------------------


@pytest.fixture(params=["refuses", "hangs"])
def lost_redis(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Point live updates at a server that is not there, or that accepts and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if request.param == "hangs":
            server.listen(50)
        monkeypatch.setattr(wakeups, "address", lambda: f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        monkeypatch.setattr(wakeups, "_waker", wakeups.Waker())
        yield


def test_without_redis_lines_come_by_looking(lost_redis: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "LOOK_EVERY_UNWOKEN", 0.1)
    with running(monkeypatch) as streams:
        ann = UserFactory()
        with streams.open(ann) as reader:
            reader.place()
            began = time.monotonic()
            for number in range(20):
                tell(ann, number)
            assert time.monotonic() - began < 10  # nobody who writes waits for Redis
            assert numbers(reader.take(20, within=20)) == list(range(20))
            assert not streams.hub.is_woken


def test_redis_wakes_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far sooner than it would look by itself."""
    monkeypatch.setattr(hub_module, "LOOK_EVERY", 300.0)
    with running(monkeypatch) as streams:
        ann = UserFactory()
        with streams.open(ann) as reader:
            reader.place()
            deadline = time.monotonic() + 20
            while not streams.hub.is_woken and time.monotonic() < deadline:
                time.sleep(0.02)
            tell(ann, 1)
            assert numbers(reader.take(1, within=20)) == [1]
