"""Booking in four steps, from an anonymous look at the price to a placed booking."""

from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from bookings.models import Booking
from pets.models import Pet
from tests.bookings.doors import client_of
from tests.factories import (
    NOW,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    make_branch,
    make_provider,
    make_resource,
    make_service,
)

pytestmark = pytest.mark.django_db
START = (NOW + timedelta(days=1, hours=6)).isoformat()


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def book_url(service):
    return reverse("bookings:book", args=[service.uid])


def hold_url(service):
    return reverse("bookings:hold", args=[service.uid])


def templates_of(answer):
    return next(template.name for template in answer.templates if template.name.startswith("bookings/flow/"))


# --- without an account -------------------------------------------------------------------------


def test_a_stranger_is_asked_for_the_kind_and_number_of_pets():
    service = make_service()

    answer = Client().get(book_url(service))

    text = answer.content.decode()
    assert templates_of(answer) == "bookings/flow/pets.html"
    assert 'name="species" value="dog"' in text
    assert 'name="pets"' in text
    assert "€25.00" in text


def test_a_stranger_sees_real_times_each_a_link_to_the_price():
    service = make_service()
    make_booking(service, starts_at=NOW + timedelta(days=1, hours=6))

    answer = Client().get(book_url(service), {"step": "time", "species": "dog", "pets": "2"})

    tomorrow = answer.context["slot_days"][1]
    labels = [slot["label"] for slot in tomorrow["slots"]]
    assert tomorrow["label"] == "Wed, Nov 18"
    assert "15:00" not in labels
    assert {"14:30", "15:30"} <= set(labels)
    link = parse_qs(urlsplit(tomorrow["slots"][0]["href"]).query)
    assert link["step"] == ["extras"]
    assert link["species"] == ["dog"]
    assert link["pets"] == ["2"]


def test_a_stranger_sees_the_whole_price_and_the_refund_table_before_signing_in():
    service = make_service(extra_pet_price=500, addons=[("Photos", 300)])
    query = {"step": "extras", "species": "dog", "pets": "2", "start": START, "addon": str(service.addons.get().uid)}

    answer = Client().get(book_url(service), query)

    text = answer.content.decode()
    assert templates_of(answer) == "bookings/flow/extras.html"
    assert answer.context["price"].total == 3300
    assert "€33.00" in text
    assert "Photos" in text
    assert "if nobody comes" in text
    assert reverse("account_signup") in text


def test_the_way_to_sign_in_leads_back_to_the_choice():
    service = make_service()
    answer = Client().get(book_url(service), {"step": "extras", "species": "dog", "pets": "2", "start": START})

    back = parse_qs(urlsplit(answer.context["login_url"]).query)["next"][0]
    choice = parse_qs(urlsplit(back).query)

    assert urlsplit(back).path == book_url(service)
    assert choice["step"] == ["extras"]
    assert choice["start"] == [START]
    assert choice["pets"] == ["2"]


def test_after_signing_in_the_only_pet_that_fits_is_chosen():
    service = make_service()
    pet = PetFactory()
    PetFactory(owner=pet.owner, species="bird")

    answer = client_of(pet.owner).get(
        book_url(service), {"step": "extras", "species": "dog", "pets": "1", "start": START}
    )

    assert templates_of(answer) == "bookings/flow/extras.html"
    assert answer.context["choice"].pets == (pet,)


def test_after_signing_in_with_several_pets_one_is_asked_and_the_time_stays():
    service = make_service()
    pet = PetFactory()
    PetFactory(owner=pet.owner)

    answer = client_of(pet.owner).get(
        book_url(service), {"step": "extras", "species": "dog", "pets": "1", "start": START}
    )

    assert templates_of(answer) == "bookings/flow/pets.html"
    assert ("start", START) in answer.context["kept_for_pets"]
    assert '<input type="hidden" name="step" value="extras">' in answer.content.decode()


def test_holding_without_an_account_asks_to_sign_in_and_keeps_the_note():
    service = make_service()
    client = Client()

    answer = client.post(hold_url(service), {"species": "dog", "pets": "1", "start": START, "note": "Ring twice."})

    assert answer.url.startswith(reverse("account_login"))
    owner = UserFactory()
    pet = PetFactory(owner=owner)
    client.force_login(owner)
    page = client.get(book_url(service), {"step": "extras", "pet": str(pet.uid), "start": START})
    assert "Ring twice." in page.content.decode()
    assert not Booking.objects.exists()


# --- with one -----------------------------------------------------------------------------------


def test_own_pets_can_be_ticked_and_those_that_cannot_come_say_why():
    service = make_service(max_weight_kg=20)
    pet = PetFactory(name="Rex")
    heavy = PetFactory(owner=pet.owner, name="Bruno", weight_kg="40")
    bird = PetFactory(owner=pet.owner, name="Coco", species="bird")
    PetFactory(name="Somebody else's")

    answer = client_of(pet.owner).get(book_url(service))

    options = {one["pet"]: one["obstacle"] for one in answer.context["own_pets"]}
    assert options == {
        pet: "",
        heavy: "Bruno is too heavy: this service takes pets up to 20 kg.",
        bird: "Coco cannot come: this service takes dog and cat.",
    }
    assert "Somebody else" not in answer.content.decode()


def test_a_pet_can_be_added_on_the_way():
    service = make_service()
    owner = UserFactory()

    answer = client_of(owner).post(
        reverse("bookings:quick_pet", args=[service.uid]),
        {"start": START, "new-name": "Rex", "new-species": "dog", "new-weight_kg": "12.5"},
    )

    pet = Pet.objects.get()
    query = parse_qs(urlsplit(answer.url).query)
    assert (pet.owner, pet.name, str(pet.weight_kg)) == (owner, "Rex", "12.50")
    assert query["pet"] == [str(pet.uid)]
    assert query["start"] == [START]


def test_a_pet_added_with_mistakes_is_not_saved_and_what_was_typed_stays():
    service = make_service()

    answer = client_of(UserFactory()).post(
        reverse("bookings:quick_pet", args=[service.uid]),
        {"new-name": "Rex", "new-species": "dragon", "new-weight_kg": "-3"},
    )

    assert answer.status_code == 400
    assert set(answer.context["pet_form"].errors) == {"species", "weight_kg"}
    assert 'value="Rex"' in answer.content.decode()
    assert not Pet.objects.exists()


def test_adding_a_pet_needs_an_account():
    service = make_service()

    answer = Client().post(reverse("bookings:quick_pet", args=[service.uid]), {"new-name": "Rex"})

    assert answer.url.startswith(reverse("account_login"))
    assert not Pet.objects.exists()


def test_a_time_is_held_with_extras_and_note_and_then_booked():
    service = make_service(is_instant=False, addons=[("Photos", 300), ("Bath", 900)])
    pet = PetFactory()
    client = client_of(pet.owner)
    addon = service.addons.get(name="Photos")

    held = client.post(
        hold_url(service),
        {"pet": str(pet.uid), "start": START, "addon": str(addon.uid), "note": "Ring twice."},
    )
    booking = Booking.objects.get()
    state_before = booking.state
    placed = client.post(reverse("bookings:place", args=[booking.reference]), follow=True)

    booking.refresh_from_db()
    assert held.url == reverse("bookings:checkout", args=[booking.reference])
    assert (state_before, booking.state) == ("held", "pending")
    assert (booking.note, booking.total) == ("Ring twice.", 2800)
    assert list(booking.pets.all()) == [pet]
    assert "to answer" in placed.content.decode()


def test_a_person_can_be_asked_for_by_name():
    branch = make_branch()
    anna = make_resource(branch, name="Anna")
    service = make_service(branch)
    pet = PetFactory()
    client = client_of(pet.owner)
    query = {"pet": str(pet.uid), "start": START, "person": str(anna.uid)}

    page = client.get(book_url(service), {"step": "extras", **query})
    client.post(hold_url(service), query)

    booking = Booking.objects.get()
    assert len(page.context["persons"]) == 2
    assert [one.resource for one in booking.allocations.all()] == [anna]
    assert booking.asked_resource == anna


def test_a_missing_vaccination_is_named_with_the_way_to_add_it():
    service = make_service(required_vaccines=["rabies"])
    pet = PetFactory(name="Rex")
    VaccinationFactory(pet=pet, vaccine="rabies", given_on=date(2025, 1, 1), valid_until=date(2026, 11, 17))

    answer = client_of(pet.owner).get(book_url(service), {"step": "extras", "pet": str(pet.uid), "start": START})

    messages = [problem["message"] for problem in answer.context["problems"]]
    assert len(messages) == 1
    assert "17 Nov 2026" in messages[0]
    assert "Rabies" in messages[0]
    assert "passport" in answer.content.decode()


def test_a_vaccination_problem_is_refused_when_holding_too():
    service = make_service(required_vaccines=["rabies"])
    pet = PetFactory()

    answer = client_of(pet.owner).post(hold_url(service), {"pet": str(pet.uid), "start": START, "note": "Hi"})

    assert answer.status_code == 409
    assert "no vaccination on record" in answer.content.decode()
    assert not Booking.objects.exists()


def test_a_taken_time_offers_the_nearest_and_loses_nothing():
    service = make_service(addons=[("Photos", 300)])
    addon = service.addons.get()
    make_booking(service)
    pet = PetFactory()
    client = client_of(pet.owner)
    form = {"pet": str(pet.uid), "start": START, "addon": str(addon.uid), "note": "Ring twice."}

    refused = client.post(hold_url(service), form)
    other = refused.context["alternatives"][0]["value"]
    held = client.post(hold_url(service), form | {"alternative": other})

    text = refused.content.decode()
    assert refused.status_code == 409
    assert "Ring twice." in text
    assert f'name="addon" value="{addon.uid}"' in text
    assert held.status_code == 302
    booking = Booking.objects.get(owner=pet.owner)
    assert booking.starts_at.isoformat() == other.split("/")[0]
    assert booking.note == "Ring twice."
    assert booking.total == 2800


def test_other_peoples_pets_cannot_be_booked_for():
    service = make_service()
    victim = PetFactory(name="Secret")

    answer = client_of(UserFactory()).post(hold_url(service), {"pet": str(victim.uid), "start": START})

    assert answer.status_code == 400
    assert "Secret" not in answer.content.decode()
    assert not Booking.objects.exists()


def test_a_note_that_is_too_long_stays_to_be_shortened():
    service = make_service()
    pet = PetFactory()

    answer = client_of(pet.owner).post(hold_url(service), {"pet": str(pet.uid), "start": START, "note": "x" * 2001})

    assert answer.status_code == 400
    assert "x" * 2001 in answer.content.decode()
    assert not Booking.objects.exists()


@pytest.mark.parametrize(
    "query",
    [
        {"start": "soon"},
        {"start": "9999-12-31T23:59:59Z"},
        {"start": "2027-03-28T02:30"},
        {"start": "2026-11-10T10:00"},
        {"pets": "10000"},
        {"pets": "-1"},
        {"pets": "\u0661"},
        {"species": "dragon"},
        {"pet": "x"},
        {"pet": "00000000-0000-0000-0000-000000000000"},
        {"addon": "x"},
        {"person": "x"},
        {"alternative": "x/y"},
        {"day": "0001-01-01"},
        {"day": "soon"},
        {"step": "nonsense"},
    ],
)
@pytest.mark.parametrize("step", ["pets", "time", "extras"])
def test_nonsense_in_the_address_is_never_an_error(query, step):
    service = make_service(max_pets=1)
    usual = {"step": step, "species": "dog", "pets": "1", "start": START}

    assert Client().get(book_url(service), usual | query).status_code == 200


def test_a_time_in_the_gap_of_the_clocks_is_explained():
    service = make_service()

    answer = Client().get(
        book_url(service), {"step": "time", "species": "dog", "pets": "1", "start": "2027-03-28T02:30"}
    )

    assert "does not exist" in answer.context["time_errors"][0]


def test_a_past_time_is_named_before_anyone_signs_in():
    service = make_service()

    answer = Client().get(
        book_url(service), {"step": "extras", "species": "dog", "pets": "1", "start": "2026-11-10T10:00"}
    )

    assert [one["message"] for one in answer.context["problems"]] == ["This time has passed. Choose a later one."]


def test_holding_without_a_time_asks_for_it():
    service = make_service()
    pet = PetFactory()

    answer = client_of(pet.owner).post(hold_url(service), {"pet": str(pet.uid), "step": "time"})

    assert answer.status_code == 400


@pytest.mark.parametrize("state", ["draft", "submitted", "suspended"])
def test_only_what_can_be_booked_has_a_way_to_book_it(state):
    service = make_service(make_branch(make_provider(state=state)))

    assert Client().get(book_url(service)).status_code == 404
    assert client_of(UserFactory()).post(hold_url(service)).status_code == 404


def test_opening_a_step_writes_nothing():
    service = make_service()
    pet = PetFactory()

    client_of(pet.owner).get(book_url(service), {"step": "extras", "pet": str(pet.uid), "start": START})
    answer = client_of(pet.owner).get(hold_url(service))

    assert answer.status_code == 405
    assert not Booking.objects.exists()


def test_the_week_alone_comes_for_htmx():
    service = make_service()

    answer = Client().get(
        book_url(service),
        {"step": "time", "species": "dog", "pets": "1", "day": "2026-11-23"},
        headers={"HX-Request": "true", "HX-Target": "times"},
    )

    assert "<html" not in answer.content.decode()
    assert answer.context["first"] == date(2026, 11, 23)
    assert answer.context["earlier_url"]
    assert answer.context["later_url"]


# --- stays --------------------------------------------------------------------------------------


@pytest.fixture
def boarding():
    branch = make_branch()
    make_resource(branch, kind="kennel")
    return make_service(branch, kind="boarding", is_overnight=True, price=4000, minimum_notice_minutes=0)


def test_a_stay_is_chosen_by_its_dates(boarding):
    pet = PetFactory()

    answer = client_of(pet.owner).get(
        book_url(boarding),
        {"step": "extras", "pet": str(pet.uid), "check_in": "2026-11-20", "check_out": "2026-11-23"},
    )

    assert answer.context["price"].total == 12000
    assert answer.context["choice"].starts_at.isoformat() == "2026-11-20T14:00:00+00:00"


def test_free_nights_are_links(boarding):
    answer = Client().get(book_url(boarding), {"step": "time", "species": "dog", "pets": "1"})

    first = answer.context["slot_days"][1]["slots"][0]
    assert first["label"] == "to Thu, Nov 19"
    assert len(answer.context["slot_days"]) == 14


def test_a_stay_that_ends_before_it_begins_is_explained(boarding):
    answer = Client().get(
        book_url(boarding),
        {"step": "time", "species": "dog", "pets": "1", "check_in": "2026-11-23", "check_out": "2026-11-20"},
    )

    assert answer.context["time_errors"] == ["Check-out is on a later day than check-in."]


def test_a_taken_stay_offers_other_nights(boarding):
    start = NOW + timedelta(days=3, hours=6)
    make_booking(boarding, starts_at=start, ends_at=start + timedelta(days=2, hours=-4), state="held")
    pet = PetFactory()

    answer = client_of(pet.owner).post(
        hold_url(boarding), {"pet": str(pet.uid), "check_in": "2026-11-20", "check_out": "2026-11-22"}
    )

    assert answer.status_code == 409
    assert answer.context["alternatives"]


def test_an_unproven_address_of_mail_is_asked_for_and_the_note_waits(settings):
    service = make_service()
    pet = PetFactory()
    client = client_of(pet.owner)
    settings.REQUIRE_VERIFIED_EMAIL = True

    answer = client.post(hold_url(service), {"pet": str(pet.uid), "start": START, "note": "Ring twice."})

    assert answer.url == reverse("account_email")
    assert client.session[f"booking-note-{service.uid}"] == "Ring twice."
    assert not Booking.objects.exists()
