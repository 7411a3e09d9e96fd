"""Beat asks for a look; the due times are in the database."""

from celery import shared_task
from django.utils import timezone

from bookings.domain import sweeps


@shared_task
def process_due() -> None:
    sweeps.process_due(timezone.now())


@shared_task
def sweep() -> None:
    sweeps.sweep(timezone.now())
