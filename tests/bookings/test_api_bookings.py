from typing import Any

import pytest
import time_machine
from rest_framework.test import APIClient

from tests.factories import NOW, PetFactory, make_service

pytestmark = pytest.mark.django_db
START = "2026-11-18T14:00:00Z"


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def client_of(user: Any) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_a_booking_is_made_and_read():
    service = make_service()
    pet = PetFactory()
    client = client_of(pet.owner)
    answer = client.post(
        "/api/v1/bookings/", {"service": str(service.uid), "start": START, "pets": [str(pet.uid)], "note": "Hi"}
    )

    assert answer.status_code == 201
