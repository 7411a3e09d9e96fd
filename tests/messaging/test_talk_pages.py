"""The pages of talks, from both sides: who gets in, what is shown, what works without JavaScript."""

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from messaging.domain import conversations, moderation, quick_replies
from messaging.models import Block, Conversation, Message, QuickReply, Report, Seat
from providers.domain import team
from tests.factories import UserFactory, a_manager, make_provider, make_talk, write
from tests.queries import assert_constant
from tests.uploads_corpus import photo as jpeg

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk() -> Conversation:
    return make_talk(now=timezone.now())


def as_user(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def url(talk: Conversation, side: str, name: str = "conversation", *args: Any) -> str:
    if side == "owner":
        return reverse(f"conversations:{name}", args=[talk.uid, *args])
    return reverse(f"provider:{name}", args=[talk.provider.slug, talk.uid, *args])


def someone(talk: Conversation, side: str) -> User:
    return talk.owner if side == "owner" else a_manager(talk.provider)


def say(talk: Conversation, by: User, text: str, **fields: Any) -> Message:
    return write(talk, by, text, now=timezone.now(), **fields)


GETS = ("conversation", "conversation_since", "conversation_report")
POSTS = (
    "conversation_send", "conversation_read", "conversation_delivered", "conversation_mute", "conversation_report",
    "conversation_block", "conversation_unblock",
)  # fmt: skip


def all_addresses(talk: Conversation) -> list[tuple[str, str]]:
    found = [
        ("get", url(talk, side, name, *([0] if name.endswith("since") else [])))
        for side in ("owner", "provider")
        for name in GETS
    ]
    return found + [("post", url(talk, side, name)) for side in ("owner", "provider") for name in POSTS]


class TestWho:
    def refused(self, person: User, talk: Conversation) -> None:
        client = as_user(person)
        for method, address in all_addresses(talk):
            body = {"text": "Hi", "client_id": uuid.uuid4(), "upto": "1", "reason": "rude"}
            answer = getattr(client, method)(address, body if method == "post" else {})
            assert answer.status_code == 404, address
        photo = Message.objects.filter(conversation=talk).exclude(photo="").get()
        assert client.get(reverse("conversations:photo", args=[photo.uid])).status_code == 404

    @pytest.fixture(autouse=True)
    def _photo(self, talk: Conversation) -> None:
        from petplace.uploads import clean_photo

        photo = clean_photo(SimpleUploadedFile("a.jpg", jpeg()))
        say(talk, talk.owner, "", photo=photo)

    def test_strangers_staff_and_members_elsewhere_find_nothing(self, talk: Conversation) -> None:
        elsewhere = a_manager(make_provider())
        for person in (UserFactory(), UserFactory(is_staff=True, is_superuser=True), elsewhere):
            self.refused(person, talk)
        assert Message.objects.filter(conversation=talk).count() == 2

    def test_a_former_member_finds_nothing(self, talk: Conversation) -> None:
        person = UserFactory()
        membership = team.add(talk.provider, email=person.email, by=None)
        say(talk, person, "Hello")
        assert as_user(person).get(url(talk, "provider")).status_code == 200
        team.remove(membership, by=None)
        self.refused(person, talk)

    @pytest.mark.parametrize("blocked", ["owner", "provider"])
    def test_who_is_blocked_finds_nothing(self, talk: Conversation, blocked: str) -> None:
        other = "provider" if blocked == "owner" else "owner"
        moderation.block(talk, by=someone(talk, other))
        self.refused(someone(talk, blocked), talk)
        assert as_user(someone(talk, other)).get(url(talk, other)).status_code == 200
        assert as_user(someone(talk, other)).get(url(talk, other, "conversation_since", 0)).status_code == 200

    def test_each_side_has_its_own_door(self, talk: Conversation) -> None:
        assert as_user(talk.owner).get(url(talk, "provider")).status_code == 404
        assert as_user(a_manager(talk.provider)).get(url(talk, "owner")).status_code == 404

    def test_the_talk_of_another_provider_is_not_behind_this_one(self, talk: Conversation) -> None:
        manager = a_manager(talk.provider)
        other = make_talk(make_provider(manager, name="Second"), now=timezone.now())
        address = reverse("provider:conversation", args=[talk.provider.slug, other.uid])
        assert as_user(manager).get(address).status_code == 404

    def test_guessed_ids_are_not_there(self, talk: Conversation) -> None:
        client = as_user(talk.owner)
        for name, *rest in (("conversation",), ("conversation_since", 0), ("photo",)):
            assert client.get(reverse(f"conversations:{name}", args=[uuid.uuid4(), *rest])).status_code == 404
        assert client.post(reverse("conversations:conversation_send", args=[uuid.uuid4()])).status_code == 404

    def test_anonymous_people_are_asked_to_sign_in(self, talk: Conversation, client: Client) -> None:
        for method, address in all_addresses(talk):
            answer = getattr(client, method)(address)
            assert answer.status_code == 302, address
            assert reverse("account_login") in answer["Location"]

    def test_the_photo_is_private(self, talk: Conversation) -> None:
        address = reverse("conversations:photo", args=[Message.objects.exclude(photo="").get().uid])
        for side in ("owner", "provider"):
            answer = as_user(someone(talk, side)).get(address)
            assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
            assert answer["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("side", ["owner", "provider"])
class TestTalk:
    def test_a_form_sends_and_comes_back(self, talk: Conversation, side: str) -> None:
        client = as_user(someone(talk, side))
        page = client.get(url(talk, side)).content.decode()
        client_id = re.search(r'name="client_id" value="([^"]+)"', page)[1]  # type: ignore[index]
        for _ in range(2):  # a second click is the same message
            answer = client.post(url(talk, side, "conversation_send"), {"text": "Hello\nyou", "client_id": client_id})
            assert answer.status_code == 302
        shown = client.get(url(talk, side)).content.decode()
        assert shown.count("Hello<br>you") == 1
        assert f'data-conversation="{talk.uid}"' in shown
        assert 'data-seq="2"' in shown
        assert re.search(r'name="client_id" value="([^"]+)"', shown)[1] != client_id  # type: ignore[index]

    def test_since_answers_what_came_after(self, talk: Conversation, side: str) -> None:
        for number in range(3):
            say(talk, someone(talk, "owner"), f"No. {number}")
        answer = as_user(someone(talk, side)).get(url(talk, side, "conversation_since", 2))
        text = answer.content.decode()
        assert re.findall(r'data-seq="(\d+)"', text) == ["3", "4"]
        assert "chat-day" not in text
        assert (answer["X-Last-Seq"], "<html" in text) == ("4", False)
        nothing = as_user(someone(talk, side)).get(url(talk, side, "conversation_since", 4))
        assert (nothing.content.strip(), nothing["X-Last-Seq"]) == (b"", "4")
        far = as_user(someone(talk, side)).get(url(talk, side, "conversation_since", 10**18))
        assert (far.status_code, far.content.strip()) == (200, b"")

    def test_reading_by_a_button(self, talk: Conversation, side: str) -> None:
        other = "provider" if side == "owner" else "owner"
        say(talk, someone(talk, other), "Hello")
        client = as_user(someone(talk, side))
        assert "Mark as read" in client.get(url(talk, side)).content.decode()
        assert not Seat.objects.filter(user=someone(talk, side)).exists()  # looking writes nothing
        assert client.post(url(talk, side, "conversation_read"), {"upto": "2"}).status_code == 302
        assert "Mark as read" not in client.get(url(talk, side)).content.decode()
        assert 'data-state="seen"' in as_user(someone(talk, other)).get(url(talk, other)).content.decode()

    def test_a_script_gets_json(self, talk: Conversation, side: str) -> None:
        client, headers = as_user(someone(talk, side)), {"Accept": "application/json"}
        client_id = str(uuid.uuid4())
        send = url(talk, side, "conversation_send")
        answer = client.post(send, {"text": "Hi", "client_id": client_id}, headers=headers)
        assert (answer.status_code, answer.json()) == (201, {"seq": 2, "client_id": client_id})
        assert client.post(url(talk, side, "conversation_read"), {"upto": "2"}, headers=headers).status_code == 204
        assert client.post(url(talk, side, "conversation_delivered"), {"upto": "x"}, headers=headers).status_code == 400
        empty = client.post(send, {"text": " ", "client_id": client_id}, headers=headers)
        assert (empty.status_code, empty.json()["code"]) == (400, "invalid")
        Conversation.objects.update(closes_at=timezone.now())
        closed = client.post(send, {"text": "Hi", "client_id": uuid.uuid4()}, headers=headers)
        assert (closed.status_code, closed.json()["code"]) == (409, "conversation_closed")

    def test_errors_keep_what_was_written(self, talk: Conversation, side: str) -> None:
        client, send = as_user(someone(talk, side)), url(talk, side, "conversation_send")
        long = client.post(send, {"text": "x" * 2001, "client_id": uuid.uuid4()})
        assert long.status_code == 400
        assert "x" * 2001 in long.content.decode()
        assert client.post(send, {"text": "Hi", "client_id": "no"}).status_code == 400
        bad = client.post(send, {"client_id": uuid.uuid4(), "photo": SimpleUploadedFile("a.jpg", b"no photo")})
        assert bad.status_code == 400
        assert "not a photo" in bad.content.decode()
        assert Message.objects.count() == 1

    def test_a_photo_is_remade(self, talk: Conversation, side: str) -> None:
        file = SimpleUploadedFile("../../evil.svg.jpg", jpeg(), content_type="image/svg+xml")
        client = as_user(someone(talk, side))
        client.post(url(talk, side, "conversation_send"), {"client_id": uuid.uuid4(), "photo": file})
        message = Message.objects.get(seq=2)
        assert (message.kind, message.text) == ("photo", "")
        assert re.fullmatch(r"messages/[0-9a-f-]{36}(_\w+)?\.jpg", message.photo.name)
        assert reverse("conversations:photo", args=[message.uid]) in client.get(url(talk, side)).content.decode()

    def test_a_closed_talk_is_readable(self, talk: Conversation, side: str) -> None:
        say(talk, someone(talk, side), "Before")
        Conversation.objects.update(closes_at=timezone.now())
        page = as_user(someone(talk, side)).get(url(talk, side)).content.decode()
        assert "Before" in page
        assert "This conversation closed on" in page
        assert "data-composer" not in page

    def test_earlier_messages(self, talk: Conversation, side: str) -> None:
        start = timezone.now() - dt.timedelta(days=3)
        for number in range(60):
            write(talk, talk.owner, f"No. {number}.", now=start + dt.timedelta(minutes=number))
        client = as_user(someone(talk, side))
        newest = re.findall(r'data-seq="(\d+)"', client.get(url(talk, side)).content.decode())
        assert newest == [str(seq) for seq in range(12, 62)]
        earlier = client.get(url(talk, side), {"before": 12}).content.decode()
        assert re.findall(r'data-seq="(\d+)"', earlier) == [str(seq) for seq in range(1, 12)]
        assert client.get(url(talk, side), {"before": "'\0x"}).status_code in (200, 400)

    def test_what_is_hidden_and_what_one_is_told_of_it(self, talk: Conversation, side: str) -> None:
        other = "provider" if side == "owner" else "owner"
        say(talk, someone(talk, other), "Call 0170 1234567 please")
        say(talk, someone(talk, side), "Mine is 0170 7654321")
        page = as_user(someone(talk, side)).get(url(talk, side)).content.decode()
        assert "1234567" not in page
        assert "•••• (shown after the booking is confirmed) please" in page
        assert "Mine is 0170 7654321" in page
        assert "hidden from the other side" in page
        since = as_user(someone(talk, side)).get(url(talk, side, "conversation_since", 1)).content.decode()
        assert "1234567" not in since
        listed = as_user(someone(talk, other)).get(url(talk, other)).content.decode()
        assert "7654321" not in listed
        Conversation.objects.update(is_open_contact=True)
        assert "1234567" in as_user(someone(talk, side)).get(url(talk, side)).content.decode()

    def test_report(self, talk: Conversation, side: str) -> None:
        other = "provider" if side == "owner" else "owner"
        message = say(talk, someone(talk, other), "You fool")
        client, address = as_user(someone(talk, side)), url(talk, side, "conversation_report")
        assert "You fool" in client.get(address, {"message": message.uid}).content.decode()
        assert client.get(address, {"message": "nonsense"}).status_code == 200
        assert client.post(address, {"reason": ""}).status_code == 400
        assert client.post(address, {"reason": "rude", "message": message.uid}).status_code == 302
        report = Report.objects.get()
        assert (report.by, report.side, report.quote) == (someone(talk, side), side, "You fool")
        client.post(address, {"reason": "spam"})
        assert Report.objects.count() == 1

    def test_block_and_unblock(self, talk: Conversation, side: str) -> None:
        client = as_user(someone(talk, side))
        for _ in range(2):
            client.post(url(talk, side, "conversation_block"))
        assert Block.objects.get().side == side
        assert "You have blocked" in client.get(url(talk, side)).content.decode()
        client.post(url(talk, side, "conversation_unblock"))
        assert not Block.objects.exists()

    def test_mute(self, talk: Conversation, side: str) -> None:
        client = as_user(someone(talk, side))
        for on, is_muted in (("1", True), ("0", False)):
            client.post(url(talk, side, "conversation_mute"), {"on": on})
            assert Seat.objects.get(user=someone(talk, side)).is_muted is is_muted

    def test_queries_do_not_grow(self, talk: Conversation, side: str) -> None:
        client = as_user(someone(talk, side))
        say(talk, someone(talk, "owner"), "Hello")
        say(talk, someone(talk, "provider"), "Hello")

        def more() -> None:
            for number in range(3):
                other = make_talk(talk.provider, owner=talk.owner, now=timezone.now())
                for one in (talk, other):
                    say(one, someone(talk, "owner"), f"{number}")
                    say(one, someone(talk, "provider"), f"{number}")

        listed = (
            reverse("conversations:messages")
            if side == "owner"
            else reverse("provider:messages", args=[talk.provider.slug])
        )

        def ask() -> None:
            for address in (listed, url(talk, side), url(talk, side, "conversation_since", 0)):
                assert client.get(address).status_code == 200

        assert_constant(ask, more)


PAYLOADS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'><b onmouseover=alert(1)>x",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<body onload=alert(1)>",
    "<math><mi//xlink:href='data:x,<script>'>",
    "{{7919*7907}}",
    "{% debug %}",
    "${7919*7907}",
    "<%= 7919*7907 %>",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//x>",
    "<meta http-equiv=refresh content=0>",
    "<base href=//x>",
    "<form action=//x><button>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<object data=x>",
    "<embed src=x>",
    "<video><source onerror=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<!--<script>-->",
    "]]><script>alert(1)</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\u202e<script>alert(1)</script>",
    "<scr\u200bipt>alert(1)</script>",
    "<svg><script xlink:href=data:,alert(1)>",
    "javascript:alert(1)//https://x",
]


def test_payloads_are_text(talk: Conversation) -> None:
    manager = a_manager(talk.provider)
    client, team_client = as_user(talk.owner), as_user(manager)
    pages = [
        (team_client, url(talk, "provider")),
        (team_client, url(talk, "provider", "conversation_since", 0)),
        (client, url(talk, "owner")),
    ]
    for number, payload in enumerate(PAYLOADS):
        Message.objects.filter(seq__gt=1).delete()
        Conversation.objects.update(last_seq=1, owner_last_seq=0, provider_last_seq=0)
        User.objects.filter(pk=talk.owner.pk).update(full_name=payload[:100])
        Conversation.objects.update(subject=payload[:200])
        write(talk, talk.owner, payload, now=timezone.now() + dt.timedelta(minutes=2 * number))
        for who, address in pages:
            text = who.get(address).content.decode()
            if any(sign in payload for sign in "<>"):
                assert payload not in text, payload
            assert "<script>alert" not in text
            assert not re.search(r"<(?:img|b|svg|body|input|details|source|marquee)\b[^>]*\son\w+\s*=", text), payload
            assert "62615533" not in text  # 7919 * 7907


class TestLists:
    def test_unread_first_in_number_and_in_the_menu(self, talk: Conversation) -> None:
        manager = a_manager(talk.provider)
        say(talk, manager, "First")
        say(talk, manager, "Second")
        client = as_user(talk.owner)
        page = client.get(reverse("conversations:messages")).content.decode()
        assert re.search(r'talk-row-count">2<', page)
        assert page.count("data-unread-talks") == 2  # the side menu and the bar
        conversations.read(talk, by=talk.owner, upto=3, now=timezone.now())
        page = client.get(reverse("conversations:messages")).content.decode()
        assert "talk-row-count" not in page
        assert "data-unread-talks" not in page
        assert (
            "All your messages are read"
            in client.get(reverse("conversations:messages"), {"show": "unread"}).content.decode()
        )

    def test_the_team_sees_its_own_provider_only(self, talk: Conversation) -> None:
        manager = a_manager(talk.provider)
        second = make_provider(manager, name="Second")
        make_talk(second, now=timezone.now())
        page = as_user(manager).get(reverse("provider:messages", args=[second.slug])).content.decode()
        assert page.count('class="talk-row"') == 1
        assert talk.owner.get_full_name() not in page

    def test_empty_lists_say_what_to_do(self) -> None:
        provider = make_provider()
        assert (
            "Each booking has its conversation"
            in as_user(UserFactory()).get(reverse("conversations:messages")).content.decode()
        )
        page = as_user(a_manager(provider)).get(reverse("provider:messages", args=[provider.slug])).content.decode()
        assert "Questions of pet owners" in page


class TestAsking:
    def test_ask_and_land_in_the_talk(self) -> None:
        provider, owner = make_provider(), UserFactory()
        client, address = as_user(owner), reverse("conversations:ask", args=[provider.slug])
        profile = client.get(reverse("provider_detail", args=[provider.slug])).content.decode()
        assert address in profile
        answer = client.post(address, {"text": "Do you take cats?", "client_id": uuid.uuid4()})
        made = Conversation.objects.get()
        assert answer["Location"] == reverse("conversations:conversation", args=[made.uid])
        assert client.post(address, {"text": "", "client_id": uuid.uuid4()}).status_code == 400

    def test_blocked_people_and_the_team(self) -> None:
        provider, owner = make_provider(), UserFactory()
        address = reverse("conversations:ask", args=[provider.slug])
        Block.objects.create(provider=provider, owner=owner, side="provider", by=owner)
        answer = as_user(owner).post(address, {"text": "Hi", "client_id": uuid.uuid4()})
        assert answer.status_code == 400
        assert "does not take questions from you" in answer.content.decode()
        assert as_user(a_manager(provider)).get(address)["Location"] == reverse(
            "provider:messages", args=[provider.slug]
        )
        assert as_user(owner).get(reverse("conversations:ask", args=["nobody"])).status_code == 404


class TestQuickReplies:
    def test_add_use_change_remove(self, talk: Conversation) -> None:
        provider = talk.provider
        client, address = as_user(a_manager(provider)), reverse("provider:quick_replies", args=[provider.slug])
        assert client.post(address, {"title": "Key", "text": "Where is the key?"}).status_code == 302
        assert client.post(address, {"title": "Key", "text": "Again"}).status_code == 400
        reply = QuickReply.objects.get()
        page = client.get(url(talk, "provider"), {"quick": reply.uid}).content.decode()
        assert re.search(r"<textarea[^>]*>\s*Where is the key\?</textarea>", page)
        assert client.get(url(talk, "provider"), {"quick": "nonsense"}).status_code == 200
        one = reverse("provider:quick_reply", args=[provider.slug, reply.uid])
        assert client.get(one).status_code == 200
        assert client.post(one, {"title": "Key", "text": "Key?"}).status_code == 302
        assert client.post(one, {"title": "", "text": "Key?"}).status_code == 400
        assert QuickReply.objects.get().text == "Key?"
        client.post(reverse("provider:quick_reply_remove", args=[provider.slug, reply.uid]))
        assert not QuickReply.objects.exists()

    def test_others_have_none_of_it(self, talk: Conversation) -> None:
        reply = quick_replies.add(talk.provider, title="Key", text="Key?")
        other = make_provider()
        client = as_user(a_manager(other))
        for slug in (talk.provider.slug, other.slug):
            for name in ("quick_reply", "quick_reply_remove"):
                assert (
                    client.post(
                        reverse(f"provider:{name}", args=[slug, reply.uid]), {"title": "x", "text": "y"}
                    ).status_code
                    == 404
                )
        assert client.get(reverse("provider:quick_replies", args=[talk.provider.slug])).status_code == 404
        assert QuickReply.objects.get().title == "Key"
