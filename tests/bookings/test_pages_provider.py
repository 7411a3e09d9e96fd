"""The provider's pages: the day, requests, bookings and the steps of a visit."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings.models import Booking
from providers.domain import team
from tests.bookings.doors import client_of, queries_of
from tests.factories import (
    NOW,
    PetFactory,
    StaffFactory,
    UserFactory,
    make_booking,
    make_branch,
    make_provider,
    make_resource,
    make_service,
    manager_of,
)

pytestmark = pytest.mark.django_db
START = NOW + timedelta(days=1, hours=6)


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def page(name, booking, *more):
    return reverse(f"provider:{name}", args=[booking.provider.slug, *more])


def step(booking, verb):
    name = "step" if verb in ("accept", "start", "complete") else "reasoned_step"
    return reverse(f"provider:{name}", args=[booking.provider.slug, booking.reference, verb])


def test_today_shows_the_visits_of_the_day_in_the_branchs_zone():
    booking = make_booking()
    client = client_of(manager_of(booking))

    today = client.get(page("today", booking))
    tomorrow = client.get(page("today", booking), {"date": "2026-11-18"})

    assert today.context["visits"] == []
    assert [visit["booking"] for visit in tomorrow.context["visits"]] == [booking]
    assert tomorrow.context["counts"] == {"visits": 1, "under_way": 0, "done": 0, "pets": 1, "requests": 0}
    assert "Europe/Berlin" in tomorrow.content.decode()


def test_today_takes_the_day_of_the_branch_not_of_the_reader():
    branch = make_branch(time_zone="Asia/Almaty", country="KZ")
    make_resource(branch)
    booking = make_booking(make_service(branch), starts_at=NOW + timedelta(hours=12))  # 01:00 tomorrow in Almaty
    client = client_of(manager_of(booking))

    assert client.get(page("today", booking), {"date": "2026-11-17"}).context["visits"] == []
    assert len(client.get(page("today", booking), {"date": "2026-11-18"}).context["visits"]) == 1


def test_today_of_a_provider_without_a_branch_says_what_to_do():
    provider = make_provider()

    answer = client_of(provider.memberships.get().user).get(reverse("provider:today", args=[provider.slug]))

    assert "No branch yet" in answer.content.decode()


@pytest.mark.parametrize("query", [{"date": "soon"}, {"date": "0001-01-01"}, {"branch": "x"}, {"view": "month"}])
@pytest.mark.parametrize("name", ["today", "calendar"])
def test_nonsense_in_the_address_shows_today(name, query):
    booking = make_booking()

    answer = client_of(manager_of(booking)).get(page(name, booking), query)

    assert answer.status_code == 200
    assert answer.context["day"].isoformat() == "2026-11-17"


def test_requests_show_the_time_that_is_left_and_can_be_accepted():
    booking = make_booking(state="pending", note="Is Anna there?")
    client = client_of(manager_of(booking))

    answer = client.get(page("requests", booking))
    done = client.post(step(booking, "accept"), {"next": page("requests", booking)})

    booking.refresh_from_db()
    text = answer.content.decode()
    assert [item["booking"] for item in answer.context["items"]] == [booking]
    assert "24 h left" in text
    assert "Is Anna there?" in text
    assert step(booking, "accept") in text
    assert done.url == page("requests", booking)
    assert booking.state == "confirmed"


def test_coming_back_never_leaves_the_site():
    booking = make_booking(state="pending")

    done = client_of(manager_of(booking)).post(step(booking, "accept"), {"next": "https://evil.test/"})

    assert done.url == page("booking", booking, booking.reference)


def test_declining_needs_a_reason():
    booking = make_booking(state="pending")
    client = client_of(manager_of(booking))

    form = client.get(step(booking, "decline"))
    refused = client.post(step(booking, "decline"), {"reason": " "})
    done = client.post(step(booking, "decline"), {"reason": "No room."})

    booking.refresh_from_db()
    assert "Decline the request" in form.content.decode()
    assert refused.status_code == 400
    assert "Tell the owner" in refused.content.decode()
    assert done.status_code == 302
    assert booking.state == "declined"
    assert booking.events.last().reason == "No room."


def test_a_visit_is_started_and_finished():
    booking = make_booking()
    client = client_of(manager_of(booking))

    with time_machine.travel(START, tick=False):
        client.post(step(booking, "start"))
        state = Booking.objects.get().state
        client.post(step(booking, "complete"))

    booking.refresh_from_db()
    assert state == "in_progress"
    assert booking.state == "completed"


def test_a_no_show_names_the_fee_first():
    booking = make_booking()
    client = client_of(manager_of(booking))

    with time_machine.travel(START + timedelta(minutes=30), tick=False):
        form = client.get(step(booking, "no-show"))
        client.post(step(booking, "no-show"), {"reason": "Waited half an hour."})

    booking.refresh_from_db()
    assert "€12.50 stays to be paid" in form.content.decode()
    assert booking.state == "no_show"


def test_a_providers_cancellation_costs_the_owner_nothing():
    booking = make_booking()
    client = client_of(manager_of(booking))

    form = client.get(step(booking, "cancel"))
    client.post(step(booking, "cancel"), {"reason": "Flu."})

    booking.refresh_from_db()
    assert "pays nothing" in form.content.decode()
    assert (booking.state, booking.cancel_reason) == ("cancelled", "by_provider")
    assert booking.invoice.state == "void"


@pytest.mark.parametrize(
    ("state", "verb"),
    [("confirmed", "accept"), ("pending", "start"), ("confirmed", "complete"), ("completed", "start"),
     ("confirmed", "decline"), ("completed", "cancel"), ("declined", "no-show")],
)  # fmt: skip
def test_a_step_out_of_order_changes_nothing_and_says_so(state, verb):
    booking = make_booking(state=state)

    answer = client_of(manager_of(booking)).post(step(booking, verb), {"reason": "x"}, follow=True)

    booking.refresh_from_db()
    assert booking.state == state
    assert [message.level_tag for message in answer.context["messages"]] == ["error"]


def test_the_page_of_a_step_that_is_not_possible_leads_back():
    booking = make_booking()

    answer = client_of(manager_of(booking)).get(step(booking, "decline"))

    assert answer.url == page("booking", booking, booking.reference)


@pytest.mark.parametrize("verb", ["accept", "start", "complete"])
def test_steps_are_posts(verb):
    booking = make_booking(state="pending")

    assert client_of(manager_of(booking)).get(step(booking, verb)).status_code == 405


def test_every_page_is_the_teams_alone():
    booking = make_booking()
    stranger, other = UserFactory(), make_provider(name="Other").memberships.get().user
    urls = [
        *(page(name, booking) for name in ("today", "requests", "calendar", "calendar_events", "bookings")),
        page("booking", booking, booking.reference),
        page("move", booking, booking.reference),
        step(booking, "cancel"),
    ]

    for url in urls:
        assert Client().get(url).status_code == 302
        for user in (stranger, other, booking.owner):
            assert client_of(user).get(url).status_code == 404


def test_every_step_is_the_teams_alone():
    booking = make_booking(state="pending")
    urls = [step(booking, verb) for verb in ("accept", "start", "complete", "decline", "cancel", "no-show")]
    urls.append(reverse("provider:calendar_move", args=[booking.provider.slug, booking.reference]))

    for url in urls:
        assert Client().post(url).status_code == 302
        for user in (UserFactory(), booking.owner):
            assert client_of(user).post(url, {"reason": "x", "start": "2026-11-19T10:00"}).status_code == 404
    booking.refresh_from_db()
    assert booking.state == "pending"


def test_another_providers_booking_is_not_there_under_ones_own_name():
    booking, own = make_booking(), make_provider(name="Mine")
    user = own.memberships.get().user

    assert client_of(user).get(reverse("provider:booking", args=[own.slug, booking.reference])).status_code == 404


def test_a_member_of_staff_sees_the_bookings_and_accepts():
    booking = make_booking(state="pending")
    helper = UserFactory()
    team.add(booking.provider, email=helper.email, role="staff", by=manager_of(booking))

    answer = client_of(helper).post(step(booking, "accept"))

    booking.refresh_from_db()
    assert answer.status_code == 302
    assert booking.state == "confirmed"


def test_what_is_only_held_is_nobodys_business_yet():
    booking = make_booking(state="held")
    client = client_of(manager_of(booking))

    assert client.get(page("booking", booking, booking.reference)).status_code == 404
    assert list(client.get(page("bookings", booking)).context["page"]) == []
    assert (
        b"BK-" not in client.get(page("calendar_events", booking), {"start": "2026-11-16", "end": "2026-11-23"}).content
    )


def test_the_list_filters_by_state_dates_service_and_words():
    service = make_service(is_instant=True)
    owner = UserFactory(full_name="Ada Lovelace")
    first = make_booking(service, owner=owner, pets=[PetFactory(owner=owner, name="Rex")])
    second = make_booking(service, starts_at=START + timedelta(days=7))
    third = make_booking(service, starts_at=START + timedelta(days=14), state="cancelled")
    client = client_of(manager_of(first))

    def found(**query):
        return set(client.get(page("bookings", first), query).context["page"])

    assert found() == {first, second, third}
    assert found(state="cancelled") == {third}
    assert found(date_from="2026-11-20", date_to="2026-11-26") == {second}
    assert found(service=str(service.uid)) == {first, second, third}
    assert found(q="lovelace") == {first}
    assert found(q="rex") >= {first}
    assert found(q=second.reference.lower()) == {second}


@pytest.mark.parametrize(
    "query",
    [{"state": "held"}, {"state": "x"}, {"service": "x"}, {"date_from": "soon"}, {"q": "x" * 100},
     {"date_from": "2026-11-20", "date_to": "2026-11-01"}],
)  # fmt: skip
def test_a_wrong_filter_is_named_and_finds_nothing(query):
    booking = make_booking()

    answer = client_of(manager_of(booking)).get(page("bookings", booking), query)

    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert list(answer.context["page"]) == []


def test_the_detail_shows_the_pets_care_notes_from_confirmation_until_two_weeks_after_the_end():
    owner = UserFactory()
    pet = PetFactory(owner=owner, medication_notes="Insulin at 18:00")
    service = make_service(is_instant=False)
    booking = make_booking(service, owner=owner, pets=[pet], state="pending")
    client, url = client_of(manager_of(booking)), page("booking", booking, booking.reference)

    before = client.get(url).content.decode()
    client.post(step(booking, "accept"))
    after = client.get(url).content.decode()
    with time_machine.travel(booking.ends_at + timedelta(days=15), tick=False):
        later = client.get(url).content.decode()

    assert "Insulin" not in before
    assert "Insulin" in after
    assert "Insulin" not in later


def test_the_detail_never_shows_the_owners_address_of_mail():
    booking = make_booking()

    text = client_of(manager_of(booking)).get(page("booking", booking, booking.reference)).content.decode()

    assert booking.owner.get_full_name() in text
    assert booking.owner.email not in text


def test_the_provider_moves_by_form_without_asking_again():
    booking = make_booking(make_service(is_instant=False))
    client = client_of(manager_of(booking))
    url = page("move", booking, booking.reference)

    form = client.get(url)
    done = client.post(url, {"start": "2026-11-19T10:00"})

    booking.refresh_from_db()
    assert form.status_code == 200
    assert done.url == page("booking", booking, booking.reference)
    assert (booking.state, booking.starts_at.isoformat()) == ("confirmed", "2026-11-19T09:00:00+00:00")


@pytest.mark.parametrize("name", ["today", "requests", "bookings", "calendar", "calendar_events"])
def test_a_list_asks_the_same_number_of_queries_for_many(name):
    service = make_service(is_instant=False)
    for _ in range(3):
        make_resource(service.branch)
    booking = make_booking(service, state="pending")
    second = make_booking(service, state="confirmed")
    client, url = client_of(manager_of(booking)), page(name, booking)
    query = {"date": "2026-11-18", "start": "2026-11-16", "end": "2026-11-23"}
    query = {} if name in ("requests", "bookings") else query
    few = queries_of(client, url, **query)

    for hours in (1, 2, 3):
        make_booking(service, state="pending", starts_at=START + timedelta(hours=hours))
        make_booking(service, state="confirmed", starts_at=START + timedelta(hours=hours))

    assert second.provider == booking.provider
    assert queries_of(client, url, **query) == few


def test_site_staff_have_no_key_to_a_providers_pages():
    booking = make_booking()

    assert client_of(StaffFactory()).get(page("today", booking)).status_code == 404
