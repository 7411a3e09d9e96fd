"""GET providers/ (search) and services/{id}/slots/ over the API."""

import math
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.urls import reverse

from bookings.domain import search, slots
from bookings.domain.search import sql
from tests.factories import NOW, UserFactory, make_booking, make_branch, make_provider, make_resource, make_service
from tests.queries import assert_constant, queries_of

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
PROVIDERS = "/api/v1/providers/"
CENTER = {"lat": "52.52", "lng": "13.405"}
FIVE_PM = "2026-11-24T17:00:00+01:00"


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def ask(client: Any, **asked: Any) -> Any:
    return client.get(PROVIDERS, {**CENTER, **asked})


def slots_of(client: Any, service: Any, **asked: Any) -> Any:
    return client.get(f"/api/v1/services/{service.uid}/slots/", asked)


def test_result_has_what_clients_rely_on(client: Any) -> None:
    service = make_service(price=2500, extra_pet_price=700, is_instant=True)
    answer = ask(client, service="walking", species="dog,cat", pets="2", start=FIVE_PM, end="2026-11-24T17:30:00+01:00")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["count"], body["next"], body["previous"], body["is_capped"]) == (1, None, None, False)
    branch, provider = service.branch, service.provider
    distance = body["results"][0].pop("distance_km")
    assert 0.2 <= distance <= 1.2
    assert body["results"] == [
        {
            "id": str(provider.uid),
            "slug": provider.slug,
            "name": provider.name,
            "kind": "sitter",
            "rating": None,
            "review_count": 0,
            "badges": [],
            "price": {"amount": 3200, "currency": "EUR"},
            "start": "2026-11-24T16:00:00Z",
            "end": "2026-11-24T16:30:00Z",
            "next_free": "2026-11-24T16:00:00Z",
            "time_zone": "Europe/Berlin",
            "approximate_location": {
                "latitude": branch.approximate_latitude,
                "longitude": branch.approximate_longitude,
            },
            "service": {
                "id": str(service.uid),
                "kind": "walking",
                "name": service.name,
                "is_overnight": False,
                "duration_minutes": 30,
                "instant": True,
            },
            "branch": {"id": str(branch.uid), "name": branch.name, "city": "Berlin"},
        }
    ]


def test_a_place_name_stands_for_a_point(client: Any) -> None:
    make_service()
    assert client.get(PROVIDERS, {"near": "Berlin"}).json()["count"] == 1
    assert client.get(PROVIDERS, {"near": "Almaty"}).json()["count"] == 0


def test_a_booked_time_is_not_found_and_what_was_cancelled_is(client: Any) -> None:
    service = make_service(is_instant=True)
    booking = make_booking(service, starts_at=datetime(2026, 11, 24, 17, tzinfo=BERLIN))
    assert ask(client, start=FIVE_PM).json()["count"] == 0
    booking.allocations.update(is_live=False)
    assert ask(client, start=FIVE_PM).json()["count"] == 1


def test_what_is_found_can_be_quoted_at_the_same_total(client: Any) -> None:
    """The list, the quote and the booking read the same price."""
    from tests.factories import make_quote

    service = make_service(price=2345, extra_pet_price=111, holiday_percent=33)
    found = ask(client, start=FIVE_PM).json()["results"][0]
    quote = make_quote(service, starts_at=datetime(2026, 11, 24, 17, tzinfo=BERLIN))
    assert found["price"]["amount"] == quote.total


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"lat": "91"}, "lat"),
        ({"lat": "nan"}, "lat"),
        ({"lng": ""}, "lng"),
        ({"lat": "", "lng": ""}, "near"),
        ({"lat": "", "lng": "", "near": "Qwertzuiop"}, "near"),
        ({"radius_km": "0"}, "radius_km"),
        ({"radius_km": "1e9"}, "radius_km"),
        ({"service": "surgery"}, "service"),
        ({"species": "dog,dragon"}, "species"),
        ({"weight_kg": "-1"}, "weight_kg"),
        ({"pets": "10000"}, "pets"),
        ({"pets": "1_0"}, "pets"),
        ({"start": "tomorrow"}, "start"),
        ({"start": "2026-11-24T17:00:00"}, "start"),
        ({"start": "2020-01-01T00:00:00Z"}, "start"),
        ({"start": FIVE_PM, "end": "2026-11-24T16:00:00+01:00"}, "end"),
        ({"start": FIVE_PM, "end": "2027-11-24T16:00:00+01:00"}, "end"),
        ({"end": FIVE_PM}, "end"),
        ({"price_max": "1.5"}, "price_max"),
        ({"rating_min": "6"}, "rating_min"),
        ({"ordering": "owner__password"}, "ordering"),
        ({"page": "0"}, "page"),
        ({"page_size": "x"}, "page_size"),
    ],
)
def test_a_wrong_parameter_is_named(client: Any, asked: dict[str, str], field: str) -> None:
    answer = ask(client, **asked)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert field in answer.json()["errors"]


def test_pages_end_and_are_capped(client: Any) -> None:
    for number in range(3):
        make_service(make_branch(make_provider(name=f"Provider {number}")))
    first = ask(client, page_size="2").json()
    second = ask(client, page_size="2", page="2").json()
    assert (len(first["results"]), len(second["results"]), first["count"]) == (2, 1, 3)
    assert "page=2" in first["next"]
    assert not {one["id"] for one in first["results"]} & {one["id"] for one in second["results"]}
    assert ask(client, page="9").status_code == 404
    assert ask(client, page_size="1000000000").status_code == 200


def test_a_dense_city_is_counted_to_the_cap(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "CAP", 2)
    for number in range(3):
        make_service(make_branch(make_provider(name=f"Provider {number}")))
    body = ask(client).json()
    assert (body["count"], body["is_capped"], len(body["results"])) == (2, True, 2)


def test_search_sends_the_same_few_statements_for_one_and_for_many(client: Any) -> None:
    make_service()
    assert len(queries_of(lambda: ask(client, start=FIVE_PM))) == 1
    assert len(queries_of(lambda: ask(client))) == 2

    def more() -> None:
        for number in range(4):
            make_service(make_branch(make_provider(name=f"More {number}")))

    assert_constant(lambda: ask(client), more)


def test_asking_from_many_points_does_not_find_the_door(client: Any) -> None:
    """Trilateration: the point that explains all told distances best is the approximate one, 300 m or more off."""
    true = (52.521377, 13.405177)
    make_service(make_branch(latitude=true[0], longitude=true[1]))
    readings = []
    for turn in range(36):
        lat, lng = 52.52 + 0.03 * math.sin(turn), 13.405 + 0.05 * math.cos(turn)
        found = client.get(PROVIDERS, {"lat": str(lat), "lng": str(lng)}).json()["results"][0]
        readings.append((lat, lng, found["distance_km"]))

    def meters(a: tuple[float, float], b: tuple[float, float]) -> float:
        return math.hypot((a[0] - b[0]) * 111_195, (a[1] - b[1]) * 111_195 * math.cos(math.radians(a[0])))

    def error(point: tuple[float, float]) -> float:
        return sum((meters(point, (lat, lng)) - km * 1000) ** 2 for lat, lng, km in readings)

    grid = [(true[0] + y / 2000, true[1] + x / 1200) for y in range(-30, 31) for x in range(-30, 31)]
    guess = min(grid, key=error)
    assert meters(guess, true) >= 250  # the grid of guesses is 55 m wide


def test_slots_are_the_free_times(client: Any) -> None:
    branch = make_branch()
    make_resource(branch)
    service = make_service(branch, minimum_notice_minutes=0, slot_step_minutes=60, is_instant=True)
    make_booking(service, starts_at=datetime(2026, 11, 18, 12, tzinfo=BERLIN))
    found = slots_of(client, service, **{"from": "2026-11-18", "to": "2026-11-18"}).json()
    by_hour = {datetime.fromisoformat(one["start"]).astimezone(BERLIN).hour: one["free"] for one in found}
    assert by_hour == {hour: 2 if 8 <= hour < 20 and hour != 12 else 1 for hour in range(24)}
    assert found[0]["end"] == "2026-11-17T23:30:00Z"


def test_slots_of_sixty_days_are_one_statement_beside_the_service(client: Any) -> None:
    service = make_service()
    asked = {"from": "2026-11-18", "to": "2027-01-16"}
    assert len(queries_of(lambda: slots_of(client, service, **asked))) == 2
    assert len(slots_of(client, service, **asked).json()) > 1000


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "x"}, "from"),
        ({"from": "2026-11-18", "to": "2026-11-17"}, "to"),
        ({"from": "2026-11-18", "to": "2027-01-19"}, "to"),
        ({"pets": "0"}, "pets"),
    ],
)
def test_wrong_period_is_named(client: Any, asked: dict[str, str], field: str) -> None:
    answer = slots_of(client, make_service(), **asked)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_too_many_pets_and_a_day_far_ahead_have_no_slots(client: Any) -> None:
    service = make_service(max_pets=1, maximum_advance_days=30)
    assert slots_of(client, service, pets="2").json() == []
    assert slots_of(client, service, **{"from": "2027-11-18"}).json() == []


def test_slots_of_what_is_not_on_sale_are_for_its_team(client: Any) -> None:
    manager = UserFactory()
    service = make_service(make_branch(make_provider(manager, state="submitted")))
    assert slots_of(client, service).status_code == 404
    assert client.get("/api/v1/services/00000000-0000-0000-0000-000000000000/slots/").status_code == 404
    assert reverse("service-slots", args=[service.uid]).endswith("/slots/")


def test_alternatives_are_the_nearest_free_times_in_order() -> None:
    service = make_service(is_instant=True, slot_step_minutes=30)
    near = datetime(2026, 11, 24, 12, tzinfo=BERLIN)
    make_booking(service, starts_at=near)
    found = slots.alternatives(service, near=near, pets=1, now=NOW, limit=4)
    assert [slot.start - near for slot in found] == [timedelta(minutes=minutes) for minutes in (-60, -30, 30, 60)]
    assert slots.alternatives(service, near=near, pets=[1] * 9, now=NOW) == []


@pytest.mark.parametrize("limit", [1, 4, 90, 100, 200, 5000])
def test_alternatives_are_the_nearest_of_all_however_many(limit: int) -> None:
    """The days around hold 144 starts, of which those nearer than 22 hours are sure to be the nearest."""
    service = make_service(is_instant=True, slot_step_minutes=30)
    near = datetime(2026, 11, 24, 12, tzinfo=BERLIN)
    make_booking(service, starts_at=near)
    every = slots.free(service, from_date=date(2026, 11, 21), to_date=date(2026, 12, 8), now=NOW)
    nearest = sorted(every, key=lambda slot: (abs(slot.start - near), slot.start))[:limit]
    found = slots.alternatives(service, near=near, pets=1, now=NOW, limit=limit)
    assert found == sorted(nearest, key=lambda slot: slot.start)


def test_alternatives_of_a_stay_have_as_many_nights() -> None:
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True)
    near = datetime(2026, 11, 24, 15, tzinfo=BERLIN)
    found = slots.alternatives(service, near=near, pets=1, now=NOW, limit=2, nights=3)
    assert [(slot.end - slot.start).days for slot in found] == [2, 2]  # two days and twenty hours: three nights


def test_nobody_free_then_suggests_nights_near_by() -> None:
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True, is_instant=True)
    start, end = datetime(2026, 11, 24, 15, tzinfo=BERLIN), datetime(2026, 11, 25, 11, tzinfo=BERLIN)
    make_booking(service, starts_at=start, ends_at=end)
    query = search.Query(latitude=52.52, longitude=13.405, service_kind="boarding", start=start, end=end)
    assert search.find(query, now=NOW).total == 0
    [suggestion] = search.nearest_times(query, now=NOW)
    assert suggestion.starts_at == datetime(2026, 11, 23, 15, tzinfo=BERLIN)
    assert search.nearest_times(query.without_time(), now=NOW) == []


def test_next_free_of_a_full_fortnight_is_unknown() -> None:
    service = make_service(maximum_advance_days=400)
    service.branch.resources.update(is_active=False)
    query = search.Query(latitude=52.52, longitude=13.405)
    assert [one.next_free for one in search.find(query, now=NOW).results] == [None]
