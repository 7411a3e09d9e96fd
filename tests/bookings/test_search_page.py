"""The search page: what it shows, its links, and what it does with nonsense."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.urls import reverse

from tests import factories
from tests.factories import NOW, make_booking, make_branch, make_provider, make_resource, make_service
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
WHERE = {"near": "Berlin"}
TUESDAY_5PM = {"date": "2026-11-24", "time": "17:00", "duration": "30"}


@pytest.fixture(autouse=True)
def _now() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def walker(name: str = "Happy Paws", **service: Any) -> Any:
    branch = make_branch(make_provider(name=name))
    make_resource(branch)
    return make_service(branch, **service)


def page(client: Any, **asked: Any) -> Any:
    return client.get(reverse("search"), asked)


def names(response: Any) -> list[str]:
    return [card["name"] for card in response.context["cards"]]


def test_page_asks_where_when_no_place_is_given(client: Any) -> None:
    response = page(client)
    assert response.status_code == 200
    assert "Where do you need care?" in response.content.decode()


def test_page_searches_at_home_when_no_place_is_given(client: Any) -> None:
    walker()
    owner = factories.UserFactory(home_place="Berlin Mitte", home_latitude=52.52, home_longitude=13.4)
    client.force_login(owner)
    response = page(client)
    assert names(response) == ["Happy Paws"]
    assert "Pet care near Berlin Mitte" in response.content.decode()


def test_page_shows_who_is_free_with_the_total_and_the_time(client: Any) -> None:
    walker(price=2500, extra_pet_price=700)
    response = page(client, **WHERE, **TUESDAY_5PM, pets="2", species="dog", service="walking")
    text = response.content.decode()
    assert names(response) == ["Happy Paws"]
    assert "€32" in text
    assert "Free Tue, Nov 24, 17:00" in text
    card = response.context["cards"][0]
    assert "start=2026-11-24T16%3A00%3A00%2B00%3A00" in card["href"]


def test_page_without_time_shows_the_next_free_time(client: Any) -> None:
    walker(minimum_notice_minutes=0)
    response = page(client, **WHERE)
    # NOW is 09:00 in Berlin; a start must lie after it.
    assert response.context["cards"][0]["next_label"] == "Next free Tue, Nov 17, 09:30\u00a0CET"


def test_page_with_a_day_shows_the_next_free_time_from_then(client: Any) -> None:
    walker()
    response = page(client, **WHERE, date="2026-11-20")
    assert response.context["cards"][0]["next_label"] == "Next free Fri, Nov 20, 00:00\u00a0CET"


def test_nights_are_asked_by_dates(client: Any) -> None:
    branch = make_branch()
    make_resource(branch, kind="kennel")
    make_service(branch, kind="boarding", is_overnight=True, price=4000)
    response = page(client, **WHERE, service="boarding", date="2026-11-20", duration=str(3 * 1440))
    assert response.context["cards"][0]["amount"] == 12000
    assert "Nov 20 to Nov 23, 3 nights" in response.content.decode()


def test_a_taken_time_offers_the_nearest_ones_and_wider_circles(client: Any) -> None:
    branch = make_branch()
    service = make_service(branch, is_instant=True, slot_step_minutes=30)
    start = datetime(2026, 11, 24, 17, tzinfo=BERLIN)
    make_booking(service, starts_at=start)

    response = page(client, **WHERE, **TUESDAY_5PM)

    text = response.content.decode()
    assert response.context["found"].total == 0
    assert "Nobody is free then" in text
    [suggestion] = response.context["suggestions"]
    assert suggestion["time"].startswith("Tue, Nov 24, 16:30")
    assert "time=16%3A30" in suggestion["href"]
    assert "radius_km=20" in text
    # and the link leads to a time that is free
    again = client.get(reverse("search") + suggestion["href"])
    assert again.context["found"].total == 1


def test_each_filter_is_a_chip_that_takes_it_away(client: Any) -> None:
    walker()
    response = page(
        client, **WHERE, **TUESDAY_5PM, service="walking", species=["dog", "cat"], pets="2", weight_kg="12.5",
        radius_km="20", price_max="40", rating_min="4",
    )  # fmt: skip
    chips = {chip["label"]: chip["href"] for chip in response.context["chips"]}
    assert list(chips) == [
        "Dog walking",
        "Dog",
        "Cat",
        "2 pets",
        "12.5 kg",
        "Tue, Nov 24, 17:00–17:30\u00a0CET",
        "Within 20 km",
        "Up to €40",
        "4 stars and up",
    ]
    assert "species=cat" in chips["Dog"]
    assert "species=dog" not in chips["Dog"]
    assert "date=" not in chips["Tue, Nov 24, 17:00–17:30\u00a0CET"]


@pytest.mark.parametrize(
    ("asked", "field", "message"),
    [
        ({"near": "Qwertzuiop"}, "near", "We know no place of this name"),
        ({"near": "My location"}, "near", "Your location is not known any more"),
        ({"near": "Berlin", "date": "2026-11-01"}, "date", "This day has passed."),
        ({"near": "Berlin", "date": "2029-11-01"}, "date", "Choose a day within a year."),
        ({"near": "Berlin", "date": "2026-11-17", "time": "08:00"}, "time", "This time has passed."),
        ({"near": "Berlin", "time": "08:00"}, "date", "Say which day, too."),
        ({"near": "Berlin", "date": "2027-03-28", "time": "02:30"}, "time", "does not exist on that day"),
        ({"near": "Berlin", "date": "31.12.26"}, "date", "valid date"),
        ({"near": "Berlin", "pets": "10000"}, "pets", "less than or equal to 20"),
        ({"near": "Berlin", "radius_km": "1e9"}, "radius_km", "less than or equal to 200"),
        ({"near": "Berlin", "radius_km": "nan"}, "radius_km", "Enter a number"),
        ({"near": "Berlin", "service": "surgery"}, "service", "Select a valid choice"),
        ({"near": "Berlin", "species": "dragon"}, "species", "Select a valid choice"),
        ({"near": "Berlin", "price_max": "-1"}, "price_max", "greater than or equal to 0"),
        ({"near": "Berlin", "rating_min": "9"}, "rating_min", "less than or equal to 5"),
        ({"near": "Berlin", "ordering": "owner__password"}, "ordering", "Select a valid choice"),
        ({"near": "Berlin", "page": "1000000"}, "page", "less than or equal to 500"),
        ({"lat": "91", "lng": "0"}, "lat", "less than or equal to 90"),
        ({"near": "x" * 10_000}, "near", "at most 120 characters"),
        ({"near": "Berlin", "duration": "99999999"}, "duration", "less than or equal to"),
    ],
)
def test_a_wrong_value_is_said_and_the_page_still_stands(client: Any, asked: Any, field: str, message: str) -> None:
    response = page(client, **asked)
    assert response.status_code == 200
    said = dict(response.context["errors"])
    assert message in said[field]
    assert message in response.content.decode()


def test_nonsense_never_breaks_the_page(client: Any) -> None:
    walker()
    for name in ("near", "lat", "species", "date", "time", "pets", "price_max", "page", "ordering", "unknown__regex"):
        for value in ("\U0001f436", "' OR 1=1 --", "%", "_", "(a+)+$", "1e400", "-0", "٣", "{{7*7}}", "0"):
            response = page(client, **({"near": "Berlin"} | {name: value}))
            assert response.status_code == 200, (name, value)


def test_pages_of_results(client: Any) -> None:
    for number in range(22):
        walker(f"Walker {number}")
    first, second = page(client, **WHERE), page(client, **WHERE, page="2")
    assert len(names(first)) == 20
    assert len(names(second)) == 2
    assert not set(names(first)) & set(names(second))
    beyond = page(client, **WHERE, page="9")
    assert beyond.status_code == 200
    assert names(beyond) == []


def test_page_asks_the_same_number_of_queries_for_one_and_for_many(client: Any) -> None:
    walker("One")

    def more() -> None:
        for number in range(5):
            walker(f"More {number}")

    assert_constant(lambda: page(client, **WHERE), more)


def test_place_options_are_towns(client: Any) -> None:
    text = client.get(reverse("search_places"), {"near": "Alma"}).content.decode()
    assert '<option value="Almaty, Kazakhstan">' in text
    assert client.get(reverse("search_places"), {"near": "A"}).content.decode().strip() == ""


def test_page_never_shows_the_address_or_the_true_point(client: Any) -> None:
    branch = make_branch(latitude=52.521377, longitude=13.405177, address="Secret Lane 7")
    make_service(branch)
    response = page(client, **WHERE)
    text = response.content.decode()
    assert len(response.context["markers"]) == 1
    assert "Secret Lane" not in text
    assert "52.5213" not in text
    assert "13.4051" not in text


def test_wider_search_finds_what_is_farther(client: Any) -> None:
    branch = make_branch(latitude=52.52 + 0.15)
    make_service(branch)
    assert page(client, **WHERE).context["found"].total == 0
    assert page(client, **WHERE, radius_km="20").context["found"].total == 1


def test_distance_between_date_and_now_is_counted_in_the_place_zone(client: Any) -> None:
    """At 00:30 on the 18th in Almaty it is still the 17th in London: the 18th has begun, the 17th has passed."""
    with time_machine.travel(NOW.replace(hour=19, minute=30) + timedelta(days=0), tick=False):
        response = page(client, near="Almaty", date="2026-11-17")
    assert dict(response.context["errors"])["date"] == "This day has passed."
