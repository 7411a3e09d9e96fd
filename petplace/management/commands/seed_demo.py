"""Fill an empty database with the demo town."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from petplace.demo import builder


class Command(BaseCommand):
    help = "Fill the database with the demo town. Does nothing when it is there already."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO:
            raise CommandError("The demo is switched off here (PETPLACE_DEMO). Demo logins belong in no real site.")
        if builder.exists():
            self.stdout.write("The demo town is there already.")
            return
        summary = builder.build(now=timezone.now(), say=lambda line: self.stdout.write(f"  {line}"))
        self.stdout.write(
            f"Demo town ready: {summary.providers} providers, {summary.services} services, "
            f"{summary.owners} pet owners, {summary.bookings} bookings."
        )
