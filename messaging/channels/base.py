"""What a channel gets, gives back, and how it says that something went wrong. Adapters keep no rules."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from accounts.models import User
from messaging.choices import Channel
from messaging.kinds import Kind


@dataclass(frozen=True)
class Action:
    """A one-tap link: an absolute address that shows what will happen and acts on a POST."""

    label: str
    url: str
    verb: str = ""


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    content_type: str


@dataclass(frozen=True)
class Parcel:
    """One message, rendered and ready for one channel. Nothing in it is looked up any more.

    ``text`` and ``html`` are the whole mail; ``short`` is at most 160 characters; ``url`` is absolute or empty.
    ``devices`` are the push devices to reach, without those in ``reached`` (their uids as text).
    """

    delivery_pk: int
    delivery_uid: UUID
    user: User
    kind: Kind
    title: str
    body: str
    short: str
    url: str
    message_id: str
    text: str = ""
    html: str = ""
    actions: tuple[Action, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    unsubscribe_url: str = ""
    devices: tuple[Any, ...] = ()
    reached: frozenset[str] = frozenset()
    notification_uid: UUID | None = None
    bundle: str = ""
    useless_after: datetime | None = None
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Receipt:
    """What came of sending: the other side's name for it, the devices reached, or that it is only kept here."""

    ref: str = ""
    reached: tuple[str, ...] = ()
    is_kept: bool = False


class SendingError(Exception):
    """It did not go out, or not to all: ``reached`` are the devices that have it. Tried again later."""

    def __init__(self, *args: object, reached: tuple[str, ...] = ()) -> None:
        super().__init__(*args)
        self.reached = reached


class ChannelAwayError(SendingError):
    """The server, not the message, is the trouble: the rest of this channel's pass would fail alike."""


class RefusedError(SendingError):
    """A final no: trying again would change nothing."""


class NoAddressError(SendingError):
    """There is nothing to send it to: no number, no device. Not a failure."""


class ChannelAdapter(Protocol):
    """One way out. ``open`` is called once before the first ``send`` of a pass, ``close`` at its end.

    ``send`` raises one of the errors above, or any other exception, which is tried again with growing pauses.
    """

    channel: Channel

    def is_ready(self) -> bool:
        """Say whether there are credentials; asked before anything is opened."""
        ...

    def open(self) -> None: ...

    def close(self) -> None: ...

    def send(self, parcel: Parcel) -> Receipt: ...
