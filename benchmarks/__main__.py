"""``make bench``: fill databases of their own, measure, print a table with ratios beside their goals.

Options: ``--sizes 1000,10000,100000``, ``--allocations 5000000`` (at the largest size, fewer in proportion at the
smaller ones), ``--queries``, ``--rounds``, ``--keep`` (leave the databases for a look).
"""

import argparse
import itertools
import os
import platform
import sys
import time

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")
for name in ("THROTTLE_ANON", "THROTTLE_USER"):
    os.environ[name] = "100000000/min"

import django  # noqa: E402 - reads the environment

django.setup()

from django.db import connection  # noqa: E402 - needs the settings
from django.utils import timezone  # noqa: E402

from benchmarks import database, reserving, search, slots  # noqa: E402
from benchmarks.measure import Table  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--allocations", type=int, default=5_000_000)
    parser.add_argument("--queries", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.sizes.split(","))
    began = time.perf_counter()
    database.drop_all()
    table = Table()
    try:
        run(sizes, options, table)
    finally:
        if not options.keep:
            database.drop_all()
    print()
    database.use("postgres")
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0]
    print(f"PostgreSQL {version}, Python {platform.python_version()}, {os.cpu_count()} cores, times in one process")
    print()
    table.print()
    print(f"\n{time.perf_counter() - began:.0f} s in all. Absolute times wander with the machine: read the ratios.")
    return 0


def run(sizes: list[int], options: argparse.Namespace, table: Table) -> None:
    now = timezone.now()
    times = {}
    for size in sizes:
        allocations = options.allocations * size // sizes[-1]
        print(f"filling {size:,} providers, {allocations:,} allocations ...", flush=True)
        database.create(f"{database.PREFIX}_{size}")
        seconds = database.fill(size, allocations, now=now)
        filled = ", ".join(f"{count:,} {name}s" for name, count in database.size_of(size).items())
        print(f"filled in {seconds:.0f} s: {filled}", flush=True)
        times[size] = search.measure(size, table, count=options.queries, rounds=options.rounds)
    search.plan(sizes[-1], table)
    for smaller, larger in itertools.pairwise(sizes):
        for way in ("endpoint", "search"):
            ratio = times[larger][way].p50 / times[smaller][way].p50
            goal = 1.5 if smaller >= 10_000 else 0
            label = f"{way}, {smaller // 1000}k to {larger // 1000}k providers at the same density, p50"
            if goal:
                table.ratio(label, ratio, goal)
            else:
                table.add(label, f"{ratio:.2f}x")
    slots.measure(table, rounds=options.rounds)
    database.create(f"{database.PREFIX}_reserve")
    database.fill(200, 1, now=now)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE bookings_allocation")
        cursor.execute(
            """ALTER TABLE bookings_allocation ADD CONSTRAINT allocation_no_overlap EXCLUDE USING gist
               (int8range(resource_id, resource_id, '[]') WITH &&, during WITH &&) WHERE (is_live)"""
        )
    reserving.measure(table, seconds=3.0)
    table.add("deadlocks while reserving", str(reserving.deadlocks()), "0", reserving.deadlocks() == 0)


if __name__ == "__main__":
    sys.exit(main())
