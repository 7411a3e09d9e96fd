"""Browsers and phones that a person lets us knock at."""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import TokenFamily, User
from petplace.models import PublicModel


class DeviceKind(models.TextChoices):
    WEBPUSH = "webpush", "Browser"
    FCM = "fcm", "App"


class DeviceQuerySet(models.QuerySet["Device"]):
    def owned_by(self, user: User) -> Self:
        return self.filter(user_id=user.pk)

    def signed_in(self, now: datetime) -> Self:
        """Those whose sign-in still lives: nobody's notices light up on a screen that was signed out."""
        return self.filter(
            Q(family__isnull=True) | Q(family__revoked_at__isnull=True, family__expires_at__gt=now),
        )

    def reachable(self, user_ids: Iterable[int], now: datetime) -> Self:
        """What to knock at for these people, those that answered last time first."""
        found = self.filter(user_id__in=list(user_ids)).signed_in(now)
        return found.order_by(models.F("failed_at").asc(nulls_first=True), "-last_seen_at", "pk")


class Device(PublicModel):
    """``address`` is the endpoint of a push service (RFC 8030) or the token of an app; it is secret and unique.

    It belongs to who signed in there last, and goes with that sign-in: ``session`` is a browser's, ``family`` an
    app's. ``failed_at`` is when it stopped answering, null while it does.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="devices")
    kind = models.CharField(max_length=10, choices=DeviceKind)
    address = models.CharField(max_length=1000, unique=True)
    # Of a browser: its public key and the shared secret, as it gave them (RFC 8291, base64url).
    p256dh = models.CharField(max_length=100, blank=True)
    auth = models.CharField(max_length=40, blank=True)
    label = models.CharField(max_length=80, blank=True)
    session = models.ForeignKey(
        "usersessions.UserSession", on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    last_seen_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)

    objects = DeviceQuerySet.as_manager()

    class Meta:
        ordering = ("-last_seen_at", "-pk")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(kind__in=DeviceKind.values), name="device_kind_known"),
            models.CheckConstraint(
                condition=Q(kind="webpush") ^ (Q(p256dh="") & Q(auth="")), name="device_browser_has_keys"
            ),
        ]

    def __str__(self) -> str:
        return self.label or self.get_kind_display()

    @property
    def is_browser(self) -> bool:
        return self.kind == DeviceKind.WEBPUSH

    @property
    def is_handheld(self) -> bool:
        return self.kind == DeviceKind.FCM or any(name in self.label for name in ("iPhone", "iPad", "Android"))
