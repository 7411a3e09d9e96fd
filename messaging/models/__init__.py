"""Tables of what people are told and say: one module for each subject."""

from messaging.choices import LEFT, OUTSIDE, Channel, DeliveryState, PhoneState
from messaging.models.conversation import (
    Block,
    Conversation,
    Message,
    QuickReply,
    Report,
    Seat,
    StaffLook,
)
from messaging.models.device import Device, DeviceKind
from messaging.models.live import LiveEvent
from messaging.models.notification import Delivery, Notification, NotificationQuerySet
from messaging.models.outbox import OutboxMessage
from messaging.models.preference import ContactSettings, Preference

__all__ = [
    "LEFT",
    "OUTSIDE",
    "Block",
    "Channel",
    "ContactSettings",
    "Conversation",
    "Delivery",
    "DeliveryState",
    "Device",
    "DeviceKind",
    "LiveEvent",
    "Message",
    "Notification",
    "NotificationQuerySet",
    "OutboxMessage",
    "PhoneState",
    "Preference",
    "QuickReply",
    "Report",
    "Seat",
    "StaffLook",
]
