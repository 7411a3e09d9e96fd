import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from messaging.domain import live
from messaging.live import wakeups
from messaging.models import LiveEvent
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_all_readers_are_told_with_one_insert():
    people = [UserFactory().pk, UserFactory().pk]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        live.emit([*people, people[0]], "booking", {"reference": "R"})
    assert [query["sql"].split()[0] for query in queries] == ["INSERT"]
    rows = list(LiveEvent.objects.order_by("id"))
    assert [row.user_id for row in rows] == people
    assert {row.data["reference"] for row in rows} == {"R"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        assert {row.xid for row in rows} == {int(cursor.fetchone()[0])}


def test_a_line_locks_no_person():
    person = UserFactory()
    with CaptureQueriesContext(connection) as queries:
        live.emit([person.pk], "badge", {})
    assert not any("LOCK" in query["sql"].upper() or "SHARE" in query["sql"].upper() for query in queries)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_constraint WHERE conrelid = 'messaging_liveevent'::regclass AND contype = 'f'"
        )
        assert cursor.fetchone()[0] == 0


def test_nobody_is_no_statement():
    with CaptureQueriesContext(connection) as queries:
        live.emit([], "badge", {})
    assert len(queries) == 0


def test_one_wake_up_for_a_transaction(django_capture_on_commit_callbacks):
    person = UserFactory()
    with django_capture_on_commit_callbacks() as callbacks:
        live.emit([person.pk], "badge", {})
        with transaction.atomic():
            live.emit([person.pk], "booking", {"reference": "R"})
    assert callbacks == [wakeups.wake]


def test_what_is_rolled_back_wakes_nobody_and_takes_no_wake_up_along(django_capture_on_commit_callbacks):
    person = UserFactory()
    with django_capture_on_commit_callbacks() as callbacks:
        with transaction.atomic():
            live.emit([person.pk], "badge", {})
            transaction.set_rollback(True)
        assert callbacks == []
        live.emit([person.pk], "booking", {})
    assert callbacks == [wakeups.wake]
    assert [row.kind for row in LiveEvent.objects.all()] == ["booking"]
