"""Beat asks for a look; the due times are in the database."""

from celery import shared_task
from django.utils import timezone

from bookings.domain import sweeps, trust


@shared_task
def process_due() -> None:
    sweeps.process_due(timezone.now())


@shared_task
def sweep() -> None:
    sweeps.sweep(timezone.now())


@shared_task
def count_figures() -> None:
    """Count the figures of providers whose bookings changed."""
    trust.refresh_changed(timezone.now())


@shared_task
def count_all_figures() -> None:
    trust.refresh_all(timezone.now())
