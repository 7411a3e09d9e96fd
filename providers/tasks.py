"""Jobs of this app."""

import logging

from celery import shared_task
from django.utils import timezone

from providers.domain import checks, expansion, holidays

logger = logging.getLogger(__name__)


@shared_task
def extend_open_hours() -> None:
    """Move the horizon of all open hours on by a day, and load the holidays up to it. Safe to run twice."""
    now = timezone.now()
    count = expansion.extend_all(now)
    holidays.ensure_all(range(now.year, expansion.last_day(now.date()).year + 1))
    logger.info("Extended the open hours of %s resources", count)


@shared_task
def check_documents() -> None:
    """End the papers whose time has come, remind of those that end soon. Safe to run twice."""
    if ended := checks.sweep(timezone.now()):
        logger.info("%s documents have run out", ended)
