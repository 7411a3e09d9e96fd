"""Who may do what in a talk: plain predicates for pages, API and templates."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from messaging.choices import Side
from messaging.models import Block, Conversation
from providers.permissions import can_work_for


def side_of(user: User | AnonymousUser, conversation: Conversation) -> Side | None:
    """Return the side of ``user``, or None. An owner who books with their own team speaks as the owner."""
    if not user.is_authenticated:
        return None
    if conversation.owner_id == user.pk:
        return Side.OWNER
    return Side.PROVIDER if can_work_for(user, conversation.provider) else None


def is_on_side(user: User, conversation: Conversation, side: str) -> bool:
    """Say whether ``user`` may speak for ``side``."""
    if side == Side.OWNER:
        return conversation.owner_id == user.pk
    return side == Side.PROVIDER and can_work_for(user, conversation.provider)


def blocking_sides(provider_id: int, owner_id: int) -> list[Side]:
    """Return which sides want to hear nothing more of the other."""
    blocks = Block.objects.filter(provider_id=provider_id, owner_id=owner_id)
    return [Side(side) for side in blocks.values_list("side", flat=True)]
