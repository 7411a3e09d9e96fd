"""``manage.py prepare``: bring the database up to this code, and fill an empty one with the demo town."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from petplace.demo import builder


class Command(BaseCommand):
    help = "Migrate the database and, in the demo, fill an empty one. Safe to run again."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        # The limits that keep a request from hanging would end a long index build or the demo on a slow machine.
        # lock_timeout stays: a migration must not hold up the running site.
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        self._migrate()
        if settings.DEMO and not builder.exists():
            with self._step("Building the demo town"):
                call_command("seed_demo", stdout=self.stdout)

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        pending = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if pending:
            with self._step(f"Migrating the database, {pending} steps"):
                call_command("migrate", interactive=False, verbosity=0)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        self.stdout.write(f"{name} ...")
        self.stdout.flush()
        yield
        self.stdout.write(f"  done in {time.monotonic() - started:.0f} s")
