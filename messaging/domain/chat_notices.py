"""What people hear of a new message who are not looking at it: one notification that grows, not one each."""

from datetime import datetime

from accounts.models import User
from messaging import chat_kinds
from messaging.choices import Side
from messaging.domain.notifications import Notice, notify_all
from messaging.masking import mask
from messaging.models import Conversation, Message, Seat

PREVIEW = 200


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
                title=f"{speaker(conversation, message)} wrote to you",
                body=preview(conversation, message),
                url=conversation.url_for(Side.OWNER if person.pk == conversation.owner_id else Side.PROVIDER),
            )
            for person in people.order_by("pk")
        ],
        now=now,
    )


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
