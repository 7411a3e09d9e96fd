"""Celery's doors to the money. Published by beat alone; what is due lies in the database."""

import logging

from celery import shared_task
from django.db import DatabaseError
from django.utils import timezone

from payments.gateways import registry, sandbox

logger = logging.getLogger(__name__)


@shared_task
def post_sandbox_events() -> None:
    """Post the sandbox gateway's webhooks that are due. Safe to run twice."""
    try:
        sandbox.post_events(now=timezone.now())
    except DatabaseError as error:
        logger.warning("The sandbox's webhooks wait: the database is away (%s).", error)


@shared_task
def probe_gateways() -> None:
    """Ask the gateways that are paused whether they are back, so that no payer has to find out."""
    for name in registry.names():
        registry.probe(name)
