"""What a talk is about, asked of the apps above: they register here when they start."""

from collections.abc import Callable
from dataclasses import dataclass

from messaging.models import Conversation


@dataclass(frozen=True)
class About:
    """The page of what is talked about, as one side sees it."""

    label: str
    url: str
    text: str = ""
    state: str = ""
    state_label: str = ""


describers: list[Callable[[Conversation, str], About | None]] = []


def describe(conversation: Conversation, side: str) -> About | None:
    """Return what ``side`` can open to see more, or None for a plain question."""
    return next((found for found in (ask(conversation, side) for ask in describers) if found), None)
