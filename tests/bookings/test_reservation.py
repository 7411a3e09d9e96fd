import datetime as dt

import pytest

from tests.factories import NOW, make_booking

pytestmark = pytest.mark.django_db


def test_hold_keeps_one_resource_of_each_kind():
    booking = make_booking(state="held")
    assert booking.state == "held"
    assert booking.due_at == NOW + dt.timedelta(minutes=15)
    assert [a.resource.kind for a in booking.allocations.all()] == ["person"]
    assert booking.total == 2500


@pytest.mark.parametrize(
    "state", ["held", "pending", "confirmed", "declined", "cancelled", "no_show", "in_progress", "completed"]
)
def test_life(state):
    assert make_booking(state=state).state == state
