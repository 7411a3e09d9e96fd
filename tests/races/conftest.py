"""Each race is run twice: against the database itself, and against one that answers 3 ms later.

``PETPLACE_RACES`` is the number of slots of each race (``make races``: 500); without it the main race has 60, the
others 5, controls run against the slow database alone, and a machine that is busy with other tests is forgiven a slow
answer.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection

from petplace import invariants
from tests.races import proxy
from tests.races.burst import Report, broken_invariants, deliver_all

DELAY = 0.003
ASKED = int(os.environ.get("PETPLACE_RACES", "0"))
REPORTS: list[str] = []
# The other shapes are left to `make proofs`.
ALWAYS = ("test_one_place", "test_one_slot_over_the_api", "test_raw_insert", "test_control_without_constraint")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/races" in str(item.path):
            item.add_marker(pytest.mark.race)
            item.add_marker(pytest.mark.django_db(transaction=True))
            if not item.name.startswith(ALWAYS):
                item.add_marker(pytest.mark.long)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if REPORTS:
        terminalreporter.section("races")
        for line in REPORTS:
            terminalreporter.write_line(line)


@pytest.fixture
def slots(request: pytest.FixtureRequest) -> int:
    """How many slots a race is run on."""
    return ASKED or (60 if "one_place" in request.node.name else 5)


@pytest.fixture(params=["direct", "3 ms away"])
def host(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The folder of the database's socket, for the threads of a burst; None is the server itself."""
    yield from _host(request.param)


@pytest.fixture(params=["direct", "3 ms away"] if ASKED else ["3 ms away"])
def control_host(request: pytest.FixtureRequest) -> Iterator[str | None]:
    yield from _host(request.param)


def _host(where: str) -> Iterator[str | None]:
    if where == "direct":
        yield None
        return
    server = django_settings.DATABASES["default"]["OPTIONS"].get("host", "")
    if not server.startswith("/"):
        pytest.skip("the delay proxy speaks Unix sockets, and DATABASE_URL names none")
    with proxy.running(server, DELAY) as folder:
        yield folder


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Iterator[Report]:
    """Count a race; afterwards nothing may be broken, and PostgreSQL may not have seen a deadlock."""
    one = Report(request.node.name.removeprefix("test_"))
    before = invariants.deadlocks()
    yield one
    one.deadlocks = invariants.deadlocks() - before
    REPORTS.append(str(one))
    if request.node.get_closest_marker("control"):
        return
    assert one.odd == {}
    assert one.deadlocks == 0
    if ASKED:
        deliver_all()
    assert broken_invariants() == []
    assert one.slowest < (1.0 if ASKED >= 100 else 10.0)


@pytest.fixture
def without_constraint(settings: Any) -> Iterator[Callable[[], None]]:
    """Switch everything off that makes reservations safe, for a control run; afterwards it is all back."""
    settings.DISABLE_BOOKING_LOCKS = True
    _execute("ALTER TABLE bookings_allocation DROP CONSTRAINT allocation_no_overlap")
    yield
    _execute("TRUNCATE bookings_allocation")
    _execute(
        "ALTER TABLE bookings_allocation ADD CONSTRAINT allocation_no_overlap EXCLUDE USING gist"
        " (int8range(resource_id, resource_id, '[]') WITH &&, during WITH &&) WHERE (is_live)"
    )


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
