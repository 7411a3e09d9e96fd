"""Names that the whole app shares: the ways to reach somebody, how a delivery can end, and who talks about what."""

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


class Side(models.TextChoices):
    """Who speaks. The team of a provider is one side; the system writes the steps of a booking."""

    OWNER = "owner", "Pet owner"
    PROVIDER = "provider", "Provider"
    SYSTEM = "system", "Pet Place"
    STAFF = "staff", "Pet Place staff"


PEOPLE = (Side.OWNER, Side.PROVIDER)
OTHER_SIDE = {Side.OWNER: Side.PROVIDER, Side.PROVIDER: Side.OWNER}


class ConversationKind(models.TextChoices):
    BOOKING = "booking", "About a booking"
    ENQUIRY = "enquiry", "Question before a booking"


class MessageKind(models.TextChoices):
    TEXT = "text", "Text"
    PHOTO = "photo", "Photo"
    EVENT = "event", "Step of the booking"


class ReportReason(models.TextChoices):
    RUDE = "rude", "Rude or threatening"
    SPAM = "spam", "Advertising or spam"
    OUTSIDE = "outside", "Wants to be paid outside of Pet Place"
    ANIMAL = "animal", "An animal may be in danger"
    OTHER = "other", "Something else"
