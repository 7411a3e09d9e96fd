"""Abstract bases, and the tables of the project itself: idempotency keys of the API, signs of life, counted tries."""

import uuid
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models


class PublicModel(models.Model):
    """A row that the outside world may name: by ``uid``, never by the integer key."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True


class IdempotencyKey(models.Model):
    """One use of an ``Idempotency-Key``: inserted before the work, completed with its answer (API contract).

    ``response_status`` is null while the first request still runs. Kept 24 hours.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.BinaryField(null=True)
    response_type = models.CharField(max_length=100, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "route", "key"], name="idempotency_key_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="idempotency_key_age")]

    def __str__(self) -> str:
        return f"{self.route} {self.key}"


class Heartbeat(models.Model):
    """When a part of the system was last seen at work. In the database, so that it says that it reaches it, too."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%Y-%m-%d %H:%M:%S}"

    @staticmethod
    def beat(name: str, *, now: datetime) -> None:
        """Note that ``name`` lives."""
        beat = Heartbeat(name=name, at=now)
        Heartbeat.objects.bulk_create([beat], update_conflicts=True, unique_fields=["name"], update_fields=["at"])


class LimitCount(models.Model):
    """How often somebody did what is limited, counted here while Redis is away (``petplace.limits``)."""

    key = models.CharField(max_length=100, primary_key=True)
    count = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.count}"

    @staticmethod
    def delete_old(*, now: datetime) -> int:
        """Forget windows that have ended. Returns how many."""
        return LimitCount.objects.filter(ends_at__lt=now).delete()[0]
