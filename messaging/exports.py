"""Which rows of messaging are a person's own: what they wrote, where they are reached, what they were told."""

from accounts.domain import exporting
from messaging import chat_kinds
from messaging.models import (
    Block,
    ContactSettings,
    Conversation,
    Delivery,
    Device,
    Message,
    Notification,
    Preference,
    QuickReply,
    Report,
    Seat,
)
from providers.exports import managed


def register() -> None:
    exporting.register(
        Conversation, lambda user: Conversation.objects.filter(owner=user), skip=("owner",), names=("provider__name",)
    )
    exporting.register(Message, lambda user: Message.objects.filter(author=user), skip=("author", "client_id"))
    exporting.register(Report, lambda user: Report.objects.filter(by=user), skip=("by", "closed_by", "quote"))
    exporting.register(Block, lambda user: Block.objects.filter(by=user), skip=("by", "owner"))
    exporting.register(QuickReply, lambda user: QuickReply.objects.filter(provider__in=managed(user)))
    exporting.register(
        Device,
        lambda user: Device.objects.filter(user=user),
        skip=("user", "address", "p256dh", "auth", "session", "family"),
    )
    exporting.register(Seat, lambda user: Seat.objects.filter(user=user), skip=("user",))
    # The body of "Anna wrote to you" is what Anna wrote.
    exporting.register(
        Notification,
        lambda user: Notification.objects.filter(user=user).exclude(kind=chat_kinds.MESSAGE),
        skip=("user", "key", "last_key", "actions"),
    )
    exporting.register(
        Delivery, lambda user: Delivery.objects.filter(notification__user=user), skip=("ref", "leased_until")
    )
    exporting.register(Preference, lambda user: Preference.objects.filter(user=user), skip=("user",))
    exporting.register(ContactSettings, lambda user: ContactSettings.objects.filter(user=user), skip=("user",))
