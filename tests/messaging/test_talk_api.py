"""Talks over the API: the same rules, the same hiding, 404 for what is not yours."""

import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from messaging.domain import moderation
from messaging.models import Block, Conversation, Message, QuickReply, Report
from providers.domain import team
from tests.factories import UserFactory, a_manager, make_provider, make_talk, write
from tests.queries import assert_constant
from tests.uploads_corpus import photo as jpeg

pytestmark = pytest.mark.django_db
BASE = "/api/v1/conversations/"


@pytest.fixture
def talk() -> Conversation:
    return make_talk(now=timezone.now())


def api(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def say(talk: Conversation, by: User, text: str = "Hello") -> Message:
    return write(talk, by, text, now=timezone.now())


def at(talk: Conversation, rest: str = "") -> str:
    return f"{BASE}{talk.uid}/{rest}"


def addresses(talk: Conversation) -> list[tuple[str, str, Any]]:
    client_id = str(uuid.uuid4())
    return [
        ("get", at(talk), None), ("get", at(talk, "messages/"), None),
        ("post", at(talk, "messages/"), {"text": "Hi", "client_id": client_id}),
        ("post", at(talk, "read/"), {"upto": 1}), ("post", at(talk, "delivered/"), {"upto": 1}),
        ("post", at(talk, "report/"), {"reason": "rude"}), ("post", at(talk, "block/"), None),
        ("delete", at(talk, "block/"), None),
    ]  # fmt: skip


def refused(person: User, talk: Conversation) -> None:
    client = api(person)
    for method, address, body in addresses(talk):
        assert getattr(client, method)(address, body).status_code == 404, address
    photo = {"photo": SimpleUploadedFile("a.jpg", jpeg()), "client_id": str(uuid.uuid4())}
    assert client.post(at(talk, "photos/"), photo, format="multipart").status_code == 404
    sent = Message.objects.exclude(photo="").get()
    assert client.get(at(talk, f"messages/{sent.uid}/photo/")).status_code == 404
    assert client.get(BASE).json()["results"] == []


@pytest.fixture
def with_photo(talk: Conversation) -> Message:
    body = {"photo": SimpleUploadedFile("a.jpg", jpeg()), "client_id": str(uuid.uuid4())}
    answer = api(talk.owner).post(at(talk, "photos/"), body, format="multipart")
    assert (answer.status_code, answer.json()["kind"], answer.json()["has_photo"]) == (201, "photo", True)
    return Message.objects.get(seq=2)


def test_strangers_former_members_staff_and_blocked_people_find_nothing(
    talk: Conversation, with_photo: Message
) -> None:
    former = UserFactory()
    team.remove(team.add(talk.provider, email=former.email, by=None), by=None)
    for person in (UserFactory(), former, UserFactory(is_staff=True, is_superuser=True)):
        refused(person, talk)
    moderation.block(talk, by=talk.owner)
    refused(a_manager(talk.provider), talk)
    assert Message.objects.count() == 2
    assert api(talk.owner).get(at(talk)).status_code == 200


def test_anonymous_and_guessed(talk: Conversation) -> None:
    for method, address, body in addresses(talk):
        assert getattr(APIClient(), method)(address, body).status_code == 401, address
    assert api(talk.owner).get(f"{BASE}{uuid.uuid4()}/").status_code == 404
    assert api(talk.owner).get(f"{BASE}{uuid.uuid4()}/messages/").status_code == 404


def test_write_read_and_see_that_it_was_read(talk: Conversation) -> None:
    owner, manager = api(talk.owner), api(a_manager(talk.provider))
    body = {"text": "Is Tuesday fine?", "client_id": str(uuid.uuid4())}
    first, again = (owner.post(at(talk, "messages/"), body) for _ in range(2))
    assert (first.status_code, first.json()) == (201, again.json())
    assert (first.json()["seq"], first.json()["client_id"], first.json()["is_mine"]) == (2, body["client_id"], True)
    shown = manager.get(BASE).json()["results"][0]
    assert (shown["id"], shown["side"], shown["unread"], shown["read_seq"]) == (str(talk.uid), "provider", 1, 0)
    assert manager.post(at(talk, "read/"), {"upto": 2}).status_code == 204
    assert manager.get(at(talk)).json()["unread"] == 0
    got = manager.get(at(talk, "messages/")).json()["results"]
    assert [(one["seq"], one["text"], one["side"], one["client_id"]) for one in got] == [
        (2, "Is Tuesday fine?", "owner", None), (1, "Request sent.", "system", None),
    ]  # fmt: skip


def test_pages_go_both_ways(talk: Conversation) -> None:
    for number in range(5):
        say(talk, talk.owner, f"No. {number}")
    client = api(talk.owner)
    first = client.get(at(talk, "messages/"), {"page_size": 4}).json()
    assert [one["seq"] for one in first["results"]] == [6, 5, 4, 3]
    assert [one["seq"] for one in client.get(first["next"]).json()["results"]] == [2, 1]
    later = client.get(at(talk, "messages/"), {"after": 2, "page_size": 3}).json()
    assert [one["seq"] for one in later["results"]] == [3, 4, 5]
    assert [one["seq"] for one in client.get(later["next"]).json()["results"]] == [6]
    assert client.get(at(talk, "messages/"), {"cursor": "x"}).status_code == 400
    assert client.get(at(talk, "messages/"), {"after": "x"}).status_code == 400


def test_what_is_hidden_stays_hidden(talk: Conversation) -> None:
    say(talk, talk.owner, "Call 0170 1234567")
    get = at(talk, "messages/")
    mine, theirs = (api(who).get(get).json()["results"][0] for who in (talk.owner, a_manager(talk.provider)))
    assert (mine["text"], mine["is_masked"]) == ("Call 0170 1234567", True)
    assert (theirs["text"], theirs["is_masked"]) == ("Call •••• (shown after the booking is confirmed)", True)
    Conversation.objects.update(is_open_contact=True)
    assert api(a_manager(talk.provider)).get(get).json()["results"][0]["text"] == "Call 0170 1234567"


def test_refusals_have_codes(talk: Conversation) -> None:
    client = api(talk.owner)
    send = at(talk, "messages/")
    assert client.post(send, {"text": "", "client_id": str(uuid.uuid4())}).status_code == 400
    assert client.post(send, {"text": "x" * 2001, "client_id": str(uuid.uuid4())}).status_code == 400
    assert client.post(send, {"text": "x", "client_id": "1"}).status_code == 400
    assert client.post(at(talk, "read/"), {"upto": -1}).status_code == 400
    assert client.post(at(talk, "report/"), {"reason": "boredom"}).status_code == 400
    broken = {"photo": SimpleUploadedFile("a.jpg", b"no"), "client_id": str(uuid.uuid4())}
    assert list(client.post(at(talk, "photos/"), broken, format="multipart").json()["errors"]) == ["photo"]
    for _ in range(30):
        say(talk, talk.owner)
    many = client.post(send, {"text": "Hi", "client_id": str(uuid.uuid4())})
    assert (many.status_code, many.json()["code"], many["Retry-After"]) == (429, "too_many_messages", "60")
    Conversation.objects.update(closes_at=timezone.now())
    closed = client.post(send, {"text": "Hi", "client_id": str(uuid.uuid4())})
    assert (closed.status_code, closed.json()["code"]) == (409, "conversation_closed")


def test_ask_report_and_block() -> None:
    provider, owner = make_provider(), UserFactory()
    client, client_id = api(owner), str(uuid.uuid4())
    made = client.post(BASE, {"provider": str(provider.uid), "text": "Cats?", "client_id": client_id})
    assert made.status_code == 201
    talk = Conversation.objects.get()
    assert (made.json()["conversation"], talk.kind) == (str(talk.uid), "enquiry")
    assert client.post(BASE, {"provider": str(uuid.uuid4()), "text": "?", "client_id": client_id}).status_code == 404
    report = {"reason": "rude", "text": "Look.", "message": made.json()["id"]}
    assert client.post(at(talk, "report/"), report).status_code == 201
    assert client.post(at(talk, "report/"), report).json()["code"] == "already_reported"
    assert Report.objects.get().quote == "Cats?"
    assert client.post(at(talk, "block/")).status_code == 204
    assert Block.objects.get().side == "owner"
    assert client.delete(at(talk, "block/")).status_code == 204
    assert not Block.objects.exists()


def test_the_photo_of_a_message(talk: Conversation, with_photo: Message) -> None:
    address = at(talk, f"messages/{with_photo.uid}/photo/")
    answer = api(a_manager(talk.provider)).get(address)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    other = make_talk(owner=talk.owner, now=timezone.now())
    assert api(talk.owner).get(at(other, f"messages/{with_photo.uid}/photo/")).status_code == 404


def test_lists_by_role_and_in_constant_queries(talk: Conversation) -> None:
    manager = a_manager(talk.provider)
    own = make_talk(owner=manager, now=timezone.now())
    client = api(manager)
    found = {
        role: {one["id"] for one in client.get(BASE, {"role": role}).json()["results"]}
        for role in ("owner", "provider")
    }
    assert found == {"owner": {str(own.uid)}, "provider": {str(talk.uid)}}
    say(talk, talk.owner)

    def more() -> None:
        for _ in range(3):
            say(make_talk(talk.provider, now=timezone.now()), manager)
            say(talk, manager)

    assert_constant(lambda: (client.get(BASE), client.get(at(talk, "messages/"))), more)


def test_quick_replies() -> None:
    provider = make_provider()
    client, base = api(a_manager(provider)), f"/api/v1/providers/{provider.uid}/quick-replies/"
    made = client.post(base, {"title": "Key", "text": "Where is the key?"})
    assert made.status_code == 201
    one = f"{base}{made.json()['id']}/"
    assert client.patch(one, {"text": "Key?"}).json()["text"] == "Key?"
    assert client.post(base, {"title": "Key", "text": "x"}).status_code == 400
    stranger = api(UserFactory())
    assert (stranger.get(base).status_code, stranger.patch(one, {"text": "x"}).status_code) == (404, 404)
    assert [reply["title"] for reply in client.get(base).json()["results"]] == ["Key"]
    assert client.delete(one).status_code == 204
    assert not QuickReply.objects.exists()
