"""Free slots of one service: sixty days in one statement, and a day with a thousand bookings."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks.measure import Table, interleaved
from benchmarks.search import statements_of
from bookings.domain import slots
from providers.models import Resource, Service

PEOPLE = 20
BOOKINGS = 1000


def measure(table: Table, *, rounds: int) -> None:
    now = timezone.now()
    service = Service.objects.select_related("branch").filter(kind="walking", branch__time_zone="Europe/Berlin")[0]
    today = now.astimezone(service.branch.zone).date()

    def sixty_days(_: Any) -> None:
        slots.free(service, from_date=today, to_date=today + timedelta(days=59), now=now)

    [(sql, parameters)] = statements = statements_of(lambda: sixty_days(None))

    def bare(_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            cursor.fetchall()

    def select_1(_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

    times = interleaved({"whole": sixty_days, "bare": bare, "one": select_1}, range(20), rounds=rounds)
    table.add("60 days of slots: queries", str(len(statements)), "1", len(statements) == 1)
    table.add(
        "60 days of slots: statement, and with the cutting", f"{times['bare'].p50:.2f} ms, {times['whole'].p50:.2f} ms"
    )
    table.ratio("60 days of slots, statement against SELECT 1", times["bare"].p50 / times["one"].p50, 10)
    _full_day(table, service, now, rounds=rounds)


def _full_day(table: Table, service: Service, now: datetime, *, rounds: int) -> None:
    """Twenty people with fifty visits each on one day, against the same people on an empty day."""
    branch = service.branch
    with connection.cursor() as cursor:
        cursor.execute("SELECT open, expanded_until FROM providers_openhours LIMIT 1")
        cursor.execute("SELECT id FROM bookings_booking LIMIT 1")
        booking = cursor.fetchone()[0]
        people = Resource.objects.bulk_create(
            Resource(branch=branch, kind="person", name=f"Person {number}") for number in range(PEOPLE)
        )
        keys = [person.pk for person in people]
        cursor.execute(
            """INSERT INTO providers_openhours (resource_id, open, expanded_until)
               SELECT id, '{[2020-01-01,2040-01-01)}', '2040-01-01' FROM unnest(%s::bigint[]) id""",
            [keys],
        )
        full = (now + timedelta(days=40)).astimezone(branch.zone).date()
        midnight = datetime(full.year, full.month, full.day, tzinfo=branch.zone)
        cursor.execute(
            """INSERT INTO bookings_allocation (booking_id, resource_id, during, is_live)
               SELECT %s, id, tstzrange(at, at + interval '15 minutes'), true
                 FROM unnest(%s::bigint[]) id
                CROSS JOIN generate_series(0, %s - 1) number
                CROSS JOIN LATERAL (SELECT %s::timestamptz + number * interval '28 minutes' AS at) visit""",
            [booking, keys, BOOKINGS // PEOPLE, midnight],
        )
        cursor.execute("ANALYZE bookings_allocation; ANALYZE providers_resource; ANALYZE providers_openhours")

    def day(which: str) -> Any:
        on = full if which == "full" else full + timedelta(days=2)
        return lambda _: slots.free(service, from_date=on, to_date=on, now=now)

    times = interleaved({"full": day("full"), "empty": day("empty")}, range(20), rounds=rounds)
    table.add(
        f"one day of slots, {PEOPLE} people: with {BOOKINGS} bookings, with none",
        f"{times['full'].p50:.2f} ms, {times['empty'].p50:.2f} ms",
    )
    table.ratio(f"one day of slots with {BOOKINGS} bookings against none", times["full"].p50 / times["empty"].p50, 2)
