"""What may be written about a pet, and what becomes of its files."""

import datetime as dt
import decimal
import threading

import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction

from petplace.errors import DomainError, InvalidInput
from pets import domain
from pets.models import CareRecord, Pet, Vaccination
from tests.factories import (
    CareRecordFactory,
    PetFactory,
    UserFactory,
    VaccinationFactory,
    make_booking,
)

TODAY = dt.date(2026, 11, 17)
DAY = dt.timedelta(days=1)
NOW = dt.datetime(2026, 11, 17, 8, tzinfo=dt.UTC)


def a_file(name="x.jpg"):
    return ContentFile(b"pixels", name=name)


def files_in(folder):
    return sorted(path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file())


def fields_of(caught):
    return caught.value.fields


@pytest.mark.django_db
def test_create_keeps_everything():
    owner = UserFactory()

    pet = domain.create(
        owner,
        today=TODAY,
        name="Rex",
        species="dog",
        breed="Beagle",
        birth_date=TODAY - DAY,
        microchip="276093400123456",
    )

    pet.refresh_from_db()
    assert (pet.owner, pet.name, pet.species, pet.breed, pet.sex) == (owner, "Rex", "dog", "Beagle", "unknown")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 61),
        ("species", "dragon"),
        ("species", ""),
        ("sex", "?"),
        ("weight_kg", "0"),
        ("weight_kg", "-3"),
        ("weight_kg", "1500.01"),
        ("weight_kg", "nan"),
        ("birth_date", TODAY + DAY),
        ("birth_date", dt.date(1890, 1, 1)),
        ("microchip", "12 34"),
        ("microchip", "12345678"),
        ("microchip", "x" * 24),
    ],
)
def test_create_names_the_field_that_is_wrong(field, value):
    fields = {"name": "Rex", "species": "dog"} | {field: value}

    with pytest.raises(InvalidInput) as caught:
        domain.create(UserFactory(), today=TODAY, **fields)
    assert list(fields_of(caught)) == [field]
    assert not Pet.objects.exists()


@pytest.mark.django_db
def test_only_known_fields_can_be_written():
    with pytest.raises(TypeError, match="no changeable owner_id"):
        domain.update(PetFactory(), today=TODAY, owner_id=1)


@pytest.mark.django_db(transaction=True)
def test_the_number_of_pets_is_limited_also_for_many_at_once(settings):
    settings.PETS_PER_OWNER = 3
    owner = UserFactory()
    results: list[str] = []
    barrier = threading.Barrier(8)

    def add() -> None:
        connection.ensure_connection()
        barrier.wait()
        try:
            domain.create(owner, today=TODAY, name="Rex", species="dog")
            results.append("created")
        except DomainError as error:
            results.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == ["created"] * 3 + ["too_many"] * 5
    assert Pet.objects.count() == 3


@pytest.mark.django_db
def test_update_changes_what_it_is_given():
    pet = PetFactory(name="Rex", breed="Beagle")

    domain.update(pet, today=TODAY, name="Max")

    assert Pet.objects.values_list("name", "breed").get() == ("Max", "Beagle")


@pytest.mark.django_db
def test_archive_and_restore_keep_the_first_time():
    pet = domain.archive(PetFactory(), now=NOW)
    domain.archive(pet, now=NOW + DAY)

    assert Pet.objects.archived().get().archived_at == NOW
    assert domain.restore(pet).is_archived is False
    assert Pet.objects.active().get() == pet


@pytest.mark.django_db(transaction=True)
def test_remove_deletes_a_pet_with_its_rows_and_files(tmp_path):
    pet = domain.create(UserFactory(), today=TODAY, name="Rex", species="dog", photo=a_file())
    domain.add_vaccination(
        pet, today=TODAY, vaccine="rabies", given_on=TODAY, valid_until=TODAY, document=a_file("x.pdf")
    )
    domain.add_record(pet, by=pet.owner, today=TODAY, kind="note", on=TODAY, note="Fine", attachment=a_file("y.pdf"))
    assert files_in(tmp_path) == ["care", "pets", "vaccinations"]

    assert domain.remove(pet, now=NOW) is None

    assert (Pet.objects.count(), Vaccination.objects.count(), CareRecord.objects.count()) == (0, 0, 0)
    assert files_in(tmp_path) == []


@pytest.mark.django_db
def test_remove_archives_a_pet_that_was_booked():
    pet = make_booking().pets.get()

    assert domain.remove(pet, now=NOW) == pet

    assert Pet.objects.get(pk=pet.pk).archived_at == NOW


@pytest.mark.django_db(transaction=True)
def test_a_new_photo_replaces_the_stored_file(tmp_path):
    pet = domain.create(UserFactory(), today=TODAY, name="Rex", species="dog", photo=a_file("a.jpg"))

    domain.set_photo(pet, a_file("b.jpg"))
    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["b.jpg"]

    domain.set_photo(pet, None)
    assert Pet.objects.get().photo.name == ""
    assert files_in(tmp_path) == []


@pytest.mark.django_db(transaction=True)
def test_an_undone_change_keeps_the_old_file(tmp_path):
    pet = domain.create(UserFactory(), today=TODAY, name="Rex", species="dog", photo=a_file("a.jpg"))

    with transaction.atomic():
        domain.set_photo(pet, None)
        transaction.set_rollback(True)

    assert [path.name for path in tmp_path.rglob("*.jpg")] == ["a.jpg"]


@pytest.mark.django_db(transaction=True)
def test_papers_of_vaccinations_and_records_are_replaced_and_removed(tmp_path):
    vaccination, record = VaccinationFactory(), CareRecordFactory()
    domain.set_document(vaccination, a_file("a.pdf"))
    domain.set_document(vaccination, a_file("b.pdf"))
    domain.set_attachment(record, a_file("c.pdf"))
    assert sorted(path.name for path in tmp_path.rglob("*.pdf")) == ["b.pdf", "c.pdf"]

    domain.remove_vaccination(vaccination)
    domain.remove_record(record)

    assert files_in(tmp_path) == []
    assert not Vaccination.objects.exists()
    assert not CareRecord.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "until", "field"),
    [
        (TODAY + DAY, TODAY + 2 * DAY, "given_on"),
        (dt.date(1800, 1, 1), dt.date(1801, 1, 1), "given_on"),
        (TODAY, TODAY - DAY, "valid_until"),
        (TODAY, TODAY + 3700 * DAY, "valid_until"),
    ],
)
def test_vaccination_dates_must_make_sense(given, until, field):
    with pytest.raises(InvalidInput) as caught:
        domain.add_vaccination(PetFactory(), today=TODAY, vaccine="rabies", given_on=given, valid_until=until)
    assert list(fields_of(caught)) == [field]

    row = VaccinationFactory()
    with pytest.raises(InvalidInput):
        domain.update_vaccination(row, today=TODAY, given_on=given, valid_until=until)


@pytest.mark.django_db
def test_vaccination_can_be_corrected():
    row = domain.update_vaccination(VaccinationFactory(), today=TODAY, vaccine="dhpp")

    row.refresh_from_db()
    assert row.vaccine == "dhpp"


@pytest.mark.django_db
def test_record_is_of_the_past_and_can_be_corrected():
    pet = PetFactory()
    with pytest.raises(InvalidInput) as caught:
        domain.add_record(pet, by=pet.owner, today=TODAY, kind="note", on=TODAY + DAY, note="x")
    assert list(fields_of(caught)) == ["on"]

    record = domain.add_record(pet, by=pet.owner, today=TODAY, kind="note", on=TODAY, note="x")
    assert domain.update_record(record, today=TODAY, note="y").note == "y"
    assert CareRecord.objects.values_list("note", "recorded_by").get() == ("y", pet.owner.pk)


@pytest.mark.django_db
def test_rows_of_one_pet_are_limited(monkeypatch):
    monkeypatch.setattr(domain, "MAX_ROWS", 1)
    pet = PetFactory()
    VaccinationFactory(pet=pet)
    CareRecordFactory(pet=pet)

    with pytest.raises(DomainError) as caught:
        domain.add_vaccination(pet, today=TODAY, vaccine="rabies", given_on=TODAY, valid_until=TODAY)
    assert caught.value.code == "too_many"
    with pytest.raises(DomainError):
        domain.add_record(pet, by=None, today=TODAY, kind="note", on=TODAY, note="x")


@pytest.mark.parametrize(
    ("born", "text"),
    [
        (None, ""),
        (TODAY + DAY, ""),
        (TODAY, "0 months"),
        (dt.date(2026, 10, 18), "0 months"),
        (dt.date(2026, 10, 17), "1 month"),
        (dt.date(2025, 11, 18), "11 months"),
        (dt.date(2025, 11, 17), "1 year"),
        (dt.date(2020, 2, 29), "6 years"),
    ],
)
def test_age_in_words(born, text):
    assert Pet(birth_date=born).age_on(TODAY) == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Dog"),
        ({"breed": "Beagle", "birth_date": dt.date(2023, 1, 1), "weight_kg": "12.50"}, "Dog, Beagle, 3 years, 12.5 kg"),
        ({"weight_kg": "30.00"}, "Dog, 30 kg"),
    ],
)
def test_facts_on_a_card(fields, text):
    if "weight_kg" in fields:
        fields = fields | {"weight_kg": decimal.Decimal(fields["weight_kg"])}
    assert Pet(species="dog", **fields).facts_on(TODAY) == text


@pytest.mark.parametrize(
    ("days", "state", "covers"),
    [(-1, "expired", False), (0, "expiring", True), (30, "expiring", True), (31, "valid", True)],
)
def test_validity_of_a_vaccination(days, state, covers):
    row = Vaccination(vaccine="rabies", given_on=TODAY - 400 * DAY, valid_until=TODAY + days * DAY)

    assert (row.validity_on(TODAY), row.covers(TODAY)) == (state, covers)


@pytest.mark.django_db
def test_current_vaccinations_are_the_longest_of_each_kind():
    pet = PetFactory()
    VaccinationFactory(pet=pet, valid_until=TODAY, given_on=TODAY - 400 * DAY)
    rabies = VaccinationFactory(pet=pet, valid_until=TODAY + 300 * DAY, given_on=TODAY - 30 * DAY)
    dhpp = VaccinationFactory(pet=pet, vaccine="dhpp", valid_until=TODAY + 9 * DAY, given_on=TODAY - 30 * DAY)

    assert pet.current_vaccinations(TODAY) == [dhpp, rabies]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "constraint"),
    [({"species": "dragon"}, "pet_species_known"), ({"weight_kg": 0}, "pet_weight_positive")],
)
def test_database_refuses_impossible_pets(change, constraint):
    PetFactory()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Pet.objects.update(**change)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"valid_until": dt.date(2020, 1, 1)}, "vaccination_ends_after_start"),
        ({"vaccine": "luck"}, "vaccination_vaccine_known"),
    ],
)
def test_database_refuses_impossible_vaccinations(change, constraint):
    VaccinationFactory()

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Vaccination.objects.update(**change)


def test_people_read_names():
    assert (str(Pet(name="Rex")), str(CareRecord(kind="note", on=TODAY))) == ("Rex", "Note on 2026-11-17")
    assert str(Vaccination(vaccine="rabies", valid_until=TODAY)) == "Rabies until 2026-11-17"


@pytest.mark.django_db(transaction=True)
def test_forgetting_an_owner_deletes_pets_and_leaves_booked_ones_nameless(tmp_path):
    booked = make_booking().pets.get()
    owner = booked.owner
    domain.set_photo(booked, a_file())
    Pet.objects.filter(pk=booked.pk).update(breed="Beagle", notes="Afraid of MARKER", vet_phone="+49 30 123")
    VaccinationFactory(pet=booked)
    CareRecordFactory(pet=booked)
    PetFactory(owner=owner)
    foreign = PetFactory()

    domain.forget_owner(owner, NOW)

    left = Pet.objects.get(owner=owner)
    assert (left.pk, left.name, left.breed, left.notes, left.vet_phone) == (booked.pk, "Former pet", "", "", "")
    assert left.is_archived
    assert (Vaccination.objects.count(), CareRecord.objects.count()) == (0, 0)
    assert files_in(tmp_path) == []
    assert Pet.objects.get(pk=foreign.pk).name == foreign.name
