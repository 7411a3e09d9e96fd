"""Celery's door to the outbox."""

import logging

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from messaging.domain import health, outbox
from petplace.models import Heartbeat

logger = logging.getLogger(__name__)


@shared_task
def deliver_due() -> None:
    """Send what is due. Published by beat alone; rows wait in the database whatever becomes of the broker."""
    now = timezone.now()
    try:
        Heartbeat.beat(health.WORKER, now=now)
        outcome = outbox.deliver_due(now=now)
    except DatabaseError as error:
        logger.warning("Deliveries wait: the database is away (%s).", error)
        return
    if outcome != outbox.Outcome():
        logger.info("Deliveries: %s.", outcome)
