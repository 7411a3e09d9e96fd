"""Talks between an owner and a provider's team: opening, writing, reading. Nothing else writes messages.

The order of locks: booking -> owner -> conversation -> notifications. Writing locks the conversation's row alone, so
its numbers have no gaps and two who write at once get one after the other; talks do not wait for each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.files.base import File
from django.db import connection, transaction
from django.db.models import Count

from accounts.models import User
from messaging.choices import OTHER_SIDE, ConversationKind, MessageKind, Side
from messaging.domain import chat_notices, live
from messaging.models import Conversation, Message, Seat
from messaging.models.conversation import TEXT_LENGTH
from messaging.permissions import blocking_sides, is_on_side, side_of
from petplace.errors import DomainError, InvalidInput, NotAllowed
from providers.models import Membership, Provider
from providers.permissions import role_of

MESSAGES_PER_MINUTE = 30
ENQUIRIES_PER_DAY = 10
SUBJECT_LENGTH = 200


class ConversationClosedError(DomainError):
    code = "conversation_closed"
    message = "This conversation is closed. It can still be read."


class ConversationBlockedError(DomainError):
    code = "conversation_blocked"
    message = "Messages between you are blocked."


class TooManyMessagesError(DomainError):
    """Somebody writes faster than people do. ``extra["retry_after"]`` is in seconds."""

    code = "too_many_messages"
    status = 429
    message = "You have sent many messages at once. Please wait a minute."


@dataclass(frozen=True)
class Unread:
    """How many talks have something new for a person: as an owner, and for each provider (by primary key)."""

    owner: int = 0
    providers: dict[int, int] = field(default_factory=dict)


# --- Opening --------------------------------------------------------------------------------------


@transaction.atomic(savepoint=False)
def open_for(
    provider: Provider,
    owner: User,
    *,
    subject: str,
    now: datetime,
    event: str,
    closes_at: datetime | None = None,
    is_open_contact: bool = False,
) -> Conversation:
    """Open the talk of a booking, with ``event`` as its first line. Two statements, no lock; nobody is told."""
    conversation = Conversation.objects.create(
        provider=provider,
        owner=owner,
        kind=ConversationKind.BOOKING,
        subject=subject[:SUBJECT_LENGTH],
        closes_at=closes_at,
        is_open_contact=is_open_contact,
        last_seq=1,
        last_message_at=now,
    )
    Message.objects.create(
        conversation=conversation, seq=1, side=Side.SYSTEM, kind=MessageKind.EVENT, text=event, at=now
    )
    return conversation


@transaction.atomic
def enquire(
    provider: Provider,
    *,
    by: User,
    text: str,
    now: datetime,
    client_id: UUID,
    photo: File[bytes] | None = None,
) -> Message:
    """Ask a provider something before a booking exists; more questions go into the same talk.

    Raises NotAllowed when the provider does not take questions from ``by``, TooManyMessagesError after ten new ones in
    24 hours. Steps: lock the asker -> find or open the talk -> post.
    """
    User.objects.select_for_update(no_key=True).only("pk").get(pk=by.pk)
    if not by.is_active or not provider.is_public or role_of(by, provider) is not None:
        raise NotAllowed("You cannot ask this provider.")
    if Side.PROVIDER in blocking_sides(provider.pk, by.pk):
        raise NotAllowed("This provider does not take questions from you.")
    mine = Conversation.objects.filter(owner=by, kind=ConversationKind.ENQUIRY)
    conversation = mine.filter(provider=provider, closes_at__isnull=True).first()
    if conversation is None:
        day = Message.objects.filter(author=by, at__gt=now - timedelta(days=1), seq=1, conversation__in=mine)
        if day.count() >= ENQUIRIES_PER_DAY:
            raise TooManyMessagesError(
                f"You have asked {ENQUIRIES_PER_DAY} providers today. Please ask more tomorrow.",
                code="too_many_enquiries",
                extra={"retry_after": 3600},
            )
        conversation = Conversation.objects.create(
            provider=provider, owner=by, kind=ConversationKind.ENQUIRY, last_message_at=now
        )
    return post(conversation, by=by, text=text, photo=photo, client_id=client_id, now=now, side=Side.OWNER)


# --- Writing --------------------------------------------------------------------------------------


@transaction.atomic
def post(
    conversation: Conversation,
    *,
    by: User,
    text: str = "",
    photo: File[bytes] | None = None,
    client_id: UUID,
    now: datetime,
    side: Side | None = None,
) -> Message:
    """Write a message. A second call with the same ``client_id`` by the same person returns the first one.

    ``photo`` is a cleaned file. ``side`` says for whom somebody speaks who stands on both. Raises NotAllowed for
    strangers, ConversationClosedError, ConversationBlockedError, TooManyMessagesError, InvalidInput. Side effects: the
    live lines of both sides, and a notification to each on the other side.
    Steps: lock the talk -> known already? -> rules -> number -> message -> what people hear.
    """
    side = _speaking(by, conversation, side)
    text = clean_text(text, is_required=photo is None)
    locked = _locked(conversation)
    known = Message.objects.filter(conversation=locked, author=by, client_id=client_id).first()
    if known is not None:
        known.conversation = locked
        return known
    _check_open(locked, now)
    _check_pace(by, now)
    message = Message(
        conversation=locked,
        seq=locked.last_seq + 1,
        author=by,
        side=side,
        kind=MessageKind.PHOTO if photo is not None else MessageKind.TEXT,
        text=text,
        client_id=client_id,
        at=now,
    )
    if photo is not None:
        message.photo = photo
    _save(message)
    locked.last_seq, locked.last_message_at = message.seq, now
    counter = f"{side}_last_seq"
    setattr(locked, counter, message.seq)
    locked.save(update_fields=["last_seq", "last_message_at", counter])
    # Who has read all there was has read this one, too; who wrote past something new has not read it.
    Seat.objects.filter(conversation=locked, user=by, read_seq=message.seq - 1).update(
        read_seq=message.seq, delivered_seq=message.seq, seen_at=now
    )
    _tell(locked, message, by=by, now=now)
    return message


def say(
    conversation: Conversation,
    *,
    text: str,
    now: datetime,
    closes_at: datetime | None = None,
    is_open_contact: bool | None = None,
    readers: list[int] | None = None,
) -> int:
    """Write a step of the booking into its talk, and when the talk closes from now on. Returns its number.

    ``is_open_contact`` None leaves it. ``readers`` are the ids of people whose open pages are told. Two statements and
    one for them; the row of the talk is locked until the caller's transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """UPDATE messaging_conversation SET last_seq = last_seq + 1, last_message_at = %s, closes_at = %s,
                      is_open_contact = coalesce(%s, is_open_contact)
               WHERE id = %s RETURNING last_seq""",
            [now, closes_at, is_open_contact, conversation.pk],
        )
        seq = int(cursor.fetchone()[0])
    Message.objects.create(
        conversation=conversation, seq=seq, side=Side.SYSTEM, kind=MessageKind.EVENT, text=text, at=now
    )
    live.emit(readers or [], "message", {"conversation": str(conversation.uid), "seq": seq})
    return seq


def clean_text(text: str, *, is_required: bool = True) -> str:
    """Return ``text`` without blank ends. Raises InvalidInput when it is empty, too long or cannot be stored."""
    text = text.replace("\r\n", "\n").strip()
    if is_required and not text:
        raise InvalidInput(fields={"text": ["Write something first."]})
    if len(text) > TEXT_LENGTH:
        raise InvalidInput(fields={"text": [f"A message has at most {TEXT_LENGTH} characters."]})
    if "\0" in text:
        raise InvalidInput(fields={"text": ["The text contains a character that cannot be stored."]})
    return text


# --- Reading --------------------------------------------------------------------------------------


def read(conversation: Conversation, *, by: User, upto: int, now: datetime, side: Side | None = None) -> bool:
    """Mark everything up to number ``upto`` as read by ``by``; say whether that was news. Marks never go back.

    The other side sees it. Waiting notifications about it are read with it.
    """
    return _advance(conversation, by=by, upto=upto, now=now, side=side, is_read=True)


def deliver(conversation: Conversation, *, by: User, upto: int, now: datetime, side: Side | None = None) -> bool:
    """Mark everything up to ``upto`` as arrived on a device of ``by``; say whether that was news."""
    return _advance(conversation, by=by, upto=upto, now=now, side=side, is_read=False)


def mute(conversation: Conversation, *, by: User, is_muted: bool) -> None:
    """Stop notifications of this talk for one person, or start them again. It still counts as unread."""
    _speaking(by, conversation, None)
    Seat.objects.update_or_create(conversation=conversation, user=by, defaults={"is_muted": is_muted})


def unread(user: User) -> Unread:
    """Count the talks with something new for ``user``, in two queries."""
    rows = (
        Conversation.objects.of_team(user)
        .unread_by(user, Side.PROVIDER)
        .order_by()
        .values("provider_id")
        .annotate(number=Count("pk"))
    )
    return Unread(
        owner=Conversation.objects.of_owner(user).unread_by(user, Side.OWNER).count(),
        providers={row["provider_id"]: row["number"] for row in rows},
    )


def seen_by_other_side(conversation: Conversation, side: str) -> tuple[int, int]:
    """Return up to which number the other side of ``side`` has read, and up to which it has arrived there."""
    seats = Seat.objects.filter(conversation=conversation).values_list("user_id", "read_seq", "delivered_seq")
    others = [row for row in seats if (row[0] == conversation.owner_id) == (side == Side.PROVIDER)]
    return max((row[1] for row in others), default=0), max((row[2] for row in others), default=0)


def people_of(conversation: Conversation) -> dict[Side, list[int]]:
    """Return the ids of who may read a talk now, by side, leaving out a side that the other has blocked."""
    team = Membership.objects.filter(provider_id=conversation.provider_id, user__is_active=True)
    people = {
        Side.OWNER: [conversation.owner_id],
        Side.PROVIDER: [pk for pk in team.values_list("user_id", flat=True) if pk != conversation.owner_id],
    }
    for side in blocking_sides(conversation.provider_id, conversation.owner_id):
        people[OTHER_SIDE[side]] = []
    return people


# --- Inside ---------------------------------------------------------------------------------------


def _speaking(by: User, conversation: Conversation, side: Side | None) -> Side:
    found = side_of(by, conversation) if side is None else side
    if found is None or (side is not None and not is_on_side(by, conversation, side)):
        raise NotAllowed
    return found


def _locked(conversation: Conversation) -> Conversation:
    rows = Conversation.objects.select_related("provider", "owner")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=conversation.pk)


def _check_open(conversation: Conversation, now: datetime) -> None:
    if conversation.is_closed(now):
        raise ConversationClosedError
    if blocking_sides(conversation.provider_id, conversation.owner_id):
        raise ConversationBlockedError


def _check_pace(by: User, now: datetime) -> None:
    """Counted from the rows, so that it holds without Redis; two talks at the same moment may let one more through."""
    if Message.objects.filter(author=by, at__gt=now - timedelta(minutes=1), at__lte=now).count() >= MESSAGES_PER_MINUTE:
        raise TooManyMessagesError(extra={"retry_after": 60})


def _save(message: Message) -> None:
    """Insert; a photo whose message does not come into being leaves no file behind."""
    try:
        with transaction.atomic(savepoint=False):
            message.save(force_insert=True)
    except BaseException:
        if message.photo.name:
            message.photo.storage.delete(message.photo.name)
        raise


def _tell(conversation: Conversation, message: Message, *, by: User, now: datetime) -> None:
    people = people_of(conversation)
    data: dict[str, Any] = {"conversation": str(conversation.uid), "seq": message.seq}
    live.emit([*people[Side.OWNER], *people[Side.PROVIDER]], "message", data)
    chat_notices.tell(conversation, message, people[OTHER_SIDE[Side(message.side)]], by=by, now=now)


@transaction.atomic
def _advance(
    conversation: Conversation, *, by: User, upto: int, now: datetime, side: Side | None, is_read: bool
) -> bool:
    side = _speaking(by, conversation, side)
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO messaging_seat AS seat (conversation_id, user_id, read_seq, delivered_seq, seen_at, is_muted)
               SELECT id, %(user)s, CASE WHEN %(is_read)s THEN least(%(upto)s, last_seq) ELSE 0 END,
                      least(%(upto)s, last_seq), %(now)s, false
               FROM messaging_conversation WHERE id = %(conversation)s
               ON CONFLICT (conversation_id, user_id) DO UPDATE
               SET read_seq = greatest(seat.read_seq, excluded.read_seq),
                   delivered_seq = greatest(seat.delivered_seq, excluded.delivered_seq), seen_at = excluded.seen_at
               WHERE seat.read_seq < excluded.read_seq OR seat.delivered_seq < excluded.delivered_seq
               RETURNING read_seq, delivered_seq""",
            {"user": by.pk, "is_read": is_read, "upto": max(0, upto), "now": now, "conversation": conversation.pk},
        )
        row = cursor.fetchone()
    if is_read:
        chat_notices.heard(conversation, by, now=now)
    if row is None:
        return False
    people = people_of(conversation)
    data = {"conversation": str(conversation.uid), "user": str(by.uid), "side": str(side)}
    data |= {"seq": row[0], "delivered": row[1]}
    live.emit({by.pk, *people[OTHER_SIDE[side]]}, "read", data)
    return True
