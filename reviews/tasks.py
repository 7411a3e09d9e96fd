"""Beat asks for a look; the due times are in the database."""

from celery import shared_task
from django.utils import timezone

from reviews.domain import publishing


@shared_task
def publish_due() -> None:
    publishing.publish_due(timezone.now())
