from typing import Any

from django.core.management.base import BaseCommand, CommandError

from petplace import invariants


class Command(BaseCommand):
    help = "Check what must always be true of the database. Only reads; ends with 1 when something is broken."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = 0
        for finding in invariants.check():
            broken += not finding.is_ok
            self.stdout.write(str(finding))
        self.stdout.write(f"        deadlocks counted by PostgreSQL: {invariants.deadlocks()}")
        if broken:
            raise CommandError(f"{broken} broken", returncode=1)
