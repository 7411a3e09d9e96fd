"""What open pages are told, in an order that loses nothing."""

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class TransactionIdField(models.Field):  # type: ignore[type-arg] # not subscriptable when it runs
    """PostgreSQL's 64-bit transaction id: it never wraps around and grows for the life of the server."""

    description = "Transaction id"

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(value)


class CurrentTransactionId(models.Func):
    """The id of the transaction that asks."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = TransactionIdField()


class LiveEvent(models.Model):
    """One line of one person's stream, written in the transaction of what it tells of.

    Its place in the stream is ``(xid, id)``. A number from a sequence is given when a row is written, not when others
    can see it, so a reader that remembers the highest number misses what commits late. A reader that stays below the
    oldest transaction still open misses nothing (see ``messaging.domain.live``).
    """

    xid = TransactionIdField(db_default=CurrentTransactionId(), editable=False)
    # No constraint: its check would lock the person's row, and a line for somebody who is gone hurts nobody.
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    kind = models.CharField(max_length=40)
    data = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["xid", "id"], name="live_event_place"),
            models.Index(fields=["user", "xid", "id"], name="live_event_stream"),
            models.Index(fields=["at"], name="live_event_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.xid}-{self.pk}"
