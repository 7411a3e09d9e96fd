"""The door and the way in are told around the visit alone, at every door of the product."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.api import tokens
from accounts.models import User
from bookings import feeds
from bookings.domain import revealing
from bookings.models import Booking, CalendarFeed
from petplace.errors import InvalidInput, InvalidTransition, NotAllowed
from tests.factories import NOW, StaffFactory, UserFactory, make_booking, make_service, manager_of

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
SECOND = dt.timedelta(seconds=1)
KEY = "The key is under the Frobnitz pot"


@pytest.fixture
def booking(db: None) -> Booking:
    """A visit in a month, with a note about the way in."""
    made = make_booking(make_service(), starts_at=NOW.replace(hour=14) + dt.timedelta(days=30))
    return revealing.note_access(made, text=KEY, by=made.owner, now=NOW)


def _doors(user: User, booking: Booking, now: dt.datetime) -> dict[str, str]:
    """Return what each door shows to ``user``."""
    client, api = Client(), APIClient()
    client.force_login(user)
    is_owner = user.pk == booking.owner_id
    page = (
        booking.get_absolute_url()
        if is_owner
        else reverse("provider:booking", args=[booking.provider.slug, booking.reference])
    )
    token = tokens.start(user, user_agent="", now=now).access
    audience = "owner" if is_owner else "provider"
    feed = CalendarFeed(user=user, audience=audience)
    return {
        "page": client.get(page).text,
        "offline": client.get(reverse("offline_bookings")).text,
        "api": api.get(
            f"/api/v1/bookings/{booking.uid}/", headers={"Authorization": f"Bearer {token}"}
        ).content.decode(),
        "ics": feeds.render(feed, now=now).decode().replace("\r\n ", ""),
    }


def _telling(user: User, booking: Booking, text: str, now: dt.datetime) -> set[str]:
    return {name for name, shown in _doors(user, booking, now).items() if text in shown}


def _edges(booking: Booking) -> list[tuple[dt.datetime, bool]]:
    return [
        (NOW, False),
        (booking.starts_at - 48 * HOUR - SECOND, False),
        (booking.starts_at - 48 * HOUR, True),
        (booking.starts_at - HOUR, True),
        (booking.ends_at + 24 * HOUR - SECOND, True),
        (booking.ends_at + 24 * HOUR, False),
    ]


def test_the_owner_learns_the_door_around_the_visit(booking: Booking, time_machine: Any) -> None:
    address = booking.service.branch.address
    for moment, is_told in _edges(booking):
        time_machine.move_to(moment, tick=False)
        doors = _telling(booking.owner, booking, address, moment)
        # What is over is not kept offline at all.
        wanted = {"page", "api", "ics", "offline"} if moment < booking.ends_at else {"page", "api", "ics"}
        assert doors == (wanted if is_told else set()), moment


def test_the_team_learns_the_way_in_around_the_visit(booking: Booking, time_machine: Any) -> None:
    manager = manager_of(booking)
    for moment, is_told in _edges(booking):
        time_machine.move_to(moment, tick=False)
        assert _telling(manager, booking, "Frobnitz", moment) == ({"page", "api"} if is_told else set()), moment


@pytest.mark.parametrize("state", ["pending", "declined", "cancelled", "no_show"])
def test_nobody_learns_it_without_an_agreement(booking: Booking, time_machine: Any, state: str) -> None:
    reason = "by_owner" if state == "cancelled" else ""
    Booking.objects.update(state=state, cancel_reason=reason, due_at=booking.starts_at)
    time_machine.move_to(booking.starts_at - HOUR, tick=False)

    assert _telling(booking.owner, booking, booking.service.branch.address, booking.starts_at) == set()
    assert _telling(manager_of(booking), booking, "Frobnitz", booking.starts_at) == set()


def test_a_one_tap_page_tells_nothing_early(booking: Booking, time_machine: Any) -> None:
    from bookings.domain import one_tap
    from messaging import links

    time_machine.move_to(NOW, tick=False)
    token = links.make(
        manager_of(booking), "accept", f"booking:{booking.uid}", stamp=booking.sequence,
        expires_at=one_tap.expires_at(booking),
    )  # fmt: skip
    assert "Frobnitz" not in Client().get(reverse("bookings:link", args=[token])).text


def test_only_the_owner_writes_it_until_the_end(booking: Booking) -> None:
    for other in (manager_of(booking), UserFactory(), StaffFactory()):
        with pytest.raises(NotAllowed):
            revealing.note_access(booking, text="x", by=other, now=NOW)
    with pytest.raises(InvalidInput):
        revealing.note_access(booking, text="x" * 1001, by=booking.owner, now=NOW)
    with pytest.raises(InvalidTransition):
        revealing.note_access(booking, text="x", by=booking.owner, now=booking.ends_at)
    booking.refresh_from_db()
    assert booking.access_note == KEY


def test_doors_for_writing_it(booking: Booking, time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    client, api = Client(), APIClient()
    page = reverse("bookings:access", args=[booking.reference])
    assert client.post(page, {"text": "x"}).status_code == 302
    client.force_login(UserFactory())
    assert client.post(page, {"text": "x"}).status_code == 404
    client.force_login(booking.owner)
    assert client.post(page, {"text": "Ring twice"}).status_code == 302
    booking.refresh_from_db()
    assert booking.access_note == "Ring twice"
    assert "At most 1000" in client.post(page, {"text": "x" * 1001}, follow=True).text
    booking.refresh_from_db()
    assert booking.access_note == "Ring twice"

    def put(user: User, text: str) -> int:
        token = tokens.start(user, user_agent="", now=NOW).access
        url = f"/api/v1/bookings/{booking.uid}/access-note/"
        return api.put(url, {"text": text}, headers={"Authorization": f"Bearer {token}"}).status_code

    assert [put(booking.owner, "Knock"), put(manager_of(booking), "x"), put(UserFactory(), "x")] == [200, 403, 404]
    booking.refresh_from_db()
    assert booking.access_note == "Knock"


def test_what_nobody_may_see_any_more_is_deleted(booking: Booking) -> None:
    assert revealing.forget_access(now=booking.ends_at + 24 * HOUR - SECOND) == 0
    assert revealing.forget_access(now=booking.ends_at + 24 * HOUR) == 1
    booking.refresh_from_db()
    assert booking.access_note == ""
    Booking.objects.update(access_note=KEY, state="declined")
    assert revealing.forget_access(now=NOW) == 1
