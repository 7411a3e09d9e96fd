"""Jobs of accounts."""

from celery import shared_task
from django.utils import timezone

from accounts.domain import exporting


@shared_task
def make_exports() -> None:
    """Make the copies of data that people asked for. Safe to repeat and to run twice at once."""
    exporting.make_waiting(now=timezone.now())
