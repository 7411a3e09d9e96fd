"""How messages look to one reader: what is hidden, who wrote, where a day begins. No queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from accounts.models import User
from messaging.choices import OTHER_SIDE, Side
from messaging.masking import mask
from messaging.models import Conversation, Message

GROUPED = timedelta(minutes=10)
REMOVED = "This message was removed."


@dataclass(frozen=True)
class Bubble:
    message: Message
    text: str
    author: str
    is_mine: bool
    is_own_side: bool
    # For the other side: something was hidden. For one's own: the other side does not see all of it yet.
    is_masked: bool
    is_first_of_group: bool
    day: date | None
    state: str

    @property
    def seq(self) -> int:
        return self.message.seq

    @property
    def state_label(self) -> str:
        return self.state.capitalize()


def shown_text(message: Message, conversation: Conversation, side: str) -> tuple[str, bool]:
    """Return the text as ``side`` may read it, and whether the other side of its author gets (or got) less."""
    if message.is_removed:
        return REMOVED, False
    if conversation.is_open_contact or message.is_event or not message.text:
        return message.text, False
    masked = mask(message.text)
    return (message.text if message.side == side else masked.text), masked.is_masked


def bubbles(
    messages: Iterable[Message],
    conversation: Conversation,
    *,
    reader: User,
    side: str,
    seen: tuple[int, int] = (0, 0),
    before: Message | None = None,
) -> list[Bubble]:
    """Return ``messages`` (oldest first, authors loaded) for ``reader`` on ``side``.

    ``seen`` is what the other side has read and got; ``before`` the message right before the first one.
    """
    made = []
    for message in messages:
        text, is_masked = shown_text(message, conversation, side)
        day = timezone.localdate(message.at)
        is_new_day = before is None or timezone.localdate(before.at) != day
        made.append(
            Bubble(
                message=message,
                text=text,
                author=message.author.get_full_name() if message.author else "",
                is_mine=message.author_id == reader.pk,
                is_own_side=message.side == side,
                is_masked=is_masked,
                is_first_of_group=is_new_day or before is None or not _belongs_to(message, before),
                day=day if is_new_day else None,
                state=_state(message.seq, seen),
            )
        )
        before = message
    return made


def _belongs_to(message: Message, before: Message) -> bool:
    return (
        message.author_id == before.author_id
        and message.side == before.side
        and message.at - before.at < GROUPED
        and not before.is_event
    )


def _state(seq: int, seen: tuple[int, int]) -> str:
    read, delivered = seen
    return "seen" if seq <= read else "delivered" if seq <= delivered else "sent"


def counterpart(conversation: Conversation, side: str) -> str:
    """Return the name of who is on the other side."""
    other = OTHER_SIDE[Side(side)]
    return conversation.owner.get_full_name() if other == Side.OWNER else conversation.provider.name
