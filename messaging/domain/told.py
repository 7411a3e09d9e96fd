"""What became of the messages to one person about one thing: for the story that they read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.models import User
from messaging.choices import OUTSIDE, Channel, DeliveryState
from messaging.domain import preferences
from messaging.models import Delivery

S = DeliveryState
NAMES = {Channel.EMAIL: "E-mail", Channel.SMS: "Text message", Channel.PUSH: "Push"}
WORDS = {
    S.WAITING: "planned",
    S.SENT: "sent",
    S.DELIVERED: "delivered",
    S.OUTBOX: "written, but not sent: this site keeps it in its outbox",
    S.SKIPPED: "not sent",
    S.DEAD: "could not be sent",
    S.LATE: "not sent: it was too late",
}
# What servers say is for those who run this place; these sentences are ours.
OWN_SENTENCES = frozenset({S.SKIPPED})
NEVER_SET_UP = (preferences.NO_DEVICE, preferences.NO_PHONE, preferences.TEXTS_OFF)


@dataclass(frozen=True)
class Told:
    """One message on one channel. ``at`` is when it happened, or is to happen."""

    channel: str
    state: str
    at: datetime
    kind: str
    title: str
    reason: str

    @property
    def text(self) -> str:
        """Return ``E-mail sent``, ``Text message delivered``, ``Push not sent``."""
        return f"{NAMES[Channel(self.channel)]} {WORDS[DeliveryState(self.state)]}"

    @property
    def tone(self) -> str:
        if self.state in (S.SENT, S.DELIVERED):
            return "leaf"
        return "butter" if self.state in (S.WAITING, S.OUTBOX) else "rose"


def about(user: User, topics: Iterable[str]) -> dict[str, list[Told]]:
    """Return by topic what ``user`` alone was sent outside the app, in one statement, in the order of time.

    Left out is what was taken back, and what went nowhere because the person never set that channel up.
    """
    rows = (
        Delivery.objects.filter(
            notification__user=user, notification__topic__in=set(topics), channel__in=OUTSIDE
        )
        .exclude(state=S.CANCELLED)
        .exclude(state=S.SKIPPED, last_error__in=NEVER_SET_UP)
        .values_list(
            "notification__topic", "channel", "state", "due_at", "sent_at", "delivered_at", "last_error",
            "notification__kind", "notification__title",
        )
        .order_by("pk")
    )  # fmt: skip
    found: dict[str, list[Told]] = defaultdict(list)
    for topic, channel, state, due_at, sent_at, delivered_at, error, kind, title in rows:
        reason = error if state in OWN_SENTENCES else ""
        found[topic].append(Told(channel, state, delivered_at or sent_at or due_at, kind, title, reason))
    return {topic: sorted(told, key=lambda one: one.at) for topic, told in found.items()}
