"""Nightly: forget what has had its day."""

import logging
from collections.abc import Callable
from datetime import datetime

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError
from django.utils import timezone

from accounts.domain import credentials, devices, exporting, families
from bookings.domain import quotes, revealing
from messaging.domain import live, outbox
from payments.domain import events as gateway_events
from payments.gateways import sandbox_webhooks
from petplace.api import idempotency
from petplace.models import LimitCount
from providers.domain import documents

logger = logging.getLogger(__name__)


def _sessions(*, now: datetime) -> int:
    SessionStore.clear_expired()
    return credentials.forget_ended_sessions()


CHORES: dict[str, Callable[..., int]] = {
    "idempotency keys": idempotency.delete_old,
    "API sign-ins": families.delete_expired,
    "browser sessions": _sessions,
    "known devices": devices.delete_old,
    "quotes": quotes.delete_stale,
    "live events": live.delete_old,
    "ways in": revealing.forget_access,
    "copies of data": exporting.delete_expired,
    "documents": documents.delete_old,
    "gateway payloads": gateway_events.strip_old,
    "webhooks of the sandbox": sandbox_webhooks.delete_posted,
    "messages kept for developers": outbox.delete_kept,
    "counted tries": LimitCount.delete_old,
}


@shared_task
def housekeeping() -> None:
    """Do each chore for itself: one that fails does not stop the others, and is done the next night. Safe to repeat."""
    now = timezone.now()
    for name, chore in CHORES.items():
        try:
            logger.info("Housekeeping: %s %s removed", chore(now=now), name)
        except DatabaseError:
            logger.exception("Housekeeping: %s could not be removed", name)
