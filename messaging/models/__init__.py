"""Tables of what people are told and say: one module for each subject."""

from messaging.choices import LEFT, OUTSIDE, Channel, DeliveryState, PhoneState
from messaging.models.live import LiveEvent
from messaging.models.notification import Delivery, Notification, NotificationQuerySet
from messaging.models.outbox import OutboxMessage
from messaging.models.preference import ContactSettings, Preference

__all__ = [
    "LEFT",
    "OUTSIDE",
    "Channel",
    "ContactSettings",
    "Delivery",
    "DeliveryState",
    "LiveEvent",
    "Notification",
    "NotificationQuerySet",
    "OutboxMessage",
    "PhoneState",
    "Preference",
]
