"""Celery's door to the outbox."""

import logging

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from messaging.domain import health, outbox, reminders
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


@shared_task
def tell_of_vaccines() -> None:
    """Say which vaccines run out, to everybody whose clock has come to nine."""
    told = reminders.tell_of_vaccines(timezone.now())
    if told:
        logger.info("Vaccines that run out: %s notifications.", told)
