"""``manage.py up``: the whole site with one command. The work is in ``petplace.embedded.up``."""

import sys
from typing import NoReturn

from django.core.management.base import BaseCommand

from petplace.embedded.up import main


class Command(BaseCommand):
    help = "Run the whole site: PostgreSQL, Valkey, web, worker and beat."

    def run_from_argv(self, argv: list[str]) -> NoReturn:
        sys.exit(main(argv[2:]))
