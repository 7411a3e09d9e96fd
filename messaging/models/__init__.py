"""Tables of what people are told and say: one module for each subject."""

from messaging.models.live import LiveEvent
from messaging.models.notification import Channel, Delivery, DeliveryState, Notification

__all__ = ["Channel", "Delivery", "DeliveryState", "LiveEvent", "Notification"]
