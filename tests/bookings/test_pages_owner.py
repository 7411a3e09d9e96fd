"""The owner's pages: what each shows, and to whom."""

from datetime import date, timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings.domain import lifecycle
from bookings.models import Booking
from tests.bookings.doors import client_of, queries_of
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    VaccinationFactory,
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


def test_home_shows_the_next_visit_and_what_to_do():
    booking = make_booking()
    pet = booking.pets.get()
    VaccinationFactory(pet=pet, vaccine="rabies", valid_until=date(2026, 12, 1))
    VaccinationFactory(pet=pet, vaccine="dhpp", valid_until=date(2027, 12, 1))

    answer = client_of(booking.owner).get(reverse("bookings:home"))

    assert answer.status_code == 200
    assert answer.context["next_visit"] == booking
    assert [(one["vaccine"], one["is_over"]) for one in answer.context["vaccines"]] == [("Rabies", False)]
    assert "Wed, Nov 18, 15:00" in answer.content.decode()


def test_home_of_someone_new_says_what_to_do_first():
    answer = client_of(UserFactory()).get(reverse("bookings:home"))

    assert "Tell us who you care for" in answer.content.decode()


def test_home_reminds_of_an_unfinished_booking():
    booking = make_booking(state="held")

    answer = client_of(booking.owner).get(reverse("bookings:home"))

    assert reverse("bookings:checkout", args=[booking.reference]) in answer.content.decode()


@pytest.mark.parametrize(
    ("state", "tab"),
    [("pending", "upcoming"), ("confirmed", "upcoming"), ("completed", "past"), ("declined", "cancelled"),
     ("cancelled", "cancelled"), ("no_show", "past")],
)  # fmt: skip
def test_the_list_has_each_state_under_one_tab(state, tab):
    booking = make_booking(state=state)
    client = client_of(booking.owner)

    found = {
        name: list(client.get(reverse("bookings:list"), {"tab": name}).context["page"])
        for name in ("upcoming", "past", "cancelled")
    }

    assert found == {"upcoming": [], "past": [], "cancelled": []} | {tab: [booking]}


@pytest.mark.parametrize("name", ["list", "home"])
def test_a_list_asks_the_same_number_of_queries_for_many(name):
    service, owner = make_service(is_instant=True), UserFactory()
    client, url = client_of(owner), reverse(f"bookings:{name}")
    make_booking(service, owner=owner)
    make_booking(service, owner=owner, starts_at=NOW + timedelta(days=1, hours=7))
    few = queries_of(client, url)

    for hours in (8, 9, 10):
        make_booking(service, owner=owner, starts_at=NOW + timedelta(days=1, hours=hours))

    assert queries_of(client, url) == few


def test_a_booking_shows_price_terms_and_story():
    booking = make_booking(note="The key is under the stone.")

    text = client_of(booking.owner).get(reverse("bookings:detail", args=[booking.reference])).content.decode()

    assert "€25.00" in text
    assert "if nobody comes" in text
    assert "Example Street 1" in text
    assert "The key is under the stone." in text
    assert reverse("bookings:cancel", args=[booking.reference]) in text


def test_the_address_is_hidden_until_the_booking_is_confirmed():
    booking = make_booking(state="pending")

    text = client_of(booking.owner).get(reverse("bookings:detail", args=[booking.reference])).content.decode()

    assert "Example Street 1" not in text
    assert "to answer" in text


@pytest.mark.parametrize("name", ["detail", "checkout", "cancel", "move", "calendar_file"])
def test_pages_of_a_booking_are_its_owners_alone(name):
    booking = make_booking()
    url = reverse(f"bookings:{name}", args=[booking.reference])

    assert Client().get(url).status_code == 302
    assert client_of(UserFactory()).get(url).status_code == 404
    assert client_of(manager_of(booking)).get(url).status_code == 404


@pytest.mark.parametrize("name", ["home", "list", "feeds"])
def test_own_pages_ask_to_sign_in(name):
    answer = Client().get(reverse(f"bookings:{name}"))

    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


def test_cancelling_first_says_what_it_costs():
    booking = make_booking()

    answer = client_of(booking.owner).get(reverse("bookings:cancel", args=[booking.reference]))

    # The visit is tomorrow at 15:00, full refund until noon today: it is 09:00.
    assert answer.context["kept"] == 0
    assert "You get €25.00 back" in answer.content.decode()


def test_a_late_cancellation_names_what_stays_to_be_paid():
    booking = make_booking()

    with time_machine.travel(NOW + timedelta(hours=4), tick=False):
        answer = client_of(booking.owner).get(reverse("bookings:cancel", args=[booking.reference]))

    assert answer.context["kept"] == 1250


def test_cancelling_cancels_with_the_reason():
    booking = make_booking()

    answer = client_of(booking.owner).post(
        reverse("bookings:cancel", args=[booking.reference]), {"reason": "The dog is ill."}
    )

    booking.refresh_from_db()
    assert answer.url == booking.get_absolute_url()
    assert booking.state == "cancelled"
    assert booking.events.last().reason == "The dog is ill."


def test_cancelling_what_is_over_says_so_and_changes_nothing():
    booking = make_booking(state="completed")

    answer = client_of(booking.owner).post(reverse("bookings:cancel", args=[booking.reference]), follow=True)

    booking.refresh_from_db()
    assert booking.state == "completed"
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]


def test_the_page_to_cancel_what_is_over_leads_back():
    booking = make_booking(state="declined")

    answer = client_of(booking.owner).get(reverse("bookings:cancel", args=[booking.reference]))

    assert answer.url == booking.get_absolute_url()


def test_a_get_never_cancels():
    booking = make_booking()

    client_of(booking.owner).get(reverse("bookings:cancel", args=[booking.reference]))

    booking.refresh_from_db()
    assert booking.state == "confirmed"


def test_checkout_shows_the_time_left_and_books():
    booking = make_booking(state="held")
    client = client_of(booking.owner)

    page = client.get(reverse("bookings:checkout", args=[booking.reference]))
    answer = client.post(reverse("bookings:place", args=[booking.reference]))

    booking.refresh_from_db()
    assert "data-countdown=" in page.content.decode()
    assert answer.url == booking.get_absolute_url()
    assert booking.state == "confirmed"


def test_a_detail_of_a_hold_leads_to_its_checkout_and_back():
    booking = make_booking(state="held")
    client = client_of(booking.owner)

    assert client.get(reverse("bookings:detail", args=[booking.reference])).url.endswith("/checkout/")
    client.post(reverse("bookings:place", args=[booking.reference]))
    assert client.get(reverse("bookings:checkout", args=[booking.reference])).url == booking.get_absolute_url()


def test_placing_after_the_time_has_run_out_says_so():
    booking = make_booking(state="held")

    with time_machine.travel(NOW + timedelta(minutes=16), tick=False):
        answer = client_of(booking.owner).post(reverse("bookings:place", args=[booking.reference]))

    booking.refresh_from_db()
    assert answer.status_code == 302
    assert booking.state == "held"


def test_nobody_else_places_a_hold():
    booking = make_booking(state="held")

    assert client_of(manager_of(booking)).post(reverse("bookings:place", args=[booking.reference])).status_code == 404
    assert Client().post(reverse("bookings:place", args=[booking.reference])).status_code == 302
    booking.refresh_from_db()
    assert booking.state == "held"


def test_moving_offers_free_times_and_moves():
    booking = make_booking()
    client = client_of(booking.owner)
    url = reverse("bookings:move", args=[booking.reference])

    page = client.get(url)
    slot = page.context["slot_days"][1]["slots"][0]["value"]
    answer = client.post(url, {"slot": slot})

    booking.refresh_from_db()
    assert answer.url == booking.get_absolute_url()
    assert booking.starts_at.isoformat() == slot.split("/")[0]
    assert booking.events.last().action == "reschedule"


def test_moving_to_a_wall_clock_time_means_that_of_the_branch():
    booking = make_booking()

    client_of(booking.owner).post(reverse("bookings:move", args=[booking.reference]), {"start": "2026-11-19T10:00"})

    booking.refresh_from_db()
    assert booking.starts_at.isoformat() == "2026-11-19T09:00:00+00:00"


def test_moving_onto_another_booking_offers_the_nearest_times():
    service = make_service(is_instant=True)
    taken = make_booking(service, starts_at=NOW + timedelta(days=2, hours=6))
    booking = make_booking(service)

    answer = client_of(booking.owner).post(
        reverse("bookings:move", args=[booking.reference]), {"start": taken.starts_at.isoformat()}
    )

    booking.refresh_from_db()
    assert answer.status_code == 409
    assert booking.starts_at == NOW + timedelta(days=1, hours=6)
    assert answer.context["alternatives"]
    assert 'name="slot"' in answer.content.decode()


@pytest.mark.parametrize(
    "data",
    [{}, {"start": "soon"}, {"start": "0001-01-01T00:00"}, {"slot": "x"}, {"slot": "2026-11-19T10:00Z"},
     {"start": "2027-03-28T02:30"}, {"resource": "x", "start": "2026-11-19T10:00"}],
)  # fmt: skip
def test_moving_to_nonsense_is_refused_with_a_word(data):
    booking = make_booking()

    answer = client_of(booking.owner).post(reverse("bookings:move", args=[booking.reference]), data)

    assert answer.status_code == 400
    assert answer.context["form"].errors
    assert Booking.objects.get().starts_at == NOW + timedelta(days=1, hours=6)


def test_what_is_over_cannot_be_moved():
    booking = make_booking(state="completed")

    answer = client_of(booking.owner).get(reverse("bookings:move", args=[booking.reference]))

    assert answer.url == booking.get_absolute_url()


def test_the_times_alone_come_for_htmx():
    booking = make_booking()

    answer = client_of(booking.owner).get(
        reverse("bookings:move", args=[booking.reference]),
        {"day": "2026-11-23"},
        headers={"HX-Request": "true", "HX-Target": "times"},
    )

    text = answer.content.decode()
    assert "Mon, Nov 23" in text
    assert "<html" not in text


def test_a_stay_is_moved_by_its_dates():
    branch = make_branch()
    make_resource(branch, kind="kennel")
    service = make_service(branch, kind="boarding", is_overnight=True, is_instant=True)
    start = NOW + timedelta(days=2, hours=6)
    booking = make_booking(service, starts_at=start, ends_at=start + timedelta(days=2, hours=-4))
    url = reverse("bookings:move", args=[booking.reference])

    wrong = client_of(booking.owner).post(url, {"check_in": "2026-11-25", "check_out": "2026-11-25"})
    right = client_of(booking.owner).post(url, {"check_in": "2026-11-25", "check_out": "2026-11-27"})

    booking.refresh_from_db()
    assert wrong.status_code == 400
    assert right.status_code == 302, right.context["form"].errors
    assert booking.starts_at.isoformat() == "2026-11-25T14:00:00+00:00"


def test_a_finished_visit_asks_for_a_review_for_two_weeks():
    booking = make_booking(state="completed")
    url = reverse("bookings:detail", args=[booking.reference])
    review = reverse("reviews:write", args=[booking.reference])
    client = client_of(booking.owner)

    with time_machine.travel(booking.ends_at + timedelta(days=1), tick=False):
        assert review in client.get(url).content.decode()
        assert [one.pk for one in client.get(reverse("bookings:home")).context["to_review"]] == [booking.pk]
    with time_machine.travel(booking.ends_at + timedelta(days=15), tick=False):
        assert review not in client.get(url).content.decode()


def test_one_booking_comes_as_a_calendar_file():
    booking = make_booking()

    answer = client_of(booking.owner).get(reverse("bookings:calendar_file", args=[booking.reference]))

    assert answer["Content-Type"].startswith("text/calendar")
    assert answer.content.count(b"BEGIN:VEVENT") == 1


def test_a_declined_request_shows_the_reason():
    booking = make_booking(state="pending")
    lifecycle.decline(booking, by=manager_of(booking), reason="On holiday.", now=NOW)

    text = client_of(booking.owner).get(booking.get_absolute_url()).content.decode()

    assert "On holiday." in text
    assert "Nothing is to be paid." in text


def test_archived_pets_and_their_vaccines_are_not_shown():
    pet = PetFactory(archived_at=NOW)
    VaccinationFactory(pet=pet, valid_until=date(2026, 11, 1))

    answer = client_of(pet.owner).get(reverse("bookings:home"))

    assert answer.context["vaccines"] == []
