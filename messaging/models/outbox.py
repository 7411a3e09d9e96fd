"""The developer's outbox: what would have gone out if the channel had credentials."""

from typing import ClassVar

from django.db import models

from messaging.choices import Channel
from messaging.models.notification import Delivery
from petplace.models import PublicModel


class OutboxMessage(PublicModel):
    """One message as its reader would see it. Written in the demo and in development only."""

    delivery = models.OneToOneField(Delivery, on_delete=models.CASCADE, related_name="kept")
    channel = models.CharField(max_length=10, choices=Channel)
    to = models.CharField(max_length=300)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)
    # [label, address] of each one-tap link.
    actions = models.JSONField(default=list, blank=True)
    attachments = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes: ClassVar = [models.Index(fields=["-created_at"], name="outbox_message_newest")]

    def __str__(self) -> str:
        return f"{self.channel} to {self.to}"
