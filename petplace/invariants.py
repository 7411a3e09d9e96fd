"""What must be true of the whole database at any moment, as SQL that finds the rows where it is not.

Each app lists its own in ``<app>/invariants.py``; ``manage.py check_invariants`` runs them all. They only read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils.module_loading import autodiscover_modules

TIMEOUT = "120s"


@dataclass(frozen=True)
class Invariant:
    """A sentence that is true, and a query that returns the rows for which it is not."""

    name: str
    sql: str


@dataclass(frozen=True)
class Finding:
    """The result of one invariant: how many rows break it, and the first of them."""

    invariant: Invariant
    count: int
    first: tuple[Any, ...] | None

    @property
    def is_ok(self) -> bool:
        return not self.count

    def __str__(self) -> str:
        if self.is_ok:
            return f"ok      {self.invariant.name}"
        rows = "1 row" if self.count == 1 else f"{self.count} rows"
        return f"BREACH  {self.invariant.name}: {rows}, first: {', '.join(map(str, self.first or ()))}"


_registry: dict[str, Invariant] = {}


def register(name: str, sql: str) -> None:
    """Add an invariant; call it at the import of ``<app>/invariants.py``."""
    _registry[name] = Invariant(name, sql)


def registered() -> list[Invariant]:
    autodiscover_modules("invariants")
    return list(_registry.values())


def check() -> Iterator[Finding]:
    """Run all invariants in one read-only transaction that sees one moment of the database.

    Must not be called inside another transaction, except in tests that wrap themselves in one.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = '{TIMEOUT}'")
        for invariant in registered():
            cursor.execute(f"SELECT count(*) OVER (), breach.* FROM ({invariant.sql}) AS breach LIMIT 1")
            row = cursor.fetchone()
            yield Finding(invariant, row[0] if row else 0, row[1:] if row else None)


def deadlocks() -> int:
    """Return how many deadlocks PostgreSQL has counted in this database since its statistics began."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
