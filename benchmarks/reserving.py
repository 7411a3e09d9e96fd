"""Reservations per second: bare inserts, the same under the exclusion constraint, and through the domain."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from benchmarks.measure import Table
from benchmarks.search import statements_of
from bookings.domain import quotes, reservation
from bookings.models import Booking
from pets.models import Pet
from providers.domain import applications, branches, hours, resources, services
from providers.models import Resource, Service

CLIENTS = 16
PLAIN = "INSERT INTO bench_plain (booking_id, resource_id, during, is_live) VALUES (%s, %s, tstzrange(%s, %s), true)"
SAFE = """INSERT INTO bookings_allocation (booking_id, resource_id, during, is_live)
          VALUES (%s, %s, tstzrange(%s, %s), true) ON CONFLICT DO NOTHING"""


def measure(table: Table, *, seconds: float) -> None:
    """Everybody reserves other times: this is about the cost of being safe, not about collisions."""
    now = timezone.now()
    service, people, booking = _place(now)
    with connection.cursor() as cursor:
        cursor.execute(
            """CREATE TABLE bench_plain (id bigserial PRIMARY KEY, booking_id bigint NOT NULL,
                   resource_id bigint NOT NULL, during tstzrange NOT NULL, is_live boolean NOT NULL);
               CREATE INDEX ON bench_plain (resource_id, upper(during), lower(during)) WHERE is_live"""
        )
    begins = datetime(now.year + 2, 1, 1, tzinfo=UTC)

    def insert(sql: str) -> Callable[[int, int], None]:
        def one(client: int, number: int) -> None:
            at = begins + timedelta(minutes=30 * number)
            with connection.cursor() as cursor:
                cursor.execute(sql, [booking.pk, people[client].pk, at, at + timedelta(minutes=30)])

        return one

    rates: dict[str, list[float]] = {"plain": [], "safe": []}
    base = 0
    for _ in range(3):  # alternately, so that a machine that wanders hurts both
        for name, sql in (("plain", PLAIN), ("safe", SAFE)):
            rates[name].append(_rate(insert(sql), seconds, first=base))
        base += 1_000_000
    plain, safe = sorted(rates["plain"])[1], sorted(rates["safe"])[1]
    table.add(f"plain inserts without the constraint, {CLIENTS} clients", f"{plain:,.0f} per second")
    table.add(f"inserts under the constraint, ON CONFLICT DO NOTHING, {CLIENTS} clients", f"{safe:,.0f} per second")
    table.ratio("under the constraint against plain", safe / plain, 0.5, at_least=True)
    _through_the_domain(table, service, now, seconds=seconds, plain=plain)


def _rate(one: Callable[[int, int], None], seconds: float, *, first: int = 0, clients: int = CLIENTS) -> float:
    """Return how many calls a second ``clients`` threads make, each on a connection of its own."""
    counts = [0] * clients
    barrier = threading.Barrier(clients + 1)
    until = [0.0]
    failures: list[BaseException] = []

    def run(client: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait()
            while time.perf_counter() < until[0]:
                one(client, first + counts[client])
                counts[client] += 1
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    until[0] = time.perf_counter() + seconds + 0.5
    barrier.wait()
    began = time.perf_counter()
    until[0] = began + seconds
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return sum(counts) / (time.perf_counter() - began)


def _place(now: datetime) -> tuple[Service, list[Resource], Booking]:
    """Build a provider with sixteen people through the domain."""
    manager = User.objects.create_user("manager@bench.petplace.test", full_name="Manager")
    provider = applications.start(manager, name="Bench", kind="walker", currency="EUR", now=now)
    branch = branches.create(
        provider, name="Bench", address="Somewhere 1", latitude=10.0, longitude=10.0, time_zone="UTC", country="DE",
        city="Nowhere", now=now,
    )  # fmt: skip
    people = [
        resources.create(branch, kind="person", name=f"Person {number}", now=now) for number in range(CLIENTS - 1)
    ]
    people = list(Resource.objects.filter(branch=branch).order_by("pk"))
    for person in people:
        hours.set_weekly(person, hours.ALWAYS, now=now)
    service = services.create(
        provider, branch=branch, kind="walking", name="Walk", price=2000, species=["dog"], duration_minutes=30,
        minimum_notice_minutes=0, maximum_advance_days=400, is_instant=True, now=now,
    )  # fmt: skip
    provider = applications.submit(provider, by=manager, now=now)
    applications.approve(provider, by=None, now=now)
    return service, people, Booking.objects.order_by("pk")[0]


def _through_the_domain(table: Table, service: Service, now: datetime, *, seconds: float, plain: float) -> None:
    """Quote and book as the API does: prices, checks, locks, invoice, events, notifications, all committed."""
    service = Service.objects.select_related("branch", "provider").get(pk=service.pk)
    start = (now + timedelta(days=2)).replace(hour=8, minute=0, second=0, microsecond=0)
    owners = [
        User.objects.create_user(f"owner{number}@bench.petplace.test", full_name="Owner") for number in range(CLIENTS)
    ]
    pets = [Pet.objects.create(owner=owner, name="Rex", species="dog", weight_kg="10") for owner in owners]

    def book(client: int, number: int) -> None:
        # Each client takes times of its own; sixteen people serve them side by side.
        at = start + timedelta(minutes=30 * number)
        with transaction.atomic():
            quote = quotes.create(owner=owners[client], service=service, starts_at=at, pets=[pets[client]], now=now)
        reservation.book(quote, by=owners[client], now=now)

    statements = statements_of(lambda: book(0, 5000))
    rate = _rate(book, seconds)
    table.add(
        f"quote and booking through the domain, {CLIENTS} clients",
        f"{rate:,.0f} per second, {len(statements)} statements each",
    )
    table.add("the domain against plain inserts, per statement", f"{rate * len(statements) / plain:.2f}x")


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])
