"""The main job over the REST API alone: from two strangers to a completed and reviewed visit."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from bookings.models import Booking

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
VISIT = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)  # Wednesday 17:00 in Berlin
PASSWORD = "a-long-and-odd-password-7"


class Api:
    """A third-party client with one person's tokens."""

    def __init__(self, email: str) -> None:
        self.client = Client()
        self.email = email
        self.access = ""
        self.keys = 0

    def sign_in(self) -> None:
        self.access = self("POST", "auth/login/", 200, email=self.email, password=PASSWORD)["access"]

    def __call__(self, method: str, path: str, expect: int, body: Any = None, **fields: Any) -> Any:
        self.keys += 1
        headers = {"Idempotency-Key": f"{self.email}-{self.keys}"}
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        data = fields if body is None else body
        answer = self.client.generic(
            method,
            f"/api/v1/{path}",
            b"" if method == "GET" else json.dumps(data).encode(),
            content_type="application/json",
            headers=headers,
        )
        assert answer.status_code == expect, (method, path, answer.status_code, answer.content[:600])
        return answer.json() if answer.content else None


def person(email: str, name: str) -> Api:
    api = Api(email)
    api("POST", "auth/register/", 201, email=email, password=PASSWORD, full_name=name)
    api.sign_in()
    return api


def test_journey_from_two_strangers_to_a_reviewed_visit(django_user_model: type[User]) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        django_user_model.objects.create_superuser("staff@example.test", PASSWORD, full_name="Staff")
        staff, walker, owner = (
            Api("staff@example.test"),
            person("walker@example.test", "Walker"),
            person("owner@example.test", "Owner"),
        )
        staff.sign_in()

        # A walker applies, sets up shop and is approved.
        provider = walker("POST", "providers/", 201, name="Park Pack", kind="walker", bio="Walks.", currency="EUR")
        assert provider["state"] == "draft"
        root = f"providers/{provider['id']}"
        branch = walker(
            "POST",
            f"{root}/branches/",
            201,
            name="Mitte",
            address="Parkweg 1, Berlin",
            latitude=52.52,
            longitude=13.405,
            time_zone="Europe/Berlin",
        )
        [resource] = walker("GET", f"{root}/resources/", 200)["results"]
        assert resource["kind"] == "person"
        hours = [{"weekday": day, "opens": "09:00", "closes": "20:00"} for day in range(5)]
        walker("PUT", f"resources/{resource['id']}/availability/", 200, body=hours)
        service = walker(
            "POST",
            f"{root}/services/",
            201,
            kind="walking",
            name="60-minute walk",
            branch=branch["id"],
            duration_minutes=60,
            price={"amount": 1900, "currency": "EUR"},
            extra_pet_price={"amount": 700, "currency": "EUR"},
            species=["dog"],
            max_pets=3,
            needs=["person"],
        )
        walker("POST", f"{root}/submit/", 200)
        staff("POST", f"{root}/approve/", 200)

        # An owner finds the walker at an exact time, at the final price.
        pets = [
            owner("POST", "pets/", 201, name=name, species="dog", weight_kg=weight)["id"]
            for name, weight in (("Bruno", 30), ("Pepper", 8))
        ]
        search = (
            "providers/?lat=52.5163&lng=13.3777&radius_km=10&service=walking&species=dog&weight_kg=30&pets=2"
            f"&start={VISIT:%Y-%m-%dT%H:%M:%SZ}&end={VISIT + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        )
        [found] = owner("GET", search, 200)["results"]
        assert found["id"] == provider["id"]
        assert found["price"] == {"amount": 2600, "currency": "EUR"}

        # One price from the list to the booking.
        quote = owner("POST", "quotes/", 201, service=service["id"], start=f"{VISIT:%Y-%m-%dT%H:%M:%SZ}", pets=pets)
        assert quote["total"] == {"amount": 2600, "currency": "EUR"}
        assert sum(line["amount"]["amount"] for line in quote["lines"]) == 2600
        booking = owner("POST", "bookings/", 201, quote=quote["id"], note="Ring twice.")
        path = f"bookings/{booking['id']}"
        assert (booking["state"], booking["time_zone"], booking["end"]) == (
            "pending",
            "Europe/Berlin",
            "2026-06-03T16:00:00Z",
        )
        assert owner("GET", search, 200)["results"] == []

        # The provider accepts, starts and finishes; each side may do only its own part.
        assert "confirm" in walker("GET", f"{path}/", 200)["allowed_actions"]
        owner("POST", f"{path}/confirm/", 403)
        assert walker("POST", f"{path}/confirm/", 200)["state"] == "confirmed"
        walker("POST", f"{path}/start/", 409)  # two days early
        clock.move_to(VISIT - timedelta(minutes=10))
        walker.sign_in()
        owner.sign_in()
        assert walker("POST", f"{path}/start/", 200)["state"] == "in_progress"
        clock.move_to(VISIT + timedelta(hours=1))
        walker.sign_in()
        owner.sign_in()
        done = walker("POST", f"{path}/complete/", 200)
        assert done["state"] == "completed"
        assert [event["to_state"] for event in done["timeline"]] == [
            "held",
            "pending",
            "confirmed",
            "in_progress",
            "completed",
        ]
        owner("POST", f"{path}/review/", 201, rating=5, text="On time and kind.")
        assert Api("nobody@example.test")("GET", f"{root}/reviews/", 200)["results"] == []
        walker("POST", f"{path}/review/", 201, rating=5, aspects={"pet_as_described": 5})
        [review] = Api("nobody@example.test")("GET", f"{root}/reviews/", 200)["results"]
        assert review["rating"] == 5
        assert Booking.objects.get().invoice.state == "paid"
