"""A person's private calendar feed."""

import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from petplace.models import PublicModel


def new_token() -> str:
    """Return 256 random bits for a URL."""
    return secrets.token_urlsafe(32)


class CalendarFeed(PublicModel):
    """``audience`` chooses whose bookings it shows: those that the person made, or those of the provider's team."""

    class Audience(models.TextChoices):
        OWNER = "owner", "My bookings"
        PROVIDER = "provider", "My team's bookings"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="calendar_feeds")
    audience = models.CharField(max_length=10, choices=Audience)
    token = models.CharField(max_length=64, unique=True, default=new_token)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user", "audience"], condition=Q(revoked_at__isnull=True), name="calendar_feed_one_live"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.audience}"
