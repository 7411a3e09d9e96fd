"""What people hear of a new message who are not looking at it: one notification that grows, not one each."""

from datetime import datetime

from accounts.models import User
from messaging import chat_kinds
from messaging.choices import Side
from messaging.domain.notifications import Notice, notify_all, read_bundle
from messaging.domain.rendering import Text
from messaging.masking import mask
from messaging.models import Conversation, Message, Notification, Seat
from messaging.permissions import blocking_sides

PREVIEW = 200
DIGEST = 5  # messages in one mail, the newest


def tell(conversation: Conversation, message: Message, readers: list[int], *, by: User, now: datetime) -> None:
    """Write the notifications of ``message`` to ``readers`` (ids), but not to those who muted the talk."""
    muted = Seat.objects.filter(conversation=conversation, is_muted=True).values("user_id")
    people = User.objects.filter(pk__in=[pk for pk in readers if pk != by.pk], is_active=True).exclude(pk__in=muted)
    notify_all(
        [
            Notice(
                person,
                chat_kinds.MESSAGE,
                key=f"message:{message.uid}",
                topic=topic(conversation),
                bundle=topic(conversation),
                title_many=_many(conversation, "{count}", message.side),
                title=f"{speaker(conversation, message)} wrote to you",
                body=preview(conversation, message),
                url=conversation.url_for(Side.OWNER if person.pk == conversation.owner_id else Side.PROVIDER),
            )
            for person in people.order_by("pk")
        ],
        now=now,
    )


def digest(notification: Notification) -> Text | None:
    """Write what is sent: what the reader has not read by then. Nothing to who has read all, or may not any more."""
    found = Conversation.objects.select_related("provider", "owner")
    conversation = found.filter(uid=notification.topic.removeprefix("conversation:")).first()
    if conversation is None:
        return None
    reader = notification.user_id
    side = Side.OWNER if reader == conversation.owner_id else Side.PROVIDER
    if side == Side.PROVIDER and not conversation.provider.memberships.filter(user=reader).exists():
        return None
    if set(blocking_sides(conversation.provider_id, conversation.owner_id)) - {side}:
        return None
    seen = Seat.objects.filter(conversation=conversation, user=reader).values_list("read_seq", flat=True).first() or 0
    unread = conversation.messages.filter(seq__gt=seen, removed_at__isnull=True).exclude(side__in=(side, Side.SYSTEM))
    newest = list(unread.select_related("author").order_by("-seq")[:DIGEST])[::-1]
    if not newest:
        return None
    count = unread.count()
    if count == 1:
        return Text(f"{speaker(conversation, newest[0])} wrote to you", preview(conversation, newest[0]))
    lines = [f"{speaker(conversation, message)}: {preview(conversation, message)}" for message in newest]
    if count > len(newest):
        lines.insert(0, f"The newest {len(newest)} of {count}:")
    return Text(_many(conversation, str(count), newest[-1].side), "\n\n".join(lines))


def _many(conversation: Conversation, count: str, side: str) -> str:
    who = conversation.provider.name if side == Side.PROVIDER else conversation.owner.get_full_name()
    return f"{count} messages from {who}"


def heard(conversation: Conversation, user: User, *, now: datetime) -> None:
    """Mark the notifications of a talk as read: ``user`` has read the talk itself."""
    read_bundle(user, topic(conversation), now=now)


def topic(conversation: Conversation) -> str:
    return f"conversation:{conversation.uid}"


def speaker(conversation: Conversation, message: Message) -> str:
    """Return who wrote: a person of a team is named with the provider."""
    name = message.author.get_full_name() if message.author else "Pet Place"
    return f"{name} of {conversation.provider.name}" if message.side == Side.PROVIDER else name


def preview(conversation: Conversation, message: Message) -> str:
    """Return the beginning of what the other side may read."""
    text = message.text or "A photo"
    shown = text if conversation.is_open_contact else mask(text).text
    return shown if len(shown) <= PREVIEW else f"{shown[:PREVIEW]}\N{HORIZONTAL ELLIPSIS}"
