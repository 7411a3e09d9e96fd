"""The figures behind badges, counted from bookings and their events."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bookings.domain import trust
from bookings.models import Booking, BookingEvent
from providers.models import Provider
from tests.factories import NOW, UserFactory, make_booking, make_branch, make_provider, make_service

pytestmark = pytest.mark.django_db


@pytest.fixture
def model() -> Booking:
    return make_booking(make_service(make_branch(make_provider()), is_instant=True))


def another(model: Booking, *steps: tuple[str, str, str, str, timedelta], days: int = 10, owner: Any = None) -> Booking:
    """Write a booking ``days`` ago with those steps: action, from, to, side, time from its start."""
    booking = Booking.objects.get(pk=model.pk)
    booking.pk = None
    booking._state.adding = True
    booking.uid = uuid4()
    booking.reference = f"BK-{Booking.objects.count():06d}"
    booking.invoice = booking.conversation = None
    booking.owner = owner or UserFactory()
    booking.starts_at = NOW - timedelta(days=days)
    booking.ends_at = booking.starts_at + timedelta(hours=1)
    last = steps[-1][2]
    booking.state, booking.due_at = last, None
    booking.cancel_reason = "by_provider" if last == "cancelled" else ""
    booking.save()
    for action, source, target, side, after in steps:
        BookingEvent.objects.create(
            booking=booking, action=action, from_state=source, to_state=target, side=side, at=booking.starts_at + after
        )
    return booking


H = timedelta(hours=1)
ASKED = ("place", "held", "pending", "owner", -48 * H)


def figures(model: Booking) -> dict[str, int]:
    trust.refresh([model.provider_id], now=NOW)
    return Provider.objects.get(pk=model.provider_id).figures


def kinds(model: Booking) -> list[str]:
    return [badge.kind for badge in Provider.objects.get(pk=model.provider_id).badges(NOW)]


def test_requests_count_as_answered_or_missed_and_the_median_is_taken(model: Booking) -> None:
    for hours in (1, 2, 30):
        another(model, ASKED, ("accept", "pending", "confirmed", "provider", (hours - 48) * H))
    another(model, ASKED, ("expire", "pending", "cancelled", "system", -24 * H))
    another(model, ASKED, ("cancel", "pending", "cancelled", "owner", -40 * H))
    another(
        model, ("place", "held", "pending", "owner", -H), ("decline", "pending", "declined", "provider", -H), days=400
    )
    found = figures(model)
    assert (found["asked"], found["answered"], found["answer_minutes"]) == (4, 3, 120)


def test_only_the_last_25_requests_count(model: Booking) -> None:
    for days in range(10, 40):
        answered = days < 35
        end = (
            ("accept", "pending", "confirmed", "provider") if answered else ("expire", "pending", "cancelled", "system")
        )
        another(model, ASKED, (*end, -47 * H), days=days)
    found = figures(model)
    assert (found["asked"], found["answered"]) == (25, 25)
    assert kinds(model) == ["fast_answers"]


def test_visits_on_time_and_owners_who_come_back(model: Booking) -> None:
    owners = UserFactory.create_batch(5)
    for number in range(10):
        late = timedelta(minutes=11 if number == 0 else 10)
        start = ("start", "confirmed", "in_progress", "provider", late)
        done = ("complete", "in_progress", "completed", "provider", H)
        another(model, start, done, owner=owners[number % 5])
    found = figures(model)
    assert (found["visits"], found["on_time"], found["completed"]) == (10, 9, 10)
    assert (found["clients"], found["returned"], found["late_cancellations"]) == (5, 5, 0)
    assert kinds(model) == ["repeat_clients", "reliable"]
    another(model, ("cancel", "confirmed", "cancelled", "provider", timedelta(days=-5)))
    assert figures(model)["late_cancellations"] == 1
    assert kinds(model) == ["repeat_clients"]


def test_a_cancellation_six_days_before_is_not_late(model: Booking) -> None:
    another(model, ("cancel", "confirmed", "cancelled", "provider", timedelta(days=-6)))
    assert figures(model)["late_cancellations"] == 0


def test_many_providers_take_one_statement(model: Booking) -> None:
    others = [make_provider().pk for _ in range(3)]
    with CaptureQueriesContext(connection) as queries:
        assert trust.refresh([model.provider_id, *others], now=NOW) == 4
    assert len(queries) == 1


def test_only_providers_with_new_events_are_counted_again(model: Booking) -> None:
    cache.delete(trust.SEEN_KEY)
    assert trust.refresh_changed(NOW) == 0
    another(model, ASKED, ("accept", "pending", "confirmed", "provider", -47 * H))
    assert trust.refresh_changed(NOW) == 1
    assert Provider.objects.get(pk=model.provider_id).figures["asked"] == 1
    assert trust.refresh_changed(NOW) == 0
