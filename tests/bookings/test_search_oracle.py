"""The search against an independent oracle: ids, order and totals equal, through both changes of the clocks."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bookings.domain import search, slots
from bookings.domain.search import Query
from tests.bookings import search_world
from tests.bookings.search_world import Town

pytestmark = pytest.mark.django_db

# zone, country, latitude, longitude, the date on which the clocks change (or nothing happens)
TOWNS = [
    ("Europe/Berlin", "DE", 52.52, 13.4, date(2026, 10, 25)),
    ("Europe/Berlin", "DE", 52.52, 13.4, date(2027, 3, 28)),
    ("America/New_York", "US", 40.71, -74.0, date(2026, 11, 1)),
    ("America/New_York", "US", 40.71, -74.0, date(2027, 3, 14)),
    ("Australia/Lord_Howe", "AU", -31.55, 159.08, date(2027, 4, 4)),
    ("Australia/Lord_Howe", "AU", -31.55, 159.08, date(2026, 10, 4)),
    ("Asia/Kolkata", "IN", 28.6, 77.2, date(2026, 12, 6)),
    ("Pacific/Fiji", "FJ", -17.0, 179.98, date(2026, 12, 6)),
    ("Europe/Oslo", "NO", 78.22, 15.65, date(2027, 3, 28)),
]
QUERIES = 150


@pytest.fixture(params=TOWNS, ids=lambda town: f"{town[0]}-{town[4]}")
def town(request: pytest.FixtureRequest, db: None) -> Town:
    zone, country, latitude, longitude, change = request.param
    now = datetime.combine(change - timedelta(days=6), datetime.min.time(), tzinfo=UTC) + timedelta(hours=9, minutes=7)
    dice = random.Random(f"{zone}{change}")
    return search_world.build(
        dice, zone=zone, country=country, latitude=latitude, longitude=longitude, now=now, busy=change
    )


def random_queries(dice: random.Random, town: Town) -> Iterator[Query]:
    for _ in range(QUERIES):
        start = end = None
        if dice.random() < 0.85:
            start = town.now.replace(minute=0) + timedelta(days=6, minutes=15 * dice.randint(-4 * 24 * 3, 4 * 24 * 3))
            end = dice.choice(
                [
                    None,
                    start + timedelta(minutes=dice.choice([20, 30, 60, 90])),
                    start + timedelta(days=dice.randint(1, 3), minutes=30 * dice.randint(-10, 10)),
                ]
            )
        yield Query(
            latitude=town.latitude + dice.uniform(-0.03, 0.03),
            longitude=(town.longitude + dice.uniform(-0.03, 0.03) + 180) % 360 - 180,
            radius_km=dice.choice([4, 8, 12, 40]),
            service_kind=dice.choice([None, None, *search_world.KINDS]),
            species=tuple(dice.sample(search_world.SPECIES, dice.choice([0, 0, 1, 1, 2]))),
            weight_kg=dice.choice([None, Decimal("7.5"), Decimal(25)]),
            pet_count=dice.choice([1, 1, 2, 3]),
            start=start,
            end=end,
            price_max=dice.choice([None, None, 2500, 6000]),
            rating_min=dice.choice([None, None, None, Decimal("3.5")]),
            ordering=dice.choice(search.ORDERINGS),
            page_size=100,
        )


def test_search_slots_and_next_free_equal_the_oracle(town: Town) -> None:
    check_search(town)
    check_slots(town)
    check_next_free(town)


def check_search(town: Town) -> None:
    dice = random.Random(7)
    answered = 0

    for query in random_queries(dice, town):
        expected = search_world.answer(town, query)
        page = search.find(query, now=town.now)

        assert [(one.provider_id, one.service_id, one.price) for one in page.results] == expected, query
        assert (page.total, page.is_capped) == (len(expected), False)
        answered += bool(expected)
    assert answered > QUERIES / 8  # a test that only compares empty lists proves nothing


def check_slots(town: Town) -> None:
    dice = random.Random(11)
    first = (town.now + timedelta(days=5)).date()
    compared = 0

    for service in dice.sample(town.services, 30):
        found = slots.free(service, from_date=first, to_date=first + timedelta(days=2), now=town.now)

        expected = []
        moment = datetime.combine(first, datetime.min.time(), tzinfo=town.zone).astimezone(UTC)
        while moment.astimezone(town.zone).date() <= first + timedelta(days=2):
            local = moment.astimezone(town.zone)
            if not service.is_overnight or (local.time() == service.check_in):
                end = None
                if service.is_overnight:
                    end = search_world.local_instant(town.zone, local.date() + timedelta(days=1), service.check_out)
                query = Query(latitude=0, longitude=0, start=moment, end=end)
                span = search_world.span_of(town, service, query)
                if span and search_world.is_bookable(town, service, span[0], span[1]):
                    expected.append((span[0], span[1], places(town, service, span[0], span[1])))
            moment += timedelta(minutes=5)
        assert [(slot.start, slot.end, slot.free) for slot in found] == expected
        compared += len(expected)
    assert compared > 20


def places(town: Town, service: Any, start: datetime, end: datetime) -> int:
    start -= timedelta(minutes=service.buffer_before_minutes)
    end += timedelta(minutes=service.buffer_after_minutes)
    return min(
        sum(
            thing.row.kind == need
            and thing.row.is_active
            and (not thing.row.skills or service.kind in thing.row.skills)
            and thing.is_there(town.zone, start, end)
            for thing in town.things[service.branch_id]
        )
        for need in service.needs
    )


def check_next_free(town: Town) -> None:
    query = Query(latitude=town.latitude, longitude=town.longitude, radius_km=40, page_size=100)
    by_key = {service.pk: service for service in town.services}

    results = search.find(query, now=town.now).results

    assert len(results) > 10
    for result in results:
        service = by_key[result.service_id]
        today = town.now.astimezone(town.zone).date()
        free = slots.free(service, from_date=today, to_date=today + timedelta(days=14), now=town.now)
        until = town.now + timedelta(days=slots.NEXT_FREE_DAYS)
        assert result.next_free == next((slot.start for slot in free if slot.start <= until), None)
