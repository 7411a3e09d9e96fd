"""Names that the whole app shares: the ways to reach somebody, and how a delivery can end."""

from django.db import models


class Channel(models.TextChoices):
    """A way to reach somebody. ``push`` is all of a person's browsers and phones together."""

    IN_APP = "in_app", "In the app"
    EMAIL = "email", "E-mail"
    SMS = "sms", "Text message"
    PUSH = "push", "Push"


# Those that leave this system.
OUTSIDE = (Channel.EMAIL, Channel.SMS, Channel.PUSH)


class DeliveryState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    OUTBOX = "outbox", "Kept in the developer's outbox"
    SKIPPED = "skipped", "Not sent"
    DEAD = "dead", "Given up"
    CANCELLED = "cancelled", "Taken back"
    LATE = "late", "Too late"


# It left for the outside; ``delivered`` says that the other side confirmed it.
LEFT = (DeliveryState.SENT, DeliveryState.DELIVERED)


class PhoneState(models.TextChoices):
    UNKNOWN = "", "Not tried yet"
    WORKS = "works", "Works"
    STOPPED = "stopped", "Answered STOP"
    UNREACHABLE = "unreachable", "Cannot be reached"
