"""Search by exact time: the whole endpoint, the same statements bare, and a plain nearest-20 lookup."""

import io
import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.utils import timezone

from accounts.api import tokens
from accounts.models import User
from benchmarks import database
from benchmarks.measure import Table, Times, interleaved
from bookings.domain import search
from bookings.domain.search import Query
from petplace.fields import Mercator
from providers.choices import offer_bit

RADIUS_KM = 10
NEAREST = """
SELECT branch.id, branch.provider_id FROM providers_branch branch
 WHERE branch.is_listed AND branch.offer_mask & %s <> 0
 ORDER BY branch.mercator <-> point(%s, %s) LIMIT 20"""


def questions(providers: int, count: int, *, now: datetime) -> list[Query]:
    """Return searches around city centers: a walk of an hour for a dog, three weeks ahead, at 13:00 there."""
    dice = random.Random(20261124)
    towns = database.cities(max(1, providers // database.PROVIDERS_PER_CITY))
    asked = []
    for _ in range(count):
        town = dice.choice(towns)
        day = (now + timedelta(days=dice.randint(14, 28))).date()
        day += timedelta(days=day.weekday() == 6)  # nobody works on Sundays here
        start = datetime(day.year, day.month, day.day, 13, tzinfo=ZoneInfo(town.zone))
        asked.append(
            Query(
                latitude=town.latitude + dice.gauss(0, 2) / 111.2,
                longitude=town.longitude + dice.gauss(0, 2) / 111.2,
                radius_km=RADIUS_KM,
                service_kind="walking",
                species=("dog",),
                start=start,
                end=start + timedelta(hours=1),
            )
        )
    return asked


def nearest(query: Query) -> None:
    point = Mercator.from_degrees(query.latitude, query.longitude)
    with connection.cursor() as cursor:
        cursor.execute(NEAREST, [offer_bit("walking", "dog"), point.x, point.y])
        cursor.fetchall()


class Endpoint:
    """The WSGI application, called in this process: everything of an answer but the socket."""

    def __init__(self) -> None:
        self.application = get_wsgi_application()
        user = User.objects.get(email="owner@bench.petplace.test")
        self.token = tokens.start(user, user_agent="bench", now=timezone.now()).access

    def __call__(self, query: Query) -> bytes:
        asked = {
            "lat": query.latitude,
            "lng": query.longitude,
            "radius_km": query.radius_km,
            "service": query.service_kind,
            "species": ",".join(query.species),
            "start": query.start.isoformat() if query.start else "",
            "end": query.end.isoformat() if query.end else "",
        }
        return self.get("/api/v1/providers/", {name: value for name, value in asked.items() if value != ""})

    def get(self, path: str, asked: dict[str, Any]) -> bytes:
        answered: list[str] = []
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": urlencode(asked),
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        response = self.application(environ, lambda status, headers: answered.append(status))
        body = b"".join(response)
        response.close()
        if not answered[0].startswith("200"):
            raise RuntimeError(f"{answered[0]}: {body[:300]!r}")
        return body


def statements_of(ask: Callable[[], Any]) -> list[tuple[str, Any]]:
    """Return the statements that ``ask`` sends, to be sent again without anything around them."""
    caught: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        caught.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        ask()
    return caught


def measure(providers: int, table: Table, *, count: int, rounds: int) -> dict[str, Times]:
    """Measure one size of database; report the figures that belong to it alone."""
    now = timezone.now()
    asked = questions(providers, count, now=now)
    endpoint = Endpoint()
    bare_statements = {id(query): statements_of(lambda query=query: endpoint(query)) for query in asked}

    def bare(query: Query) -> None:
        for sql, parameters in bare_statements[id(query)]:
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)
                cursor.fetchall()

    def whole_statement(query: Query) -> None:
        sql, parameters = search.statement(query, now=now)
        with connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            cursor.fetchall()

    times = interleaved(
        {"endpoint": endpoint, "bare": bare, "search": whole_statement, "nearest": nearest}, asked, rounds=rounds
    )
    found = [search.find(query, now=now).total for query in asked]
    name = f"{providers // 1000}k providers"
    table.add(f"{name}: free providers found within {RADIUS_KM} km, median", f"{sorted(found)[len(found) // 2]}")
    for way, label in (
        ("endpoint", "endpoint with JWT"),
        ("bare", "the same statements bare"),
        ("search", "the search statement alone"),
        ("nearest", "bare nearest-20 lookup"),
    ):
        table.add(f"{name}: {label}", f"p50 {times[way].p50:.2f} ms, p95 {times[way].p95:.2f} ms")
    statements = len(next(iter(bare_statements.values())))
    table.add(f"{name}: statements of the endpoint", str(statements), "<= 4", statements <= 4)
    table.ratio(
        f"{name}: endpoint against the same statements bare, p50", times["endpoint"].p50 / times["bare"].p50, 2.5
    )
    table.ratio(f"{name}: endpoint p95 against its p50", times["endpoint"].p95 / times["endpoint"].p50, 3)
    against = times["search"].p50 / times["nearest"].p50
    table.ratio(f"{name}: search statement against nearest-20, p50", against, 5)
    return times


def plan(providers: int, table: Table) -> None:
    """Report whether the planner takes the roads that were built for it."""
    now = timezone.now()
    query = questions(providers, 1, now=now)[0]
    sql, parameters = search.statement(query, now=now)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {sql}", parameters)
        text = "\n".join(row[0] for row in cursor.fetchall())
    for what, pattern in (
        ("plan: GiST index-only scan of the branches", r"Index Only Scan using branch_near"),
        ("plan: B-tree for what is taken", r"using allocation_live"),
    ):
        is_there = re.search(pattern, text) is not None
        table.add(what, "yes" if is_there else "no", "yes", is_there)
