"""Databases of the benchmark's own, beside the one that ``DATABASE_URL`` names, and filled by the server itself.

Cities lie on a wide lattice, 200 providers each on average, spread like a bell around the center: a larger database has
more cities, not denser ones. Every value comes from a hash of the row's number, so each run measures the same data.
"""

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from petplace.fields import EARTH_RADIUS_M
from providers.choices import ServiceKind, offer_bit
from providers.domain.expansion import spans
from providers.models import WeeklyHours

PREFIX = "petplace_bench"
TEMPLATE = f"{PREFIX}_template"
PROVIDERS_PER_CITY = 200
ALLOCATION_DAYS = 180
HORIZON_DAYS = 430
KINDS = ("walking", "walking", "walking", "sitting", "sitting", "boarding", "grooming", "daycare", "training", "clinic")
SPECIES = (["dog"], ["dog", "cat"], ["dog", "cat", "rabbit"], ["cat"])
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Almaty", "Australia/Sydney", "Asia/Kolkata")
SPREAD_M = 4000.0


@dataclass(frozen=True)
class City:
    latitude: float
    longitude: float
    zone: str


def cities(count: int) -> list[City]:
    """Return the first ``count`` places of a lattice whose points are more than 150 km apart."""
    places = [
        City(latitude, longitude, ZONES[(row + column) % len(ZONES)])
        for row, latitude in enumerate(range(-44, 60, 4))
        for column, longitude in enumerate(range(-170, 170, 12))
    ]
    stride = 7919  # a prime: neighbors in the list lie far apart
    return [places[(number * stride) % len(places)] for number in range(count)]


def _admin() -> psycopg.Connection:
    settings = {**connection.get_connection_params(), "dbname": "postgres"}
    settings.pop("cursor_factory", None)
    settings.pop("context", None)
    return psycopg.connect(**settings, autocommit=True)


def use(name: str) -> None:
    """Point Django's connection at another database of the same server."""
    connection.close()
    connection.settings_dict["NAME"] = name


def drop_all() -> None:
    connection.close()
    with _admin() as admin:
        names = admin.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}%"]).fetchall()
        for (name,) in names:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def create(name: str) -> None:
    """Create an empty, migrated database; migrations run once, into a template."""
    with _admin() as admin:
        exists = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
        if not exists:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    if not exists:
        use(TEMPLATE)
        call_command("migrate", verbosity=0)
    connection.close()
    with _admin() as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
    use(name)


def fill(providers: int, allocations: int, *, now: datetime) -> float:
    """Fill the current database; return the seconds it took.

    The exclusion constraint is left out where data is only read: the reads use the B-tree beside it (a query plan
    below shows that), and building it for millions of rows takes minutes.
    """
    began = time.perf_counter()
    towns = cities(max(1, providers // PROVIDERS_PER_CITY))
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET synchronous_commit = off")
        with suppress(psycopg.Error):
            cursor.execute("SET session_replication_role = replica")  # no foreign key checks, row by row, while loading
        _people_and_places(cursor, providers, towns)
        _hours(cursor, now)
        _bookings(cursor, allocations, now)
        cursor.execute("SET session_replication_role = DEFAULT")
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM (ANALYZE)")
    return time.perf_counter() - began


# A number from 0 to 1 that depends on a row's number and a salt alone.
DICE = "((hashint8extended({row}, {salt}) & 1048575) / 1048576.0)"


def dice(row: str, salt: int) -> str:
    return DICE.format(row=row, salt=salt)


def _people_and_places(cursor, providers: int, towns: list[City]) -> None:
    cursor.execute("CREATE TEMP TABLE town (id int PRIMARY KEY, latitude float8, longitude float8, zone text)")
    cursor.executemany(
        "INSERT INTO town VALUES (%s, %s, %s, %s)",
        [(number, town.latitude, town.longitude, town.zone) for number, town in enumerate(towns)],
    )
    cursor.execute(
        f"""
        INSERT INTO providers_provider (uid, created_at, name, slug, kind, bio, avatar, currency, cancellation_policy,
                                        appointment_policy, state, state_reason, rating_sum, review_count)
        SELECT gen_random_uuid(), now(), 'Provider ' || n, 'provider-' || n, 'sitter', '', '', 'EUR', 'one_day', 'fair',
               'approved', '', 4 * floor(20 * {dice("n", 1)})::int, floor(20 * {dice("n", 1)})::int
          FROM generate_series(1, %s) n""",
        [providers],
    )
    # Rows of a city are strewn over the whole table, as they are after years of people signing up.
    cursor.execute(
        f"""
        INSERT INTO providers_branch (uid, created_at, provider_id, name, address, city, country, latitude, longitude,
                                      time_zone, service_radius_km, is_active, mercator, approximate_latitude,
                                      approximate_longitude, offer_mask, is_listed)
        SELECT gen_random_uuid(), now(), provider.id, 'Branch', 'Somewhere', 'City ' || town.id, 'DE', place.lat,
               place.lng, town.zone, CASE WHEN {dice("provider.id", 2)} < 0.3 THEN 25 END, true,
               point({EARTH_RADIUS_M!r} * radians(place.lng), {EARTH_RADIUS_M!r} * asinh(tan(radians(place.lat)))),
               place.lat, place.lng, 0, true
          FROM providers_provider provider
          JOIN town ON town.id = floor(%s * {dice("provider.id", 3)})
         CROSS JOIN LATERAL (
               SELECT {SPREAD_M} * sqrt(-2 * ln({dice("provider.id", 4)} + 1e-7)) AS far,
                      2 * pi() * {dice("provider.id", 5)} AS angle) bell
         CROSS JOIN LATERAL (
               SELECT town.latitude + bell.far * cos(bell.angle) / 111195 AS lat,
                      town.longitude + bell.far * sin(bell.angle) / (111195 * cos(radians(town.latitude))) AS lng) place
         ORDER BY hashint8(provider.id)""",
        [len(towns)],
    )
    cursor.execute(
        f"""
        INSERT INTO providers_resource (uid, created_at, branch_id, kind, name, skills, is_active, position)
        SELECT gen_random_uuid(), now(), branch.id, 'person', 'Person', '{{}}', true, 0
          FROM providers_branch branch
         CROSS JOIN LATERAL generate_series(1, 1 + ({dice("branch.id", 6)} < 0.5)::int)"""
    )
    cursor.execute(
        f"""
        INSERT INTO providers_service (uid, created_at, provider_id, branch_id, kind, name, description, is_overnight,
               duration_minutes, check_in, check_out, price, extra_pet_price, holiday_percent, species, max_pets,
               required_vaccines, needs, buffer_before_minutes, buffer_after_minutes, minimum_notice_minutes,
               maximum_advance_days, slot_step_minutes, is_instant, payment_policy, is_active, max_weight_kg)
        SELECT gen_random_uuid(), now(), branch.provider_id, branch.id,
               (%s::text[])[1 + floor(%s * {dice("branch.id * 2 + part", 7)})], 'Service', '', false, 60, '15:00',
               '11:00',
               1000 + floor(4000 * {dice("branch.id * 2 + part", 8)})::int, 500,
               (ARRAY[0, 20])[1 + floor(2 * {dice("branch.id + part", 9)})],
               CASE floor(4 * {dice("branch.id + part", 10)})::int
                    WHEN 0 THEN '{{dog}}'::varchar[] WHEN 1 THEN '{{dog,cat}}' WHEN 2 THEN '{{dog,cat,rabbit}}'
                    ELSE '{{cat}}' END,
               3, '{{}}', '{{person}}', 0, 15, 120, 180, 30, true, 'at_visit', true, NULL
          FROM providers_branch branch
         CROSS JOIN LATERAL generate_series(0, ({dice("branch.id", 11)} < 0.5)::int) part""",
        [list(KINDS), len(KINDS)],
    )
    bits = " ".join(
        f"WHEN '{kind}/{species}' THEN {offer_bit(kind, species)}"
        for kind in ServiceKind.values
        for species in ("dog", "cat", "rabbit")
    )
    cursor.execute(
        f"""
        UPDATE providers_branch branch SET offer_mask = mask.bits
          FROM (SELECT branch_id, bit_or(CASE kind || '/' || one {bits} END) AS bits
                  FROM providers_service, unnest(species) one GROUP BY branch_id) mask
         WHERE mask.branch_id = branch.id"""
    )


def _hours(cursor, now: datetime) -> None:
    """Write open hours for the real horizon, made by the product's own expansion: Monday to Saturday, three shifts."""
    from zoneinfo import ZoneInfo

    cursor.execute("CREATE TEMP TABLE shift (zone text, number int, open tstzmultirange, PRIMARY KEY (zone, number))")
    first = now.date() - timedelta(days=1)
    for zone in ZONES:
        for number, (opens, closes) in enumerate([(8, 20), (7, 15), (12, 21)]):
            weekly = [WeeklyHours(weekday=day, opens=opens * 60, closes=closes * 60) for day in range(6)]
            found = spans(
                ZoneInfo(zone), weekly=weekly, overrides=[], time_off=[], first=first,
                last=first + timedelta(days=HORIZON_DAYS),
            )  # fmt: skip
            text = "{" + ",".join(f"[{start.isoformat()},{end.isoformat()})" for start, end in found) + "}"
            cursor.execute("INSERT INTO shift VALUES (%s, %s, %s::tstzmultirange)", [zone, number, text])
    cursor.execute(
        f"""
        INSERT INTO providers_openhours (resource_id, open, expanded_until)
        SELECT resource.id, shift.open, %s
          FROM providers_resource resource
          JOIN providers_branch branch ON branch.id = resource.branch_id
          JOIN shift ON shift.zone = branch.time_zone AND shift.number = floor(3 * {dice("resource.id", 12)})""",
        [first + timedelta(days=HORIZON_DAYS)],
    )


def _bookings(cursor, allocations: int, now: datetime) -> None:
    """Write the allocations: so many visits of an hour for each resource, on different days of the next months."""
    cursor.execute(
        """INSERT INTO accounts_user (uid, email, password, full_name, phone, locale, time_zone, home_place, is_staff,
               is_active, is_demo, is_superuser, date_joined, token_version)
           VALUES (gen_random_uuid(), 'owner@bench.petplace.test', '!', 'Owner', '', 'en-us', 'UTC', '', false, true,
               true, false, now(), 0) RETURNING id"""
    )
    owner = cursor.fetchone()[0]
    cursor.execute("SELECT id, provider_id FROM providers_service ORDER BY id LIMIT 1")
    service, provider = cursor.fetchone()
    start = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    cursor.execute(
        """INSERT INTO bookings_quote (uid, created_at, owner_id, service_id, starts_at, ends_at, currency, total,
               cancellation, expires_at)
           VALUES (gen_random_uuid(), now(), %s, %s, %s, %s, 'EUR', 1, '{}', now()) RETURNING id""",
        [owner, service, start, start + timedelta(hours=1)],
    )
    quote = cursor.fetchone()[0]
    cursor.execute(
        """INSERT INTO bookings_booking (uid, created_at, reference, owner_id, provider_id, service_id, note, starts_at,
               ends_at, time_zone, state, cancel_reason, quote_id, currency, total, terms, sequence, updated_at)
           VALUES (gen_random_uuid(), now(), 'BK-BENCH', %s, %s, %s, '', %s, %s, 'UTC', 'confirmed', '', %s, 'EUR', 1,
               '{}', 0, now()) RETURNING id""",
        [owner, provider, service, start, start + timedelta(hours=1), quote],
    )
    booking = cursor.fetchone()[0]
    cursor.execute("SELECT count(*) FROM providers_resource")
    each = max(1, round(allocations / cursor.fetchone()[0]))
    cursor.execute("ALTER TABLE bookings_allocation DROP CONSTRAINT allocation_no_overlap")
    cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'allocation_live'")
    index = cursor.fetchone()[0]
    cursor.execute("DROP INDEX allocation_live")
    cursor.execute(
        f"""
        INSERT INTO bookings_allocation (booking_id, resource_id, during, is_live)
        SELECT %s, resource.id, tstzrange(begins, begins + interval '75 minutes'), true
          FROM generate_series(0, %s - 1) visit
         CROSS JOIN providers_resource resource
         CROSS JOIN LATERAL (
               SELECT %s::timestamptz + make_interval(days => visit * %s / %s,
                      mins => 30 * floor(40 * {dice("resource.id * 1000 + visit", 13)})::int) AS begins) span""",
        [booking, each, start, ALLOCATION_DAYS, each],
    )
    cursor.execute(index)


def size_of(providers: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        counts = {}
        for name in ("providers_branch", "providers_resource", "bookings_allocation"):
            cursor.execute(f"SELECT count(*) FROM {name}")
            counts[name.split("_")[1]] = cursor.fetchone()[0]
    return counts


def density(latitude: float) -> float:
    """Return providers per square kilometer in the middle of a city."""
    return PROVIDERS_PER_CITY / (2 * math.pi * (SPREAD_M / 1000) ** 2)
