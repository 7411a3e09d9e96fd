"""What the public learns of a place: one shifted point, the same at every door and however often it is asked."""

import json
import math
import re
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from providers.domain import branches
from providers.models import Branch
from tests.factories import NOW, UserFactory, make_booking, make_branch, make_provider, make_service

pytestmark = pytest.mark.django_db
TRUE = (52.521377, 13.405177)
STREET = "Frobnitzweg 77"
NUMBER = re.compile(r"-?\d{1,3}\.\d+")


@pytest.fixture
def branch(db: None) -> Branch:
    made = make_branch(make_provider(name="Frobnitz Dogs"), latitude=TRUE[0], longitude=TRUE[1], address=STREET)
    make_service(made)
    return made


def _doors(branch: Branch) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the addresses that anybody may ask, with filters and from points that differ."""
    provider, service = branch.provider, branch.services.get()
    yield reverse("provider_detail", args=[provider.slug]), {}
    yield f"/api/v1/providers/{provider.uid}/", {}
    yield f"/api/v1/services/{service.uid}/", {}
    points = [(TRUE[0] + 0.004 * turn, TRUE[1] - 0.007 * turn) for turn in range(4)]
    filters: list[dict[str, str]] = [
        {},
        {"service": "walking"},
        {"radius_km": "5"},
        {"ordering": "price"},
        {"pets": "2"},
    ]
    for (latitude, longitude), extra in product(points, filters):
        asked = {"lat": f"{latitude:.6f}", "lng": f"{longitude:.6f}"} | extra
        yield "/api/v1/providers/", asked
        yield reverse("search"), asked


def _near(text: str) -> set[float]:
    """Return the numbers in ``text`` that could be a part of where the place is."""
    found = {float(number) for number in NUMBER.findall(text)}
    return {one for one in found if abs(one - TRUE[0]) < 0.02 or abs(one - TRUE[1]) < 0.03}


def _asked_for(values: dict[str, str]) -> set[float]:
    return {float(values[name]) for name in ("lat", "lng") if name in values}


def _meters(one: tuple[float, float], other: tuple[float, float]) -> float:
    return math.hypot((one[0] - other[0]) * 111_195, (one[1] - other[1]) * 111_195 * math.cos(math.radians(one[0])))


def test_every_public_door_tells_the_same_shifted_point(branch: Branch, client: Client) -> None:
    shifted = (branch.approximate_latitude, branch.approximate_longitude)
    assert 299 <= _meters(TRUE, shifted) <= 1_101
    told: set[float] = set()
    count = 0
    for path, asked in [*_doors(branch), *_doors(branch)]:
        answer = client.get(path, asked)
        assert answer.status_code == 200, path
        assert "Frobnitz Dogs" in answer.text or "/services/" in path, (path, asked)
        assert STREET not in answer.text, path
        told |= _near(answer.text) - _asked_for(asked)
        count += 1

    assert count == 86
    assert told == set(shifted)


def test_distances_are_those_of_the_shifted_point(branch: Branch, client: Client) -> None:
    """Whoever asks from one point hears one distance, whatever else is asked; it is that of the shifted point."""
    shifted = (branch.approximate_latitude, branch.approximate_longitude)
    for turn in range(8):
        point = (TRUE[0] + 0.02 * math.sin(turn), TRUE[1] + 0.03 * math.cos(turn))
        asked = {"lat": str(point[0]), "lng": str(point[1])}
        heard = {
            client.get("/api/v1/providers/", asked | extra).json()["results"][0]["distance_km"]
            for extra in ({}, {"service": "walking"}, {"ordering": "price"}, {"radius_km": "30"})
        }
        assert len(heard) == 1
        assert heard.pop() == pytest.approx(_meters(point, shifted) / 1000, abs=0.06)


def test_the_radius_cuts_at_the_shifted_point(branch: Branch, client: Client) -> None:
    """Who draws circles until the place appears finds the shifted point, not the door."""
    shifted = (branch.approximate_latitude, branch.approximate_longitude)
    for turn in range(6):
        point = (shifted[0] + 0.04 * math.sin(turn), shifted[1] + 0.06 * math.cos(turn))
        exact = _meters(point, shifted) / 1000
        for radius in range(1, 8):
            asked = {"lat": str(point[0]), "lng": str(point[1]), "radius_km": str(radius)}
            found = client.get("/api/v1/providers/", asked).json()["count"]
            if abs(exact - radius) > 0.05:
                assert found == (exact < radius), (turn, radius, exact)


def test_the_point_survives_edits_restarts_and_moving_back(branch: Branch) -> None:
    shifted = (branch.approximate_latitude, branch.approximate_longitude)
    cache.clear()
    branches.update(branch, now=NOW, name="Another name", service_radius_km=4)
    branches.update(branch, now=NOW, latitude=48.1, longitude=11.6, address="New 1", by=UserFactory())
    branches.update(branch, now=NOW, latitude=TRUE[0], longitude=TRUE[1], address=STREET, by=UserFactory())
    branch.refresh_from_db()

    assert (branch.approximate_latitude, branch.approximate_longitude) == shifted


def test_an_owner_without_an_agreement_learns_no_more(branch: Branch, client: Client) -> None:
    """A request that waits opens nothing, on its page, in its API or in the public ones."""
    visit = make_booking(make_service(branch, is_instant=False), state="pending")
    client.force_login(visit.owner)
    pages = [
        visit.get_absolute_url(),
        reverse("offline_bookings"),
        reverse("provider_detail", args=[visit.provider.slug]),
    ]
    for page in pages:
        text = client.get(page).text
        assert STREET not in text, page
        assert _near(text) <= {branch.approximate_latitude, branch.approximate_longitude}, page


def test_what_the_map_is_given_is_the_shifted_point(branch: Branch, client: Client) -> None:
    text = client.get(reverse("provider_detail", args=[branch.provider.slug])).text
    found: Any = re.search(r"<script[^>]*application/json[^>]*>(\[.*?\])</script>", text, re.DOTALL)
    places = json.loads(found[1])

    assert [(one["lat"], one["lng"]) for one in places] == [(branch.approximate_latitude, branch.approximate_longitude)]
