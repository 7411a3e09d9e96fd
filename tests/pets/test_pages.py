"""Pages of pets: the owner's, and what others get to see."""

import datetime as dt
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from bookings.models import Booking
from pets import domain
from pets.models import CareRecord, Pet, Vaccination
from tests import uploads_corpus as corpus
from tests.factories import (
    NOW,
    CareRecordFactory,
    PetFactory,
    StaffFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    manager_of,
)
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def owner(client):
    user = UserFactory()
    client.force_login(user)
    return user


@pytest.fixture
def pet(owner):
    return PetFactory(owner=owner, name="Rex", photo="")


def url(name, *rows):
    return reverse(f"pets:{name}", args=[getattr(row, "uid", row) for row in rows])


def upload(data=None, name="a.jpg"):
    return SimpleUploadedFile(name, data or corpus.photo())


PET = {"name": "Rex", "species": "dog", "sex": "male"}


# --- The list -----------------------------------------------------------------------------------


def test_list_shows_own_pets_with_facts_and_the_state_of_vaccines(client, owner):
    pet = PetFactory(owner=owner, name="Rex", breed="Beagle")
    VaccinationFactory(pet=pet, given_on=TODAY - 300 * DAY, valid_until=TODAY + 300 * DAY)
    VaccinationFactory(pet=pet, vaccine="dhpp", given_on=TODAY - 300 * DAY, valid_until=TODAY + 3 * DAY)
    PetFactory(name="Foreign")

    response = client.get(url("list"))

    [card] = response.context["cards"]
    assert (card["pet"], card["facts"], card["badge_label"]) == (pet, "Dog, Beagle, 12.5 kg", "Vaccine ends soon")
    assert "/static/img/species/dog.svg" in response.content.decode()


@pytest.mark.parametrize(("until", "label"), [(TODAY + 300 * DAY, "Vaccines valid"), (TODAY - DAY, "Vaccine expired")])
def test_list_says_how_vaccines_stand(client, pet, until, label):
    VaccinationFactory(pet=pet, given_on=TODAY - 300 * DAY, valid_until=until)

    assert client.get(url("list")).context["cards"][0]["badge_label"] == label


def test_list_keeps_archived_pets_apart(client, pet):
    domain.archive(pet, now=NOW)

    context = client.get(url("list")).context

    assert (context["cards"], [card["pet"] for card in context["archived"]]) == ([], [pet])


def test_list_without_pets_says_what_to_do(client, owner):
    assert "Who lives with you?" in client.get(url("list")).content.decode()


def test_list_asks_the_same_for_one_and_many(client, pet):
    VaccinationFactory(pet=pet)

    def more():
        for _ in range(4):
            VaccinationFactory(pet=PetFactory(owner=pet.owner))

    assert_constant(lambda: client.get(url("list")), more)


# --- Add, edit, put away ------------------------------------------------------------------------


def test_add_a_pet_with_a_photo(client, owner, tmp_path):
    response = client.post(url("create"), {**PET, "weight_kg": "12.5", "photo": upload(corpus.photo_with_place())})

    pet = Pet.objects.get()
    assert response.url == pet.get_absolute_url()
    assert (pet.owner, pet.name, float(pet.weight_kg)) == (owner, "Rex", 12.5)
    [stored] = tmp_path.rglob("*.jpg")
    assert b"SECRET" not in stored.read_bytes()


def test_add_goes_back_to_where_it_was_asked_for(client, owner):
    assert client.get(url("create"), {"next": "/bookings/"}).context["next"] == "/bookings/"
    assert client.post(url("create"), {**PET, "next": "/bookings/?a=1"}).url == "/bookings/?a=1"


@pytest.mark.parametrize("next_url", ["//evil.test/", "https://evil.test/", "/\\evil.test", "javascript:alert(1)"])
def test_add_never_leaves_the_site(client, owner, next_url):
    assert client.post(url("create"), {**PET, "next": next_url}).url == Pet.objects.get().get_absolute_url()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "a\0b", "Null characters are not allowed."),
        ("species", "dragon", "Select a valid choice. dragon is not one of the available choices."),
        ("weight_kg", "-1", "Ensure this value is greater than or equal to 0.01."),
        ("weight_kg", "1501", "Ensure this value is less than or equal to 1500."),
        ("weight_kg", "heavy", "Enter a number."),
        ("birth_date", "2030-01-01", "Enter a day in the past."),
        ("birth_date", "31.12.2020x", "Enter a valid date."),
        ("microchip", "12 34", "A microchip number has 9 to 23 digits or letters, without spaces."),
    ],
)
def test_add_puts_the_message_beside_the_field(client, owner, field, value, message):
    response = client.post(url("create"), {**PET, field: value})

    assert response.context["form"].errors[field] == [message]
    assert not Pet.objects.exists()


def test_add_refuses_a_photo_that_is_none(client, owner):
    response = client.post(url("create"), {**PET, "photo": upload(corpus.SVG, "a.png")})

    assert "not a photo that we can read" in response.content.decode()
    assert not Pet.objects.exists()


def test_add_says_when_there_are_too_many(client, pet, settings):
    settings.PETS_PER_OWNER = 1

    response = client.post(url("create"), PET)

    assert response.context["form"].non_field_errors() == ["You can have 1 pets here at most."]


def test_edit_changes_the_pet_and_leaves_the_photo(client, pet, tmp_path):
    client.post(url("edit", pet), {**PET, "photo": upload()})
    stored = Pet.objects.get().photo.name

    response = client.post(url("edit", pet), {**PET, "name": "Max", "feeding_notes": "No chicken"})

    assert response.url == pet.get_absolute_url()
    assert Pet.objects.values_list("name", "feeding_notes", "photo").get() == ("Max", "No chicken", stored)


@pytest.mark.django_db(transaction=True)
def test_edit_can_take_the_photo_away(client, pet, tmp_path):
    client.post(url("edit", pet), {**PET, "photo": upload()})

    client.post(url("edit", pet), {**PET, "remove_photo": "on"})

    assert Pet.objects.get().photo.name == ""
    assert list(tmp_path.rglob("*.jpg")) == []


def test_edit_shows_what_is_wrong(client, pet):
    response = client.post(url("edit", pet), {**PET, "birth_date": "2030-01-01"})

    assert list(response.context["form"].errors) == ["birth_date"]
    assert "Max" not in response.content.decode()


def test_archive_restore_and_remove(client, pet):
    assert client.post(url("archive", pet)).url == url("list")
    assert Pet.objects.get().is_archived
    assert client.post(url("restore", pet)).url == pet.get_absolute_url()
    assert not Pet.objects.get().is_archived
    assert client.post(url("remove", pet)).url == url("list")
    assert not Pet.objects.exists()


def test_remove_says_that_a_booked_pet_is_archived(client):
    booking = make_booking()
    client.force_login(booking.owner)

    response = client.post(url("remove", booking.pets.get()), follow=True)

    assert "went to the archive" in response.content.decode()


@pytest.mark.parametrize("name", ["archive", "restore", "remove"])
def test_changes_are_posts(client, pet, name):
    assert client.get(url(name, pet)).status_code == 405


# --- The passport -------------------------------------------------------------------------------


def test_detail_shows_the_passport(client, pet):
    VaccinationFactory(pet=pet, given_on=TODAY - 300 * DAY, valid_until=TODAY + 300 * DAY)
    CareRecordFactory(pet=pet, note="Teeth cleaned", recorded_by=pet.owner)

    response = client.get(url("detail", pet))

    text = response.content.decode()
    assert [item["state"] for item in response.context["vaccinations"]] == ["valid"]
    assert "Teeth cleaned" in text
    assert url("edit", pet) in text


def test_detail_asks_the_same_for_one_and_many(client, pet):
    VaccinationFactory(pet=pet)
    CareRecordFactory(pet=pet, recorded_by=pet.owner)

    def more():
        for _ in range(4):
            VaccinationFactory(pet=pet)
            CareRecordFactory(pet=pet, recorded_by=UserFactory())

    assert_constant(lambda: client.get(url("detail", pet)), more)


def test_add_and_remove_a_vaccination(client, pet):
    data = {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2027-11-01"}

    response = client.post(url("vaccination_add", pet), {**data, "document": upload(corpus.pdf(), "a.pdf")})

    row = Vaccination.objects.get()
    assert (response.url, row.vaccine, str(row.valid_until)) == (pet.get_absolute_url(), "rabies", "2027-11-01")
    assert row.document.name.endswith(".pdf")
    assert client.post(url("vaccination_remove", pet, row)).url == pet.get_absolute_url()
    assert not Vaccination.objects.exists()


def test_vaccination_goes_back_to_the_booking_that_asked(client, pet):
    data = {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2027-11-01", "next": "/bookings/"}

    assert client.post(url("vaccination_add", pet), data).url == "/bookings/"


def test_vaccination_explains_wrong_dates(client, pet):
    data = {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2026-10-01"}

    response = client.post(url("vaccination_add", pet), data)

    assert response.context["form"].errors == {"valid_until": ["It cannot end before it was given."]}


def test_add_and_remove_a_care_record(client, pet):
    assert client.get(url("record_add", pet)).context["form"]["on"].value() == TODAY

    client.post(
        url("record_add", pet),
        {"kind": "surgery", "on": "2026-11-01", "note": "Stitches", "attachment": upload(corpus.pdf(), "a.pdf")},
    )

    row = CareRecord.objects.get()
    assert (row.kind, row.note, row.recorded_by) == ("surgery", "Stitches", pet.owner)
    client.post(url("record_remove", pet, row))
    assert not CareRecord.objects.exists()


def test_care_record_explains_wrong_dates(client, pet):
    response = client.post(url("record_add", pet), {"kind": "note", "on": "2030-01-01", "note": "x"})

    assert list(response.context["form"].errors) == ["on"]


# --- Who may ------------------------------------------------------------------------------------

OWN = ["edit", "archive", "restore", "remove", "vaccination_add", "record_add"]


@pytest.mark.parametrize("name", [*OWN, "detail", "photo"])
def test_pages_need_signing_in(client, name):
    response = client.get(url(name, PetFactory()))

    assert (response.status_code, response.url.split("?")[0]) == (302, reverse("account_login"))


@pytest.mark.parametrize("name", [*OWN, "detail", "photo"])
def test_pets_of_others_are_not_there(client, owner, name):
    method = client.post if name in ("archive", "restore", "remove") else client.get

    assert method(url(name, PetFactory())).status_code == 404
    assert method(url(name, uuid.uuid4())).status_code == 404


def test_rows_of_other_pets_are_not_there(client, pet):
    foreign, record = VaccinationFactory(), CareRecordFactory()

    assert client.post(url("vaccination_remove", pet, foreign)).status_code == 404
    assert client.post(url("vaccination_remove", foreign.pet, foreign)).status_code == 404
    assert client.post(url("record_remove", pet, record)).status_code == 404
    assert (Vaccination.objects.count(), CareRecord.objects.count()) == (1, 1)


@pytest.fixture
def booked(client):
    """A confirmed booking whose pet has a photo and papers, seen by the provider's manager."""
    booking = make_booking()
    pet = booking.pets.get()
    client.force_login(pet.owner)
    client.post(url("edit", pet), {**PET, "photo": upload()})
    client.post(
        url("vaccination_add", pet),
        {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2027-11-01", "document": upload()},
    )
    client.post(
        url("record_add", pet),
        {"kind": "note", "on": "2026-11-01", "note": "x", "attachment": upload(corpus.pdf(), "a.pdf")},
    )
    client.force_login(manager_of(booking))
    return booking


def addresses(booking):
    pet = booking.pets.get()
    return [
        url("detail", pet),
        url("photo", pet),
        url("document", pet, pet.vaccinations.get()),
        url("attachment", pet, pet.care_records.get()),
    ]


def statuses(client, booking):
    return [client.get(address).status_code for address in addresses(booking)]


def test_a_provider_that_cares_for_the_pet_sees_it_and_cannot_change_it(client, booked):
    assert statuses(client, booked) == [200] * 4
    pet = booked.pets.get()
    assert url("edit", pet) not in client.get(url("detail", pet)).content.decode()
    assert client.get(url("edit", pet)).status_code == 404
    assert client.post(url("remove", pet)).status_code == 404


@pytest.mark.parametrize("state", ["held", "pending", "declined", "cancelled", "no_show"])
def test_a_provider_without_a_booking_of_it_sees_nothing(client, booked, state):
    Booking.objects.update(state=state, cancel_reason="by_owner" if state == "cancelled" else "", due_at=NOW)

    assert statuses(client, booked) == [404] * 4


def test_a_provider_sees_it_for_a_day_after_the_visit(client, booked, time_machine):
    time_machine.move_to(booked.ends_at + DAY - dt.timedelta(seconds=1))
    client.force_login(manager_of(booked))
    assert statuses(client, booked) == [200] * 4

    time_machine.move_to(booked.ends_at + DAY)
    assert statuses(client, booked) == [404] * 4


def test_staff_sees_it_and_another_provider_does_not(client, booked):
    client.force_login(manager_of(make_booking()))
    assert statuses(client, booked) == [404] * 4

    client.force_login(StaffFactory())
    assert statuses(client, booked) == [200] * 4


def test_files_are_private_and_typed(client, booked):
    _, photo, document, attachment = addresses(booked)

    shown = client.get(photo)
    assert (shown["Content-Type"], shown["Content-Disposition"]) == ("image/jpeg", 'inline; filename="Rex.jpg"')
    assert client.get(document)["Content-Disposition"] == 'inline; filename="Rex rabies.jpg"'
    assert client.get(attachment)["Content-Disposition"] == 'attachment; filename="Rex 2026-11-01.pdf"'
    for address in (photo, document, attachment):
        response = client.get(address)
        assert response["Cache-Control"] == "private, no-store"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_files_that_are_not_there_are_404(client, pet):
    VaccinationFactory(pet=pet)

    assert client.get(url("photo", pet)).status_code == 404
    assert client.get(url("document", pet, pet.vaccinations.get())).status_code == 404


def test_stored_files_have_no_public_address(client, booked):
    assert client.get(f"/media/{booked.pets.get().photo.name}").status_code == 404


# --- The admin ----------------------------------------------------------------------------------


def test_admin_reads_pets_and_their_papers(client, booked):
    client.force_login(StaffFactory())
    pet = booked.pets.get()

    assert pet.name in client.get(reverse("admin:pets_pet_changelist")).content.decode()
    text = client.get(reverse("admin:pets_pet_change", args=[pet.pk])).content.decode()
    assert all(address in text for address in addresses(booked)[1:])
    assert client.post(reverse("admin:pets_pet_change", args=[pet.pk]), {"name": "x"}).status_code == 403
    assert client.get(reverse("admin:pets_pet_add")).status_code == 403
    assert client.get(reverse("admin:pets_pet_delete", args=[pet.pk])).status_code == 403


def test_admin_shows_a_pet_without_papers(client):
    client.force_login(StaffFactory())
    pet = VaccinationFactory().pet
    CareRecordFactory(pet=pet)

    assert client.get(reverse("admin:pets_pet_change", args=[pet.pk])).status_code == 200
