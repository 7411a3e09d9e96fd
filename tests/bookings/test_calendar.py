"""The provider's calendar: what is drawn, what can be dragged, and the page without a script."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from bookings.models import Booking, CalendarFeed
from providers.domain import hours
from tests.bookings.doors import client_of
from tests.factories import (
    NOW,
    UserFactory,
    make_booking,
    make_branch,
    make_provider,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db
WEEK = {"start": "2026-11-16T00:00:00", "end": "2026-11-23T00:00:00"}


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def booking():
    return make_booking()


@pytest.fixture
def client(booking):
    return client_of(manager_of(booking))


def url_of(name, booking, *more):
    return reverse(f"provider:{name}", args=[booking.provider.slug, *more])


def test_a_booking_is_drawn_at_the_branchs_clock_in_its_resources_column(client, booking):
    found = client.get(url_of("calendar_events", booking), WEEK).json()

    (drawn,) = [event for event in found if event.get("display") != "background"]
    assert drawn["id"] == booking.reference
    assert (drawn["start"], drawn["end"]) == ("2026-11-18T15:00:00", "2026-11-18T15:30:00")
    assert drawn["resourceIds"] == [str(booking.allocations.get().resource.uid)]
    assert drawn["startEditable"] is True
    assert drawn["classNames"] == ["ev-confirmed"]


def test_closed_hours_and_time_off_are_background(client, booking):
    resource = booking.allocations.get().resource
    start = datetime(2026, 11, 19, 9, tzinfo=UTC)
    hours.add_time_off(resource, start=start, end=start + timedelta(hours=2), reason="Dentist", now=NOW)

    found = client.get(url_of("calendar_events", booking), {"start": "2026-11-19", "end": "2026-11-20"}).json()

    shown = {(event["start"][11:16], event["end"][11:16], event["title"]) for event in found}
    # Open 08:00 to 20:00 in Berlin; the time off is no open time either.
    assert shown == {
        ("00:00", "08:00", ""),
        ("10:00", "12:00", ""),
        ("20:00", "00:00", ""),
        ("10:00", "12:00", "Dentist"),
    }


def test_a_finished_visit_cannot_be_dragged():
    booking = make_booking(state="completed")

    found = client_of(manager_of(booking)).get(url_of("calendar_events", booking), WEEK).json()

    assert [event["startEditable"] for event in found if event.get("id")] == [False]


@pytest.mark.parametrize(
    "query",
    [{}, {"start": "x", "end": "y"}, {"start": "2026-11-23", "end": "2026-11-16"},
     {"start": "2026-01-01", "end": "2026-12-31"}, {"start": "0001-01-01", "end": "0001-01-02"},
     {"start": "2026-11-16", "end": "2026-11-23", "branch": "x"}],
)  # fmt: skip
def test_a_wrong_range_is_refused(client, booking, query):
    answer = client.get(url_of("calendar_events", booking), query)

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_a_provider_without_a_branch_has_an_empty_calendar():
    provider = make_provider()
    client = client_of(provider.memberships.get().user)

    assert client.get(reverse("provider:calendar_events", args=[provider.slug]), WEEK).json() == []
    assert "No branch yet" in client.get(reverse("provider:calendar", args=[provider.slug])).content.decode()


def test_dragging_moves_time_and_resource(client, booking):
    other = make_resource(booking.service.branch, name="Anna")

    answer = client.post(
        url_of("calendar_move", booking, booking.reference),
        {"start": "2026-11-19T10:00", "end": "2026-11-19T10:30", "resource": str(other.uid)},
    )

    booking.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json()["start"] == "2026-11-19T10:00:00"
    assert booking.starts_at.isoformat() == "2026-11-19T09:00:00+00:00"
    assert [one.resource for one in booking.allocations.filter(is_live=True)] == [other]


def test_dragging_onto_another_visit_is_refused_with_the_reason(client, booking):
    make_booking(booking.service, starts_at=booking.starts_at + timedelta(days=1))

    answer = client.post(url_of("calendar_move", booking, booking.reference), {"start": "2026-11-19T15:00"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "slot_taken"
    assert Booking.objects.get(pk=booking.pk).starts_at == booking.starts_at


@pytest.mark.parametrize(
    "data", [{}, {"start": "soon"}, {"start": "2027-03-28T02:30"}, {"start": "2026-11-19T10:00", "resource": "x"}]
)
def test_dragging_to_nonsense_is_refused(client, booking, data):
    answer = client.post(url_of("calendar_move", booking, booking.reference), data)

    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_stay_keeps_its_clock_times_when_dragged():
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True, is_instant=True)
    start = NOW + timedelta(days=2, hours=6)
    booking = make_booking(service, starts_at=start, ends_at=start + timedelta(days=2, hours=-4))

    answer = client_of(manager_of(booking)).post(
        url_of("calendar_move", booking, booking.reference),
        {"start": "2026-11-25T09:30", "end": "2026-11-27T05:30"},
    )

    booking.refresh_from_db()
    assert answer.status_code == 200, answer.json()
    assert booking.starts_at.isoformat() == "2026-11-25T14:00:00+00:00"
    assert booking.ends_at.isoformat() == "2026-11-27T10:00:00+00:00"


def test_the_page_holds_the_day_as_a_table_with_a_column_for_each_resource(client, booking):
    make_resource(booking.service.branch, name="Anna")

    answer = client.get(url_of("calendar", booking), {"date": "2026-11-18"})

    taken = booking.allocations.get().resource
    (row,) = [cells for hour, cells in answer.context["hours"] if hour.hour == 15]
    columns = dict(zip(answer.context["resources"], row, strict=True))
    assert {resource.name: visits for resource, visits in columns.items()} == {taken.name: [booking], "Anna": []}
    assert booking.reference in answer.content.decode()


@pytest.mark.parametrize(("view", "length"), [("week", 7), ("list", 14)])
def test_week_and_list_hold_the_visits_by_day(client, booking, view, length):
    answer = client.get(url_of("calendar", booking), {"date": "2026-11-17", "view": view})

    days = dict(answer.context["days"])
    assert len(days) == length
    assert [day.isoformat() for day, visits in days.items() if visits] == ["2026-11-18"]


def test_a_stay_shows_on_each_of_its_days():
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True, is_instant=True)
    start = NOW + timedelta(days=2, hours=6)
    booking = make_booking(service, starts_at=start, ends_at=start + timedelta(days=2, hours=-4))
    client = client_of(manager_of(booking))

    week = client.get(url_of("calendar", booking), {"date": "2026-11-19", "view": "week"})
    second_day = client.get(url_of("calendar", booking), {"date": "2026-11-20"})

    assert [day.day for day, visits in week.context["days"] if visits] == [19, 20, 21]
    assert booking.reference in second_day.content.decode()


def test_branches_are_looked_at_one_by_one(booking):
    other = make_branch(booking.provider, name="Other side")
    client = client_of(manager_of(booking))

    answer = client.get(url_of("calendar", booking), {"date": "2026-11-18", "branch": str(other.uid)})

    assert answer.context["branch"] == other
    assert booking.reference not in answer.content.decode()


# --- private addresses --------------------------------------------------------------------------


def test_a_feed_is_made_shown_renewed_and_switched_off():
    user = UserFactory()
    client = client_of(user)

    client.post(reverse("bookings:make_feed"), {"audience": "owner"})
    first = CalendarFeed.objects.get()
    shown = client.get(reverse("bookings:feeds")).content.decode()
    client.post(reverse("bookings:make_feed"), {"audience": "owner"})
    second = CalendarFeed.objects.get(revoked_at__isnull=True)
    client.post(reverse("bookings:revoke_feed", args=[second.uid]))

    assert first.token in shown
    assert len(first.token) >= 43  # 256 bits
    assert second.token != first.token
    assert not CalendarFeed.objects.filter(revoked_at__isnull=True).exists()


def test_the_teams_feed_is_offered_to_those_who_have_a_team(booking):
    owner = [row["audience"] for row in client_of(booking.owner).get(reverse("bookings:feeds")).context["rows"]]
    team = [row["audience"] for row in client_of(manager_of(booking)).get(reverse("bookings:feeds")).context["rows"]]

    assert owner == ["owner"]
    assert team == ["owner", "provider"]


def test_a_feed_of_nonsense_is_not_made():
    answer = client_of(UserFactory()).post(reverse("bookings:make_feed"), {"audience": "all"})

    assert answer.status_code == 302
    assert not CalendarFeed.objects.exists()


def test_nobody_switches_off_the_feed_of_another():
    feed = CalendarFeed.objects.create(user=UserFactory(), audience="owner")

    answer = client_of(UserFactory()).post(reverse("bookings:revoke_feed", args=[feed.uid]))

    feed.refresh_from_db()
    assert answer.status_code == 404
    assert feed.revoked_at is None
