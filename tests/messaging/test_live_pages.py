"""What pages ask while they have no stream, and the numbers in their navigation."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from bookings.domain import lifecycle
from messaging import domain as messaging
from messaging.chat_kinds import REPORT_CLOSED as CLOSED
from messaging.domain import conversations, live
from messaging.models import LiveEvent
from tests.factories import NOW, UserFactory, make_booking, make_provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return UserFactory()


@pytest.fixture
def client(ann: User) -> Client:
    client = Client()
    client.force_login(ann)
    return client


def ask(client: Client, query: str = "") -> Any:
    answer = client.get(f"/events/poll/?{query}")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


def older(seconds: int) -> None:
    """Let what was written before be of an older transaction, as it would be outside a test."""
    LiveEvent.objects.update(xid=3, at=timezone.now() - timedelta(seconds=seconds))


def test_asking_without_a_place_only_says_where_we_are(client: Client, ann: User) -> None:
    live.emit([ann.pk], "badge", {"number": 1})
    older(1)
    body = ask(client)
    assert (body["events"], body["reset"], body["user"]) == ([], False, str(ann.uid))
    assert live.Position.parse(body["place"]) is not None


def test_asking_after_a_place_brings_own_lines_in_order(client: Client, ann: User) -> None:
    live.emit([UserFactory().pk], "badge", {"number": 0})
    for number in (1, 2, 3):
        live.emit([ann.pk], "badge", {"number": number})
    older(1)
    rows = list(LiveEvent.objects.filter(user=ann).order_by("id"))
    body = ask(client, f"after=3-{rows[0].pk}")
    assert [event["data"]["number"] for event in body["events"]] == [2, 3]
    assert [event["id"] for event in body["events"]] == [f"3-{row.pk}" for row in rows[1:]]
    assert live.Position.parse(body["place"]) >= live.Position(3, rows[-1].pk)  # type: ignore[operator]
    assert ask(client, f"after={body['place']}")["events"] == []


def test_lines_of_an_open_transaction_wait(client: Client, ann: User) -> None:
    live.emit([ann.pk], "badge", {"number": 1})  # of the transaction that this test runs in
    assert ask(client, "after=3-1")["events"] == []


def test_asking_since_an_instant(client: Client, ann: User) -> None:
    live.emit([ann.pk], "badge", {"number": 1})
    older(30)
    now = int(timezone.now().timestamp())
    assert ask(client, f"since={now}")["events"] == []
    assert len(ask(client, f"since={now - 60}")["events"]) == 1


@pytest.mark.parametrize("place", ["nonsense", "9223372036854775807-1"])
def test_asking_after_a_place_that_means_nothing_is_a_reset(client: Client, place: str) -> None:
    assert ask(client, f"after={place}")["reset"] is True


def test_old_lines_go_and_leave_a_mark(client: Client, ann: User) -> None:
    for number in range(3):
        live.emit([ann.pk], "badge", {"number": number})
    older(4 * 86400)
    live.emit([ann.pk], "badge", {"number": 9})
    assert live.delete_old(now=timezone.now()) == 2
    assert live.delete_old(now=timezone.now()) == 0
    assert [(row.kind, row.user_id) for row in LiveEvent.objects.order_by("id")] == [
        ("forgotten", 0),
        ("badge", ann.pk),
    ]
    mark = LiveEvent.objects.earliest("id")
    assert ask(client, f"after=3-{mark.pk - 1}")["reset"] is True
    assert ask(client, f"after=3-{mark.pk}")["reset"] is False


def test_there_are_no_streams_under_wsgi(client: Client) -> None:
    answer = client.get("/events/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "60")


@pytest.mark.parametrize("path", ["/events/", "/events/poll/", "/events/badges/"])
def test_strangers_and_other_sites_are_refused(client: Client, path: str) -> None:
    assert Client().get(path).status_code == 401
    assert client.get(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post(path).status_code == 405


def test_numbers_of_the_navigation(ann: User, client: Client) -> None:
    provider = make_provider()
    member = provider.memberships.first().user
    now = timezone.now()
    talk = conversations.enquire(provider, by=ann, text="Hello?", now=now, client_id=uuid4()).conversation
    theirs = Client()
    theirs.force_login(member)
    assert theirs.get("/events/badges/").json()["talks"][f"/provider/{provider.slug}/messages/"] == 1
    assert client.get("/events/badges/").json() == {"notifications": 0, "talks": {"/messages/": 0}}
    conversations.post(talk, by=member, text="Yes?", now=now, client_id=uuid4())
    assert client.get("/events/badges/").json()["talks"] == {"/messages/": 1}


def test_what_is_told_and_read_shows_on_open_pages(ann: User) -> None:
    one = messaging.notify(ann, CLOSED, key="k", title="T", body="B", now=NOW)
    assert one is not None
    messaging.notify(ann, CLOSED, key="later", title="T", body="B", now=NOW, due_at=NOW + timedelta(hours=1))
    assert list(LiveEvent.objects.values_list("user_id", "kind")) == [(ann.pk, "notification")]
    messaging.read(one, now=NOW)
    messaging.read(one, now=NOW)
    messaging.read_all(ann, now=NOW + timedelta(hours=2))
    assert list(LiveEvent.objects.order_by("id").values_list("kind", flat=True)) == ["notification", "badge", "badge"]


def test_step_of_a_booking_shows_to_the_owner_and_the_team_alone() -> None:
    booking = make_booking()
    stranger = UserFactory()
    manager = booking.provider.memberships.first().user
    LiveEvent.objects.all().delete()
    lifecycle.cancel(booking, by=booking.owner, reason="ill", now=NOW)
    told = LiveEvent.objects.filter(kind="booking")
    assert {row.user_id for row in told} == {booking.owner_id, manager.pk}
    assert stranger.pk not in {row.user_id for row in LiveEvent.objects.all()}
    assert told[0].data == {"reference": booking.reference, "state": "cancelled"}


def test_page_says_where_its_stream_is_and_keeps_toasts_from_a_look(client: Client) -> None:
    page = client.get("/bookings/").content.decode()
    assert 'data-live="/events/"' in page
    assert "js/live.js" in page
    assert "toast-stack" in page
    assert "toast-stack" not in client.get("/bookings/", headers={"X-Live": "1"}).content.decode()
    assert "js/live.js" not in Client().get("/").content.decode()
