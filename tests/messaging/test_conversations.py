"""The rules of talks: who writes where, numbers without gaps, sent once, read marks, limits."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from messaging.choices import ConversationKind, Side
from messaging.domain import conversations, moderation
from messaging.models import Conversation, LiveEvent, Message, Notification, Seat
from petplace.errors import DomainError, InvalidInput, NotAllowed
from providers.domain import team
from providers.models import Membership
from tests.bursts import burst
from tests.factories import NOW, UserFactory, a_manager, make_provider, make_talk, write

pytestmark = pytest.mark.django_db


def texts(talk: Conversation) -> list[tuple[int, str]]:
    return list(Message.objects.filter(conversation=talk).order_by("seq").values_list("seq", "text"))


def numbers(talk: Conversation) -> list[int]:
    return [seq for seq, _ in texts(talk)]


class TestWriting:
    def test_both_sides_write_with_numbers_in_a_row(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        write(talk, talk.owner, "Is Tuesday fine?")
        answer = write(talk, manager, "Yes.", now=NOW + dt.timedelta(minutes=1))
        talk.refresh_from_db()
        assert texts(talk) == [(1, "Request sent."), (2, "Is Tuesday fine?"), (3, "Yes.")]
        assert (answer.side, answer.author) == (Side.PROVIDER, manager)
        assert (talk.last_seq, talk.owner_last_seq, talk.provider_last_seq) == (3, 2, 3)
        assert talk.last_message_at == NOW + dt.timedelta(minutes=1)

    def test_sending_again_is_the_same_message(self) -> None:
        talk, client_id = make_talk(), uuid.uuid4()
        first = write(talk, talk.owner, "Once", client_id=client_id)
        again = write(talk, talk.owner, "Once", client_id=client_id)
        assert first.pk == again.pk
        assert numbers(talk) == [1, 2]
        assert Notification.objects.filter(kind="message").count() == 1

    def test_the_same_number_of_two_people_is_two_messages(self) -> None:
        talk, client_id = make_talk(), uuid.uuid4()
        write(talk, talk.owner, client_id=client_id)
        write(talk, a_manager(talk.provider), client_id=client_id)
        assert numbers(talk) == [1, 2, 3]

    def test_strangers_and_former_members_cannot_write(self) -> None:
        talk, member = make_talk(), UserFactory()
        membership = team.add(talk.provider, email=member.email, by=None)
        write(talk, member)
        team.remove(membership, by=None)
        for person in (member, UserFactory()):
            with pytest.raises(NotAllowed):
                write(talk, person)
        assert numbers(talk) == [1, 2]

    def test_somebody_on_both_sides_speaks_for_the_named_one(self) -> None:
        provider = make_provider()
        manager = a_manager(provider)
        talk = make_talk(provider, owner=manager)
        assert write(talk, manager).side == Side.OWNER
        assert write(talk, manager, side=Side.PROVIDER).side == Side.PROVIDER
        with pytest.raises(NotAllowed):
            write(make_talk(provider), manager, side=Side.OWNER)

    def test_a_closed_talk_takes_nothing_but_what_it_has(self) -> None:
        talk, client_id = make_talk(closes_at=NOW + dt.timedelta(hours=1)), uuid.uuid4()
        sent = write(talk, talk.owner, client_id=client_id)
        later = NOW + dt.timedelta(hours=1)
        with pytest.raises(conversations.ConversationClosedError) as caught:
            write(talk, talk.owner, now=later)
        assert (caught.value.status, caught.value.code) == (409, "conversation_closed")
        assert write(talk, talk.owner, client_id=client_id, now=later).pk == sent.pk

    @pytest.mark.parametrize("text", ["", " \n ", "x" * 2001, "a\0b"])
    def test_nothing_and_too_much_are_refused(self, text: str) -> None:
        talk = make_talk()
        with pytest.raises(InvalidInput) as caught:
            write(talk, talk.owner, text)
        assert list(caught.value.fields) == ["text"]
        assert numbers(talk) == [1]

    def test_two_thousand_characters_of_any_script_fit(self) -> None:
        talk = make_talk()
        assert len(write(talk, talk.owner, "\N{DOG FACE}" * 2000).text) == 2000

    def test_thirty_in_a_minute_and_no_more(self) -> None:
        talk, other = make_talk(), make_talk()
        other.owner = talk.owner
        other.save()
        for number in range(30):
            write((talk, other)[number % 2], talk.owner, now=NOW + dt.timedelta(seconds=number))
        with pytest.raises(conversations.TooManyMessagesError) as caught:
            write(talk, talk.owner, now=NOW + dt.timedelta(seconds=30))
        assert (caught.value.status, caught.value.code) == (429, "too_many_messages")
        write(talk, talk.owner, now=NOW + dt.timedelta(seconds=60))
        write(talk, a_manager(talk.provider), now=NOW + dt.timedelta(seconds=30))

    def test_blocked_either_way_nobody_writes(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        moderation.block(talk, by=manager)
        for person in (talk.owner, manager):
            with pytest.raises(conversations.ConversationBlockedError):
                write(talk, person)
        moderation.unblock(talk, by=manager)
        write(talk, talk.owner)
        assert numbers(talk) == [1, 2]

    def test_a_step_of_the_booking_takes_the_next_number(self) -> None:
        talk = make_talk()
        write(talk, talk.owner)
        until = NOW + dt.timedelta(days=20)
        seq = conversations.say(talk, text="Accepted.", now=NOW, closes_at=until, is_open_contact=True)
        talk.refresh_from_db()
        assert (seq, talk.last_seq, talk.closes_at, talk.is_open_contact) == (3, 3, until, True)
        conversations.say(talk, text="Cancelled.", now=NOW, closes_at=None)
        talk.refresh_from_db()
        assert (talk.closes_at, talk.is_open_contact) == (None, True)

    def test_opening_takes_two_statements(self) -> None:
        provider, owner = make_provider(), UserFactory()
        with transaction.atomic(), CaptureQueriesContext(connection) as caught:
            conversations.open_for(provider, owner, subject="x" * 300, event="Booked.", now=NOW)
        assert len(caught) == 2, [query["sql"] for query in caught]

    def test_the_statements_of_a_message_do_not_grow_with_the_talk(self) -> None:
        talk = make_talk()

        def statements() -> int:
            with CaptureQueriesContext(connection) as caught:
                write(talk, talk.owner)
            return len(caught)

        statements()
        before = statements()
        for _ in range(5):
            write(talk, a_manager(talk.provider))
        assert statements() == before


class TestDatabase:
    """What the database refuses by itself."""

    @pytest.mark.parametrize(
        ("fields", "name"),
        [
            ({"seq": 1}, "message_seq_once"),
            ({"seq": 0}, "message_seq_from_one"),
            ({"side": "nobody"}, "message_side_known"),
            ({"kind": "poem"}, "message_kind_known"),
            ({"author": None}, "message_has_author_or_is_event"),
            ({"client_id": None}, "message_has_author_or_is_event"),
            ({"side": "system"}, "message_has_author_or_is_event"),
            ({"text": ""}, "message_says_something"),
        ],
    )
    def test_messages(self, fields: dict[str, Any], name: str) -> None:
        talk = make_talk()
        values = {"conversation": talk, "seq": 2, "author": talk.owner, "side": "owner", "kind": "text"}
        values |= {"text": "Hi", "client_id": uuid.uuid4(), "at": NOW}
        with pytest.raises(IntegrityError, match=name), transaction.atomic():
            Message.objects.create(**(values | fields))

    def test_one_client_id_once_per_person(self) -> None:
        talk, client_id = make_talk(), uuid.uuid4()
        first = write(talk, talk.owner, client_id=client_id)
        first.pk, first.seq, first.uid = None, 3, uuid.uuid4()
        with pytest.raises(IntegrityError, match="message_sent_once"), transaction.atomic():
            first.save(force_insert=True)

    def test_talks_seats_blocks_and_reports(self) -> None:
        talk = make_talk()
        owner, provider = talk.owner, talk.provider
        enquiry = {"owner": owner, "provider": provider, "kind": "enquiry", "last_message_at": NOW}
        Conversation.objects.create(**enquiry)
        for name, make in {
            "conversation_one_open_enquiry": lambda: Conversation.objects.create(**enquiry),
            "conversation_kind_known": lambda: Conversation.objects.create(**(enquiry | {"kind": "gossip"})),
            "conversation_sides_not_ahead": lambda: Conversation.objects.filter(pk=talk.pk).update(owner_last_seq=9),
            "seat_read_is_delivered": lambda: Seat.objects.create(conversation=talk, user=owner, read_seq=1),
            "block_side_known": lambda: moderation.Block.objects.create(
                provider=provider, owner=owner, side="staff", by=owner
            ),
        }.items():
            with pytest.raises(IntegrityError, match=name), transaction.atomic():
                make()
        Conversation.objects.create(**(enquiry | {"closes_at": NOW}))
        moderation.report(talk, by=owner, reason="rude", now=NOW)
        with pytest.raises(IntegrityError, match="report_closed_by_somebody"), transaction.atomic():
            talk.reports.update(closed_at=NOW)


class TestEnquiries:
    def ask(self, provider: Any, by: User, text: str = "Do you take cats?", **fields: Any) -> Message:
        return conversations.enquire(provider, by=by, text=text, now=NOW, client_id=uuid.uuid4(), **fields)

    def test_more_questions_go_into_one_talk(self) -> None:
        provider, owner = make_provider(), UserFactory()
        first, second = self.ask(provider, owner), self.ask(provider, owner, "And dogs?")
        assert first.conversation == second.conversation
        assert first.conversation.kind == ConversationKind.ENQUIRY
        assert numbers(first.conversation) == [1, 2]

    def test_ten_new_ones_a_day(self) -> None:
        owner = UserFactory()
        asked = [make_provider(name=f"P{number}") for number in range(11)]
        for provider in asked[:10]:
            self.ask(provider, owner)
        with pytest.raises(DomainError) as caught:
            self.ask(asked[10], owner)
        assert (caught.value.status, caught.value.code) == (429, "too_many_enquiries")
        assert Conversation.objects.count() == 10
        self.ask(asked[0], owner, "One more in the same talk is fine.")

    def test_who_is_hidden_blocked_or_on_the_team_cannot_ask(self) -> None:
        owner, provider = UserFactory(), make_provider()
        hidden = make_provider(state="suspended")
        self.ask(provider, owner)
        moderation.block(Conversation.objects.get(), by=a_manager(provider))
        for at, by in ((hidden, owner), (provider, owner), (provider, a_manager(provider))):
            with pytest.raises(NotAllowed):
                self.ask(at, by)
        assert Message.objects.count() == 1


class TestReading:
    def test_marks_go_forward_only_and_never_past_the_end(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        for _ in range(3):
            write(talk, talk.owner)
        assert conversations.read(talk, by=manager, upto=3, now=NOW)
        assert not conversations.read(talk, by=manager, upto=2, now=NOW)
        assert conversations.read(talk, by=manager, upto=10**9, now=NOW)
        seat = Seat.objects.get(user=manager)
        assert (seat.read_seq, seat.delivered_seq) == (4, 4)

    def test_delivered_is_not_read(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        write(talk, talk.owner)
        assert conversations.deliver(talk, by=manager, upto=2, now=NOW)
        assert conversations.seen_by_other_side(talk, Side.OWNER) == (0, 2)
        assert conversations.unread(manager).providers == {talk.provider_id: 1}
        conversations.read(talk, by=manager, upto=2, now=NOW)
        assert conversations.seen_by_other_side(talk, Side.OWNER) == (2, 2)
        assert conversations.seen_by_other_side(talk, Side.PROVIDER) == (0, 0)

    def test_unread_counts_talks_with_words_of_the_other_side(self) -> None:
        provider = make_provider()
        manager, owner = a_manager(provider), UserFactory()
        talks = [make_talk(provider, owner=owner) for _ in range(3)]
        assert conversations.unread(owner) == conversations.Unread()
        write(talks[0], manager)
        write(talks[0], manager)
        write(talks[1], manager)
        write(talks[2], owner)
        assert conversations.unread(owner).owner == 2
        assert conversations.unread(manager).providers == {provider.pk: 1}
        conversations.read(talks[0], by=owner, upto=3, now=NOW)
        assert conversations.unread(owner).owner == 1

    def test_writing_past_something_new_does_not_read_it(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        conversations.read(talk, by=talk.owner, upto=1, now=NOW)
        write(talk, talk.owner)
        assert Seat.objects.get(user=talk.owner).read_seq == 2
        write(talk, manager)
        write(talk, talk.owner)
        assert Seat.objects.get(user=talk.owner).read_seq == 2
        assert conversations.unread(talk.owner).owner == 1

    def test_reading_reads_the_notification(self) -> None:
        talk = make_talk()
        write(talk, a_manager(talk.provider))
        note = Notification.objects.get(user=talk.owner)
        conversations.read(talk, by=talk.owner, upto=2, now=NOW)
        note.refresh_from_db()
        assert note.read_at == NOW

    def test_strangers_leave_no_mark(self) -> None:
        talk = make_talk()
        with pytest.raises(NotAllowed):
            conversations.read(talk, by=UserFactory(), upto=1, now=NOW)
        with pytest.raises(NotAllowed):
            conversations.mute(talk, by=UserFactory(), is_muted=True)
        assert not Seat.objects.exists()

    def test_who_joins_a_team_starts_with_everything_read_and_leaves_no_seat(self) -> None:
        talk, person = make_talk(), UserFactory()
        write(talk, talk.owner)
        membership = team.add(talk.provider, email=person.email, by=None)
        assert conversations.unread(person).providers == {}
        write(talk, talk.owner)
        assert conversations.unread(person).providers == {talk.provider_id: 1}
        team.remove(membership, by=None)
        assert not Seat.objects.filter(user=person).exists()
        assert conversations.unread(person).providers == {}


class TestHearing:
    def test_the_other_side_is_told_the_own_one_sees_it_live(self) -> None:
        talk, colleague = make_talk(), UserFactory()
        team.add(talk.provider, email=colleague.email, by=None)
        manager = a_manager(talk.provider)
        write(talk, manager, "Hello")
        assert list(Notification.objects.filter(kind="message").values_list("user", flat=True)) == [talk.owner_id]
        told = LiveEvent.objects.filter(kind="message")
        assert set(told.values_list("user_id", flat=True)) == {talk.owner_id, manager.pk, colleague.pk}
        assert told[0].data == {"conversation": str(talk.uid), "seq": 2}

    def test_a_muted_talk_makes_no_notification_but_counts(self) -> None:
        talk = make_talk()
        conversations.mute(talk, by=talk.owner, is_muted=True)
        write(talk, a_manager(talk.provider))
        assert not Notification.objects.filter(user=talk.owner).exists()
        assert conversations.unread(talk.owner).owner == 1
        conversations.mute(talk, by=talk.owner, is_muted=False)
        write(talk, a_manager(talk.provider))
        assert Notification.objects.filter(user=talk.owner).exists()

    def test_what_is_hidden_in_the_talk_is_hidden_in_the_notification(self) -> None:
        talk = make_talk()
        write(talk, a_manager(talk.provider), "Call +49 170 1234567")
        note = Notification.objects.get(user=talk.owner)
        assert "1234567" not in f"{note.title} {note.body} {note.short}"

    def test_reading_is_seen_live_by_the_other_side_and_once(self) -> None:
        talk = make_talk()
        manager = a_manager(talk.provider)
        write(talk, talk.owner)
        conversations.read(talk, by=manager, upto=2, now=NOW)
        conversations.read(talk, by=manager, upto=2, now=NOW)
        told = list(LiveEvent.objects.filter(kind="read").order_by("user_id").values_list("user_id", flat=True))
        assert told == sorted([talk.owner_id, manager.pk])

    def test_nobody_hears_of_a_message_that_was_rolled_back(self) -> None:
        talk = make_talk()
        with transaction.atomic():
            write(talk, talk.owner)
            transaction.set_rollback(True)
        talk.refresh_from_db()
        heard = Notification.objects.filter(kind="message").count()
        assert (talk.last_seq, LiveEvent.objects.count(), heard) == (1, 0, 0)


class TestWho:
    def test_each_sees_their_own_talks(self) -> None:
        talk, other = make_talk(), make_talk()
        manager = a_manager(talk.provider)
        for person, seen in ((talk.owner, [talk]), (manager, [talk]), (UserFactory(), []), (other.owner, [other])):
            assert list(Conversation.objects.visible_to(person)) == seen

    def test_staff_of_the_platform_see_none(self) -> None:
        make_talk()
        assert not Conversation.objects.visible_to(UserFactory(is_staff=True, is_superuser=True)).exists()

    @pytest.mark.parametrize("blocker", ["owner", "provider"])
    def test_who_is_blocked_finds_nothing_who_blocks_still_does(self, blocker: str) -> None:
        talk = make_talk()
        people = {"owner": talk.owner, "provider": a_manager(talk.provider)}
        blocked = people["provider" if blocker == "owner" else "owner"]
        moderation.block(talk, by=people[blocker])
        assert not Conversation.objects.visible_to(blocked).exists()
        assert list(Conversation.objects.visible_to(people[blocker])) == [talk]
        assert conversations.people_of(talk)[Side("provider" if blocker == "owner" else "owner")] == []

    def test_a_former_member_sees_none(self) -> None:
        talk, person = make_talk(), UserFactory()
        team.remove(team.add(talk.provider, email=person.email, by=None), by=None)
        assert not Conversation.objects.visible_to(person).exists()
        assert Membership.objects.filter(user=person).count() == 0


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
class TestBursts:
    def test_forty_at_once_get_forty_numbers(self) -> None:
        talk = make_talk()
        people = [talk.owner, a_manager(talk.provider)]
        burst(16, lambda number: write(talk, people[number % 2], f"No. {number}").pk)
        assert numbers(talk) == list(range(1, 18))
        talk.refresh_from_db()
        assert talk.last_seq == 17

    def test_one_client_id_sent_twelve_times_at_once_is_one_message(self) -> None:
        talk, client_id = make_talk(), uuid.uuid4()
        keys = burst(12, lambda number: write(talk, talk.owner, client_id=client_id).pk)
        assert len(set(keys)) == 1
        assert numbers(talk) == [1, 2]
        assert Notification.objects.filter(kind="message").count() == 1

    @pytest.mark.control
    def test_without_the_lock_numbers_clash(self, monkeypatch: pytest.MonkeyPatch) -> None:
        talk = make_talk()
        monkeypatch.setattr(conversations, "_locked", lambda one: Conversation.objects.get(pk=one.pk))
        for _ in range(20):
            try:
                burst(12, lambda number: write(talk, talk.owner, now=NOW + dt.timedelta(minutes=number)).pk)
            except AssertionError as error:
                assert "message_seq_once" in str(error)  # noqa: PT017  it may take some bursts
                return
        pytest.fail("The control never clashed.")

    def test_a_question_asked_at_once_opens_one_talk(self) -> None:
        provider, owner = make_provider(), UserFactory()

        def ask(number: int) -> int:
            return conversations.enquire(provider, by=owner, text="?", now=NOW, client_id=uuid.uuid4()).pk

        burst(8, ask)
        talk = Conversation.objects.get()
        assert numbers(talk) == list(range(1, 9))

    def test_steps_and_words_at_once_leave_no_gap(self) -> None:
        talk = make_talk()

        def act(number: int) -> int:
            if number % 2:
                return write(talk, talk.owner).pk
            with transaction.atomic():
                return conversations.say(talk, text="A step.", now=NOW)

        burst(12, act)
        assert numbers(talk) == list(range(1, 14))
