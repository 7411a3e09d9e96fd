"""Every kind of notification that there is: how urgent it is, where it goes by default, what may be switched.

Each app declares its own in ``<app>/kinds.py`` and registers them when it is ready.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings

from messaging.choices import Channel

logger = logging.getLogger(__name__)


class Urgency(StrEnum):
    """``urgent`` passes quiet hours."""

    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"


GROUPS = {
    "bookings": "Bookings",
    "requests": "Requests",
    "messages": "Messages",
    "money": "Money",
    "pets": "Pets",
    "reviews": "Reviews",
    "account": "Account and security",
    "business": "Your business",
    "staff": "Staff",
}
PEOPLE = (Channel.IN_APP, Channel.EMAIL, Channel.PUSH)
QUIET = (Channel.IN_APP,)


@dataclass(frozen=True)
class Kind:
    """One kind. ``channels`` are on unless switched off, ``offered`` off unless switched on.

    ``is_mutable`` False: the e-mail cannot be switched off (account, security, legal). ``template`` names the folder
    of its own texts. ``digest_minutes``: the mail waits so long and then tells of all that is unread in its bundle.
    """

    name: str
    label: str
    group: str
    channels: tuple[Channel, ...] = PEOPLE
    offered: tuple[Channel, ...] = ()
    urgency: Urgency = Urgency.NORMAL
    is_mutable: bool = True
    template: str = ""
    digest_minutes: int = 0

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise ValueError(f"{self.name}: there is no group {self.group}.")
        if set(self.channels) & set(self.offered) or Channel.IN_APP not in self.channels:
            raise ValueError(f"{self.name}: a channel is on or offered, and every kind is in the app.")

    @property
    def is_urgent(self) -> bool:
        return self.urgency == Urgency.URGENT

    def can_switch(self, channel: str) -> bool:
        """Say whether people may switch this kind on that channel."""
        if channel == Channel.IN_APP or (channel == Channel.EMAIL and not self.is_mutable):
            return False
        return channel in self.channels or channel in self.offered

    def is_on(self, channel: str, chosen: bool | None) -> bool:
        """Say whether it goes out on ``channel`` to somebody who chose so (None: who did not)."""
        if self.can_switch(channel) and chosen is not None:
            return chosen
        return channel in self.channels


class UnknownKindError(LookupError):
    """Somebody notifies under a name that no app has declared."""


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Declare kinds; a name twice is an error unless it says the same."""
    for kind in kinds:
        if _kinds.setdefault(kind.name, kind) != kind:
            raise ValueError(f"The kind {kind.name} is declared twice.")


def get(name: str) -> Kind:
    """Return the kind. An unknown name is an error while we work, and in production in the log and by mail alone."""
    kind = _kinds.get(name)
    if kind is None:
        if not settings.IS_PRODUCTION:
            raise UnknownKindError(name)
        logger.error("The kind of notification %r is not declared", name)
        kind = Kind(name, name.replace("_", " ").capitalize(), "account", (Channel.IN_APP, Channel.EMAIL))
    return kind


def all() -> list[Kind]:
    """Return the kinds by group, in the order in which they were declared."""
    order = list(GROUPS)
    return sorted(_kinds.values(), key=lambda kind: order.index(kind.group))


def by_group(kinds: Iterable[Kind]) -> dict[str, list[Kind]]:
    """Return label -> kinds, groups in their order."""
    found: dict[str, list[Kind]] = {}
    for kind in kinds:
        found.setdefault(GROUPS[kind.group], []).append(kind)
    return found
