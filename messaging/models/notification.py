"""What the system tells people. A notification is a fact; a delivery is one way to carry it, with its result."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import User
from messaging.choices import LEFT, Channel, DeliveryState
from petplace.models import PublicModel


class NotificationQuerySet(models.QuerySet["Notification"]):
    def visible_to(self, user: User, *, now: datetime) -> Self:
        """Those of ``user`` that are due and not taken back."""
        return self.filter(user_id=user.pk, due_at__lte=now, cancelled_at__isnull=True)

    def unread(self) -> Self:
        return self.filter(read_at__isnull=True)


class Notification(PublicModel):
    """One thing said to one person. Written in the transaction of what it tells of; ``key`` makes it once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    # What it is about, for taking back or moving all of it at once, for example "booking:<uid>".
    topic = models.CharField(max_length=100, blank=True)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=300, blank=True)
    # At most 160 characters for a text message or a push; empty: made of title and body.
    short = models.CharField(max_length=160, blank=True)
    # Verbs of the one-tap links that go with it, for example ["accept", "decline"].
    actions = models.JSONField(default=list, blank=True)
    # While one of a bundle is unread, further ones join it: ``count`` says how many it stands for.
    bundle = models.CharField(max_length=100, blank=True)
    count = models.PositiveIntegerField(default=1)
    last_key = models.CharField(max_length=200, blank=True)
    # The zone of the place that it is about, where its clock is not the reader's.
    place_zone = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField()
    # After this instant it would only confuse: it is marked as too late, not sent.
    useless_after = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ("-due_at", "-pk")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "key"], name="notification_once"),
            models.UniqueConstraint(
                fields=["user", "bundle"],
                name="notification_one_open_bundle",
                condition=~Q(bundle="") & Q(read_at__isnull=True, cancelled_at__isnull=True),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "-due_at"], name="notification_feed"),
            models.Index(fields=["topic"], name="notification_topic", condition=~Q(topic="")),
        ]

    def __str__(self) -> str:
        return self.title


class Delivery(PublicModel):
    """One notification on one channel: due, tried, and how it ended. Visible to people and staff."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=10, choices=Channel)
    state = models.CharField(max_length=10, choices=DeliveryState, default=DeliveryState.WAITING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    # How many of the attempts met a server that was away; those do not count towards giving up.
    outages = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)
    # The point of no return of the last attempt: from here on it may have gone out.
    handed_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # What the other side calls it, for its reports of what became of it.
    ref = models.CharField(max_length=200, blank=True)
    # The devices that have it already, so that a retry does not reach them twice.
    reached = models.JSONField(default=list, blank=True)
    # The trouble, or why it was not sent: one sentence for people.
    last_error = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notification", "channel"], name="delivery_once"),
            models.CheckConstraint(condition=Q(state__in=DeliveryState.values), name="delivery_state_known"),
            models.CheckConstraint(
                condition=~Q(state__in=LEFT) | Q(sent_at__isnull=False), name="delivery_sent_has_time"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["channel", "due_at"], name="delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["ref"], name="delivery_ref", condition=~Q(ref="")),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.state}"
