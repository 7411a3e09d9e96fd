"""What talks hear from other apps: people join and leave teams, and close accounts."""

from datetime import datetime

from django.db import connection
from django.db.models import Q

from accounts.models import User
from messaging.domain import chat_notices, moderation, notifications
from messaging.models import Block, Conversation, Message, QuickReply, Report, Seat
from providers.models import Membership, Provider


def joined(membership: Membership) -> None:
    """Let a new member of a team start with everything read: what was said before was answered by others."""
    with connection.cursor() as cursor:
        cursor.execute(
            """INSERT INTO messaging_seat (conversation_id, user_id, read_seq, delivered_seq, is_muted)
               SELECT id, %s, last_seq, last_seq, false FROM messaging_conversation
               WHERE provider_id = %s AND owner_id <> %s ON CONFLICT DO NOTHING""",
            [membership.user_id, membership.provider_id, membership.user_id],
        )


def left(membership: Membership) -> None:
    """A former member has no seat in the team's talks."""
    Seat.objects.filter(user=membership.user_id, conversation__provider=membership.provider_id).exclude(
        conversation__owner=membership.user_id
    ).delete()


def forget(user: User, now: datetime) -> None:
    """Take away what somebody wrote who closed the account; the other side reads that it is gone. Talks end."""
    moderation.remove(Message.objects.filter(author=user), now=now)
    still_open = Q(closes_at__isnull=True) | Q(closes_at__gt=now)
    Conversation.objects.filter(still_open, owner=user).update(closes_at=now)
    Report.objects.filter(by=user).update(text="", outcome="")
    Report.objects.filter(message__author=user).update(quote="")
    notifications.forget_topics([chat_notices.topic(talk) for talk in Conversation.objects.filter(owner=user)])
    Seat.objects.filter(user=user).delete()
    Block.objects.filter(owner=user).delete()


def forget_provider(provider: Provider, now: datetime) -> None:
    """Take the ready answers of a business away that its only person leaves."""
    QuickReply.objects.filter(provider=provider).delete()
