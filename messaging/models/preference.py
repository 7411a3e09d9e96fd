"""How a person wants to be reached."""

from datetime import time
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from messaging.choices import OUTSIDE, Channel, PhoneState


class Preference(models.Model):
    """One switch that differs from the kind's default: this kind, on this channel, on or off."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    kind = models.CharField(max_length=60)
    channel = models.CharField(max_length=10, choices=Channel)
    is_on = models.BooleanField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "kind", "channel"], name="preference_once"),
            # In the app everything can be read: there is nothing to switch.
            models.CheckConstraint(condition=Q(channel__in=OUTSIDE), name="preference_outside_only"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.channel} {'on' if self.is_on else 'off'}"


class ContactSettings(models.Model):
    """What holds for all kinds: quiet hours on the person's clock, texts, and addresses that proved dead.

    A person without a row has the defaults.
    """

    QUIET_FROM: ClassVar = time(21)
    QUIET_TO: ClassVar = time(8)

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="contact", primary_key=True
    )
    quiet_is_on = models.BooleanField(default=True)
    quiet_from = models.TimeField(default=QUIET_FROM)
    quiet_to = models.TimeField(default=QUIET_TO)
    texts_are_on = models.BooleanField(default=False)
    phone_state = models.CharField(max_length=12, choices=PhoneState, default=PhoneState.UNKNOWN, blank=True)
    email_bounced_at = models.DateTimeField(null=True, blank=True)
    email_bounce_reason = models.CharField(max_length=300, blank=True)
    # When the person asked to try the address again: reports of older mails no longer count.
    email_retried_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "contact settings"

    def __str__(self) -> str:
        return f"How to reach {self.user}"
