"""Bookings for staff: read, cancel and complete; nothing typed in."""

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.urls import reverse

from bookings.models import Booking
from tests.bookings.doors import client_of
from tests.factories import NOW, StaffFactory, UserFactory, make_booking, make_service

pytestmark = pytest.mark.django_db
LIST = "admin:bookings_booking_changelist"


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def act(client, action, *bookings):
    data = {"action": action, "_selected_action": [booking.pk for booking in bookings]}
    return client.post(reverse(LIST), data, follow=True)


def test_the_list_and_the_detail_show_state_price_and_story():
    booking = make_booking(note="The key is under the stone.")
    client = client_of(StaffFactory())

    listed = client.get(reverse(LIST), {"q": booking.reference}).content.decode()
    detail = client.get(reverse("admin:bookings_booking_change", args=[booking.pk])).content.decode()

    assert booking.reference in listed
    assert "€25.00" in listed
    assert "The key is under the stone." in detail
    assert "Keep the time" in detail


def test_nothing_can_be_typed_in():
    booking = make_booking()
    client = client_of(StaffFactory())
    url = reverse("admin:bookings_booking_change", args=[booking.pk])

    answer = client.post(url, {"state": "completed", "total": "1"})

    booking.refresh_from_db()
    assert answer.status_code == 403
    assert 'name="state"' not in client.get(url).content.decode()
    assert booking.state == "confirmed"
    assert client.get(reverse("admin:bookings_booking_add")).status_code == 403
    assert client.post(reverse("admin:bookings_booking_delete", args=[booking.pk])).status_code == 403


def test_cancelling_gives_everything_back_and_one_that_refuses_stops_no_other():
    service = make_service(is_instant=True)
    done = make_booking(service, state="completed")
    staff = StaffFactory()
    open_one = make_booking(service, starts_at=NOW.replace(day=19))

    answer = act(client_of(staff), "cancel", done, open_one)

    open_one.refresh_from_db()
    done.refresh_from_db()
    texts = [str(message) for message in answer.context["messages"]]
    assert (open_one.state, open_one.cancel_reason, open_one.invoice.state) == ("cancelled", "by_staff", "void")
    assert open_one.events.last().by == staff
    assert done.state == "completed"
    assert texts[0].startswith(f"{done.reference}: ")
    assert texts[1:] == ["1 cancelled."]


def test_completing_takes_only_what_is_due():
    service = make_service(is_instant=True)
    over = make_booking(service, state="in_progress")
    under_way = make_booking(service, state="in_progress", starts_at=NOW.replace(day=20))

    with time_machine.travel(NOW.replace(day=21), tick=False):
        answer = act(client_of(StaffFactory()), "complete", over, under_way)

    assert {one.pk: one.state for one in Booking.objects.all()} == {over.pk: "completed", under_way.pk: "in_progress"}
    assert len(answer.context["messages"]) == 2


def test_staff_without_the_right_may_look_but_not_act():
    booking = make_booking()
    helper = UserFactory(is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_booking"))
    client = client_of(helper)

    act(client, "cancel", booking)

    booking.refresh_from_db()
    assert client.get(reverse(LIST)).status_code == 200
    assert booking.state == "confirmed"


def test_quotes_can_be_read():
    booking = make_booking()

    text = (
        client_of(StaffFactory()).get(reverse("admin:bookings_quote_change", args=[booking.quote_id])).content.decode()
    )

    assert "A walking service, 30 minutes" in text


def test_the_admin_is_for_staff():
    booking = make_booking()

    assert client_of(booking.owner).get(reverse(LIST)).status_code == 302
