"""Print the table of the kinds of notifications, or write it into docs/notifications.md."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from messaging import kind_table

DOCUMENT = settings.BASE_DIR / "docs" / "notifications.md"


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help="write it into docs/notifications.md")

    def handle(self, *args: Any, write: bool, **options: Any) -> None:
        if write:
            DOCUMENT.write_text(kind_table.put_into(DOCUMENT.read_text()))
        else:
            self.stdout.write(kind_table.table())
