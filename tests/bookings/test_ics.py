"""Private calendar feeds, read back by a parser."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from icalendar import Calendar
from rest_framework.test import APIClient

from bookings import feeds
from bookings.domain import calendar_feeds, lifecycle, reschedule
from bookings.models import CalendarFeed
from providers.models import Service
from tests.bookings.doors import api_of
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def feed_of(user, audience="owner"):
    return calendar_feeds.make(user, audience=audience, now=NOW)


def read(feed):
    answer = APIClient().get(f"/api/v1/calendar/{feed.token}.ics")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/calendar; charset=utf-8"
    return Calendar.from_ical(answer.content)


def only_event(feed):
    (event,) = read(feed).walk("VEVENT")
    return event


def test_an_event_says_when_where_and_what():
    booking = make_booking()

    event = only_event(feed_of(booking.owner))

    assert event["UID"] == f"{booking.uid}@bookings.petplace"
    assert event.start == booking.starts_at
    assert event.end == booking.ends_at
    assert event["DTSTART"].params["TZID"] == "Europe/Berlin"
    assert event["SUMMARY"] == "A walking service with Happy Paws"
    assert event["STATUS"] == "CONFIRMED"
    assert event["LOCATION"] == "Example Street 1"
    assert booking.reference in event["DESCRIPTION"]
    assert event["URL"].endswith(f"/bookings/{booking.reference}/")


def test_the_time_zone_is_spelled_out_with_its_changes():
    booking = make_booking()

    (zone,) = read(feed_of(booking.owner)).walk("VTIMEZONE")

    kinds = {part.name for part in zone.subcomponents}
    assert zone["TZID"] == "Europe/Berlin"
    assert kinds == {"STANDARD", "DAYLIGHT"}


def test_moving_keeps_the_uid_and_raises_the_sequence():
    booking = make_booking(make_service(is_instant=True))
    feed = feed_of(booking.owner)
    before = only_event(feed)

    reschedule.move(booking, by=booking.owner, starts_at=booking.starts_at + timedelta(days=1), now=NOW)
    moved = only_event(feed)
    lifecycle.cancel(booking, by=booking.owner, now=NOW)
    cancelled = only_event(feed)

    assert before["UID"] == moved["UID"] == cancelled["UID"]
    assert before["SEQUENCE"] < moved["SEQUENCE"] < cancelled["SEQUENCE"]
    assert moved.start - before.start == timedelta(days=1)
    assert [before["STATUS"], moved["STATUS"], cancelled["STATUS"]] == ["CONFIRMED", "CONFIRMED", "CANCELLED"]


@pytest.mark.parametrize(
    ("state", "status"),
    [("pending", "TENTATIVE"), ("in_progress", "CONFIRMED"), ("completed", "CONFIRMED"), ("no_show", "CONFIRMED"),
     ("declined", "CANCELLED"), ("cancelled", "CANCELLED")],
)  # fmt: skip
def test_every_state_has_its_status(state, status):
    booking = make_booking(state=state)

    assert only_event(feed_of(booking.owner))["STATUS"] == status


def test_the_address_is_not_in_a_request():
    booking = make_booking(state="pending")

    assert "LOCATION" not in only_event(feed_of(booking.owner))


def test_what_was_only_held_is_never_in_a_feed():
    booking = make_booking(state="held")
    feed = feed_of(booking.owner)

    held = read(feed).walk("VEVENT")
    lifecycle.cancel(booking, by=booking.owner, now=NOW)
    let_go = read(feed).walk("VEVENT")

    assert held == let_go == []


def test_the_teams_feed_names_the_pets_and_the_owners_feed_is_not_mixed_in():
    booking = make_booking()
    person = manager_of(booking)
    pet = PetFactory(owner=person)
    made = make_booking(make_service(is_instant=True), owner=person, pets=[pet])

    team_event = only_event(feed_of(person, "provider"))
    own_event = only_event(feed_of(person, "owner"))

    assert team_event["UID"] == feeds.uid_of(booking)
    assert booking.pets.get().name in team_event["SUMMARY"]
    assert "/provider/" in team_event["URL"]
    assert own_event["UID"] == feeds.uid_of(made)


def test_notes_prices_and_names_of_owners_stay_private():
    booking = make_booking(note="The key is under the stone.")
    feed = feed_of(manager_of(booking), "provider")

    text = APIClient().get(f"/api/v1/calendar/{feed.token}.ics").content.decode()

    assert "stone" not in text
    assert "25.00" not in text
    assert booking.owner.email not in text
    assert booking.owner.full_name not in text


def test_line_breaks_in_names_make_no_new_lines():
    booking = make_booking()
    Service.objects.filter(pk=booking.service_id).update(name="Walk\r\nATTENDEE:mailto:evil@example.test;,\\")

    event = only_event(feed_of(booking.owner))
    text = APIClient().get(f"/api/v1/calendar/{CalendarFeed.objects.latest('pk').token}.ics").content.decode()

    assert "ATTENDEE" not in event
    assert event["SUMMARY"] == "Walk ATTENDEE:mailto:evil@example.test;,\\ with Happy Paws"
    assert not [line for line in text.split("\r\n") if line.startswith("ATTENDEE")]


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2027, 3, 27, 14, tzinfo=UTC)),
        ("America/New_York", datetime(2027, 3, 13, 20, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2027, 4, 3, 4, tzinfo=UTC)),
        ("Asia/Kolkata", datetime(2027, 3, 27, 10, tzinfo=UTC)),
    ],
)
def test_a_night_of_changing_clocks_keeps_its_true_length(zone, start):
    branch = make_branch(time_zone=zone, now=NOW)
    make_resource(branch, kind="kennel", now=NOW)
    service = make_service(branch, kind="boarding", is_overnight=True, is_instant=True, minimum_notice_minutes=0)
    booking = make_booking(service, starts_at=start, ends_at=start + timedelta(hours=20))

    event = only_event(feed_of(booking.owner))

    assert event.start == booking.starts_at
    assert event.end.astimezone(UTC) - event.start.astimezone(UTC) == timedelta(hours=20)


def test_an_old_visit_leaves_the_feed():
    booking = make_booking(state="completed")
    feed = feed_of(booking.owner)

    with time_machine.travel(booking.ends_at + timedelta(days=181), tick=False):
        assert read(feed).walk("VEVENT") == []


@pytest.mark.parametrize("end", ["revoked", "inactive", "renewed", "unknown"])
def test_a_dead_address_is_404(end):
    user = UserFactory()
    feed = feed_of(user)
    if end == "revoked":
        calendar_feeds.revoke(feed, now=NOW)
    elif end == "inactive":
        user.is_active = False
        user.save()
    elif end == "renewed":
        feed_of(user)
    else:
        feed.token = "x" * 43

    answer = APIClient().get(f"/api/v1/calendar/{feed.token}.ics")

    assert answer.status_code == 404


def test_feeds_are_made_listed_and_revoked_over_the_api():
    user = UserFactory()
    client = api_of(user)

    made = client.post("/api/v1/calendar-feeds/", {"audience": "owner"})
    listed = client.get("/api/v1/calendar-feeds/").json()
    read_one = client.get(f"/api/v1/calendar-feeds/{made.json()['id']}/").json()
    path = made.json()["url"].removeprefix("http://testserver")
    works = APIClient().get(path).status_code
    gone = client.delete(f"/api/v1/calendar-feeds/{made.json()['id']}/")

    assert made.status_code == 201
    assert listed["results"] == [made.json()] == [read_one]
    assert (works, gone.status_code, APIClient().get(path).status_code) == (200, 204, 404)


def test_feeds_are_their_persons_alone():
    feed = feed_of(UserFactory())
    stranger = api_of(UserFactory())

    assert stranger.get("/api/v1/calendar-feeds/").json()["results"] == []
    assert stranger.delete(f"/api/v1/calendar-feeds/{feed.uid}/").status_code == 404
    assert APIClient().get("/api/v1/calendar-feeds/").status_code == 401
    feed.refresh_from_db()
    assert feed.revoked_at is None


def test_a_feed_for_nobody_is_400():
    answer = api_of(UserFactory()).post("/api/v1/calendar-feeds/", {"audience": "all"})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["audience"])


def test_the_feed_asks_the_same_number_of_queries_for_many(django_assert_max_num_queries):
    service = make_service(is_instant=True)
    booking = make_booking(service)
    feed = feed_of(manager_of(booking), "provider")
    for hours in (1, 2, 3, 4):
        make_booking(service, starts_at=booking.starts_at + timedelta(hours=hours))

    with django_assert_max_num_queries(3):
        assert len(read(feed).walk("VEVENT")) == 5
