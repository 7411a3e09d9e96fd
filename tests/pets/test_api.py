"""Pets over the API."""

import datetime as dt
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from pets import domain
from pets.models import CareRecord, Pet, Vaccination
from tests import uploads_corpus as corpus
from tests.factories import (
    NOW,
    CareRecordFactory,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
    manager_of,
)
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db
PETS = "/api/v1/pets/"
DOG = {"name": "Rex", "species": "dog"}


@pytest.fixture(autouse=True)
def _today(time_machine):
    time_machine.move_to(NOW, tick=False)


@pytest.fixture
def owner():
    return UserFactory()


@pytest.fixture
def api(owner):
    return as_user(owner)


@pytest.fixture
def pet(owner):
    return PetFactory(owner=owner, name="Rex")


def as_user(user=None):
    client = APIClient()
    client.force_authenticate(user)
    return client


def at(pet, *parts):
    return "/".join([f"{PETS}{pet.uid}", *(str(getattr(part, "uid", part)) for part in parts), ""])


def multipart(client, address, data, name="a.jpg"):
    return client.put(address, {"file": SimpleUploadedFile(name, data)}, format="multipart")


def test_create_and_read(api, owner):
    body = {
        "name": "Rex", "species": "dog", "breed": "Beagle", "sex": "male", "birth_date": "2023-05-06",
        "weight_kg": 12.5, "microchip": "276093400123456", "notes": "Two\nlines", "vet_phone": "+49 30 123",
    }  # fmt: skip

    response = api.post(PETS, body)

    pet = Pet.objects.get()
    assert (response.status_code, pet.owner) == (201, owner)
    expected = body | {
        "id": str(pet.uid), "temperament": "", "feeding_notes": "", "medication_notes": "", "vet_name": "",
        "photo": None, "is_archived": False,
    }  # fmt: skip
    read = api.get(at(pet)).json()
    assert response.json() == read
    created_at = read.pop("created_at")
    assert created_at.endswith("Z")
    assert read == expected


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"species": "dog"}, "name"),
        ({**DOG, "species": "dragon"}, "species"),
        ({**DOG, "weight_kg": -1}, "weight_kg"),
        ({**DOG, "weight_kg": "12"}, "weight_kg"),
        ({**DOG, "weight_kg": 1e9}, "weight_kg"),
        ({**DOG, "birth_date": "2030-01-01"}, "birth_date"),
        ({**DOG, "birth_date": "0001-01-01"}, "birth_date"),
        ({**DOG, "microchip": "1 2"}, "microchip"),
        ({**DOG, "name": "a\nb"}, "name"),
        ({**DOG, "name": "x" * 61}, "name"),
        ({**DOG, "owner": 1}, "owner"),
        ({**DOG, "id": str(uuid.uuid4())}, "id"),
        ({**DOG, "photo": "x"}, "photo"),
        ({**DOG, "archived_at": None}, "archived_at"),
    ],
)
def test_create_names_the_wrong_field(api, body, field):
    response = api.post(PETS, body)

    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")
    assert list(response.json()["errors"]) == [field]
    assert not Pet.objects.exists()


def test_create_says_when_there_are_too_many(api, pet, settings):
    settings.PETS_PER_OWNER = 1

    response = api.post(PETS, DOG)

    assert (response.status_code, response.json()["code"]) == (409, "too_many")


@pytest.mark.django_db(transaction=True)
def test_create_twice_with_one_key_makes_one_pet(api):
    answers = [api.post(PETS, DOG, headers={"Idempotency-Key": "one"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].content == answers[1].content
    assert Pet.objects.count() == 1


def test_list_is_of_the_caller_and_leaves_the_archive_out(api, pet, owner):
    old = domain.archive(PetFactory(owner=owner), now=NOW)
    PetFactory()

    def ids(query=""):
        return [row["id"] for row in api.get(PETS + query).json()["results"]]

    assert (ids(), ids("?archived=true")) == ([str(pet.uid)], [str(old.uid)])
    assert api.get(f"{PETS}?archived=maybe").status_code == 400


def test_list_asks_the_same_for_one_and_many(api, pet, owner):
    assert_constant(lambda: api.get(PETS), lambda: PetFactory.create_batch(5, owner=owner))


def test_change_some_fields(api, pet):
    response = api.patch(at(pet), {"name": "Max", "weight_kg": None})

    assert (response.json()["name"], response.json()["weight_kg"]) == ("Max", None)
    assert api.patch(at(pet), {"birth_date": "2030-01-01"}).json()["errors"] == {
        "birth_date": ["Enter a day in the past."]
    }


def test_archive_restore_delete(api, pet):
    assert api.post(at(pet, "archive")).json()["is_archived"] is True
    assert api.post(at(pet, "restore")).json()["is_archived"] is False
    assert api.delete(at(pet)).status_code == 204
    assert not Pet.objects.exists()


def test_delete_archives_a_pet_that_was_booked():
    pet = make_booking().pets.get()
    api = as_user(pet.owner)

    assert api.delete(at(pet)).status_code == 204
    assert api.get(at(pet)).json()["is_archived"] is True


# --- The passport -------------------------------------------------------------------------------


def test_vaccinations(api, pet):
    body = {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2027-11-01"}

    created = api.post(at(pet, "vaccinations"), body)

    row = Vaccination.objects.get()
    assert created.status_code == 201
    shown = created.json()
    assert {name: shown[name] for name in (*body, "id", "document")} == body | {"id": str(row.uid), "document": None}
    assert api.get(at(pet, "vaccinations")).json()["results"] == [shown]
    assert api.get(at(pet, "vaccinations", row)).json() == shown
    assert api.patch(at(pet, "vaccinations", row), {"vaccine": "dhpp"}).json()["vaccine"] == "dhpp"
    assert api.delete(at(pet, "vaccinations", row)).status_code == 204
    assert not Vaccination.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"valid_until": "2026-10-01"}, "valid_until"),
        ({"given_on": "2026-12-01", "valid_until": "2027-12-01"}, "given_on"),
        ({"vaccine": "luck"}, "vaccine"),
        ({"given_on": "yesterday"}, "given_on"),
        ({"pet": "x"}, "pet"),
    ],
)
def test_vaccination_names_the_wrong_field(api, pet, change, field):
    body = {"vaccine": "rabies", "given_on": "2026-11-01", "valid_until": "2027-11-01"} | change

    response = api.post(at(pet, "vaccinations"), body)

    assert (response.status_code, list(response.json()["errors"])) == (400, [field])


def test_care_records(api, pet, owner):
    body = {"kind": "checkup", "on": "2026-11-01", "note": "All\nfine"}

    created = api.post(at(pet, "care-records"), body)

    row = CareRecord.objects.get()
    assert (created.status_code, row.recorded_by) == (201, owner)
    assert {name: created.json()[name] for name in (*body, "attachment")} == body | {"attachment": None}
    assert api.get(at(pet, "care-records")).json()["count"] == 1
    assert api.patch(at(pet, "care-records", row), {"note": "Better"}).json()["note"] == "Better"
    assert list(api.patch(at(pet, "care-records", row), {"on": "2030-01-01"}).json()["errors"]) == ["on"]
    assert api.delete(at(pet, "care-records", row)).status_code == 204


def test_rows_ask_the_same_for_one_and_many(api, pet):
    VaccinationFactory(pet=pet)
    CareRecordFactory(pet=pet)

    assert_constant(lambda: api.get(at(pet, "vaccinations")), lambda: VaccinationFactory.create_batch(5, pet=pet))
    assert_constant(lambda: api.get(at(pet, "care-records")), lambda: CareRecordFactory.create_batch(5, pet=pet))


# --- Files --------------------------------------------------------------------------------------


def test_photo_is_cleaned_served_and_taken_away(api, pet):
    assert api.get(at(pet, "photo")).status_code == 404

    assert multipart(api, at(pet, "photo"), corpus.photo_with_place()).status_code == 204

    assert api.get(at(pet)).json()["photo"] == at(pet, "photo")
    shown = api.get(at(pet, "photo"))
    content = shown.content
    assert (shown["Content-Type"], shown["Cache-Control"]) == ("image/jpeg", "private, no-store")
    assert content.startswith(b"\xff\xd8")
    assert b"SECRET" not in content
    assert api.delete(at(pet, "photo")).status_code == 204
    assert api.get(at(pet)).json()["photo"] is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (corpus.SVG, "This is not a photo that we can read. Please use JPEG, PNG or WEBP."),
        (corpus.png_of(13_000, 13_000), "The picture has more than 40 megapixels. Please scale it down."),
    ],
    ids=["svg", "bomb"],
)
def test_photo_that_is_none_is_refused(api, pet, data, message):
    response = multipart(api, at(pet, "photo"), data)

    assert (response.status_code, response.json()["errors"]) == (400, {"file": [message]})


def test_photo_needs_a_file(api, pet):
    assert api.put(at(pet, "photo"), {}, format="multipart").json()["errors"] == {"file": ["No file was submitted."]}
    assert api.put(at(pet, "photo"), {"file": "x"}).status_code == 415


def test_papers_of_the_passport(api, pet):
    vaccination, record = VaccinationFactory(pet=pet), CareRecordFactory(pet=pet)
    document, attachment = (
        at(pet, "vaccinations", vaccination, "document"),
        at(pet, "care-records", record, "attachment"),
    )

    assert multipart(api, document, corpus.pdf(), "a.pdf").status_code == 204
    assert multipart(api, attachment, corpus.photo(), "a.jpg").status_code == 204

    assert api.get(at(pet, "vaccinations", vaccination)).json()["document"] == document
    assert api.get(at(pet, "care-records", record)).json()["attachment"] == attachment
    assert api.get(document)["Content-Type"] == "application/pdf"
    assert api.get(attachment)["Content-Disposition"] == 'inline; filename="checkup 2026-06-01.jpg"'
    assert multipart(api, document, corpus.pdf(script="x"), "a.pdf").status_code == 400
    assert api.delete(document).status_code == api.delete(attachment).status_code == 204


# --- Who may ------------------------------------------------------------------------------------


def everything(pet):
    vaccination, record = pet.vaccinations.first(), pet.care_records.first()
    return {
        "read": [at(pet), at(pet, "vaccinations"), at(pet, "vaccinations", vaccination), at(pet, "care-records")],
        "write": [
            ("patch", at(pet), {"name": "x"}),
            ("delete", at(pet), None),
            ("post", at(pet, "archive"), None),
            ("post", at(pet, "restore"), None),
            (
                "post",
                at(pet, "vaccinations"),
                {"vaccine": "dhpp", "given_on": "2026-11-01", "valid_until": "2027-11-01"},
            ),
            ("patch", at(pet, "vaccinations", vaccination), {"vaccine": "dhpp"}),
            ("delete", at(pet, "vaccinations", vaccination), None),
            ("post", at(pet, "care-records"), {"kind": "note", "on": "2026-11-01", "note": "x"}),
            ("delete", at(pet, "care-records", record), None),
            ("delete", at(pet, "photo"), None),
            ("delete", at(pet, "vaccinations", vaccination, "document"), None),
            ("delete", at(pet, "care-records", record, "attachment"), None),
        ],
    }


def answers(client, pet):
    paths = everything(pet)
    reads = {client.get(address).status_code for address in paths["read"]}
    writes = {getattr(client, method)(address, body).status_code for method, address, body in paths["write"]}
    return reads, writes


@pytest.fixture
def booked():
    booking = make_booking()
    pet = booking.pets.get()
    VaccinationFactory(pet=pet)
    CareRecordFactory(pet=pet)
    return booking


def test_others_find_nothing(booked):
    assert answers(as_user(UserFactory()), booked.pets.get()) == ({404}, {404})


def test_a_provider_that_cares_for_the_pet_reads_and_may_not_write(booked):
    assert answers(as_user(manager_of(booked)), booked.pets.get()) == ({200}, {403})


def test_without_a_token_nothing_answers(booked):
    assert answers(APIClient(), booked.pets.get()) == ({401}, {401})


def test_unknown_and_broken_ids_are_404(api, pet):
    for address in (f"{PETS}{uuid.uuid4()}/", f"{PETS}1/", f"{PETS}nonsense/", at(pet, "vaccinations", uuid.uuid4())):
        assert api.get(address).status_code == 404


def test_a_row_is_found_under_its_own_pet_only(api, pet, owner):
    other = VaccinationFactory(pet=PetFactory(owner=owner))

    assert api.get(at(pet, "vaccinations", other)).status_code == 404
    assert api.delete(at(pet, "vaccinations", other)).status_code == 404


def test_today_is_the_callers(time_machine):
    """In Auckland it is tomorrow already; what was given there today is not in the future."""
    time_machine.move_to(dt.datetime(2026, 11, 17, 20, tzinfo=dt.UTC))
    body = {"vaccine": "rabies", "given_on": "2026-11-18", "valid_until": "2027-11-18"}

    def status(zone):
        pet = PetFactory(owner=UserFactory(time_zone=zone))
        return as_user(pet.owner).post(at(pet, "vaccinations"), body).status_code

    assert [status("Pacific/Auckland"), status("UTC")] == [201, 400]
