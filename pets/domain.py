"""The only code that changes pets and what is written about them. Files that nothing names any more are deleted."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.db import models, transaction
from django.db.models import ProtectedError
from django.db.models.fields.files import FieldFile

from accounts.models import User
from petplace.errors import DomainError, InvalidInput
from pets import checks
from pets.models import CareRecord, Pet, Vaccination

PET_FIELDS = frozenset(
    {"name", "species", "breed", "sex", "birth_date", "weight_kg", "microchip", "temperament", "feeding_notes",
     "medication_notes", "notes", "vet_name", "vet_phone"}
)  # fmt: skip
VACCINATION_FIELDS = frozenset({"vaccine", "given_on", "valid_until"})
RECORD_FIELDS = frozenset({"kind", "on", "note"})
MAX_ROWS = 500  # vaccinations or care records of one pet

T = TypeVar("T", bound=models.Model)


@transaction.atomic
def create(owner: User, *, today: date, photo: File[bytes] | None = None, **fields: Any) -> Pet:
    """Add a pet. ``photo`` is a file that ``petplace.uploads`` has cleaned, ``today`` the owner's local date.

    Locks the owner, so that the limit of pets holds for many at once. Raises InvalidInput with the fields, or
    DomainError ``too_many``.
    """
    User.objects.select_for_update(no_key=True).get(pk=owner.pk)
    if Pet.objects.owned_by(owner).count() >= settings.PETS_PER_OWNER:
        raise DomainError(f"You can have {settings.PETS_PER_OWNER} pets here at most.", code="too_many")
    pet = Pet(owner=owner)
    _apply(pet, fields, PET_FIELDS)
    _check(pet, checks.problems_of_pet, today)
    if photo is not None:
        pet.photo = photo
    pet.save()
    return pet


@transaction.atomic
def update(pet: Pet, *, today: date, **fields: Any) -> Pet:
    """Change what is known about a pet."""
    pet = Pet.objects.select_for_update(no_key=True).get(pk=pet.pk)
    _apply(pet, fields, PET_FIELDS)
    _check(pet, checks.problems_of_pet, today)
    pet.save(update_fields=sorted(fields))
    return pet


def set_photo(pet: Pet, photo: File[bytes] | None) -> Pet:
    """Replace the photo by a cleaned one, or take it away."""
    return _set_file(pet, "photo", photo)


def archive(pet: Pet, *, now: datetime) -> Pet:
    """Put a pet away: it is not offered for booking, its history stays."""
    Pet.objects.filter(pk=pet.pk, archived_at__isnull=True).update(archived_at=now)
    pet.refresh_from_db(fields=["archived_at"])
    return pet


def restore(pet: Pet) -> Pet:
    """Take a pet out of the archive."""
    Pet.objects.filter(pk=pet.pk).update(archived_at=None)
    pet.refresh_from_db(fields=["archived_at"])
    return pet


def remove(pet: Pet, *, now: datetime) -> Pet | None:
    """Delete ``pet``, or archive it when bookings name it: their history must stay readable.

    Returns the archived pet, or None when it is gone.
    """
    files: list[FieldFile] = [pet.photo]
    files += [vaccination.document for vaccination in pet.vaccinations.exclude(document="")]
    files += [record.attachment for record in pet.care_records.exclude(attachment="")]
    try:
        with transaction.atomic():
            pet.delete()
            for file in files:
                _forget(file)
    except ProtectedError:
        return archive(pet, now=now)
    return None


@transaction.atomic
def add_vaccination(pet: Pet, *, today: date, document: File[bytes] | None = None, **fields: Any) -> Vaccination:
    """Write a vaccination into the passport. ``document`` is a cleaned file."""
    _check_room(pet, pet.vaccinations.count())
    vaccination = Vaccination(pet=pet)
    _apply(vaccination, fields, VACCINATION_FIELDS)
    _check(vaccination, checks.problems_of_vaccination, today)
    if document is not None:
        vaccination.document = document
    vaccination.save()
    return vaccination


@transaction.atomic
def update_vaccination(vaccination: Vaccination, *, today: date, **fields: Any) -> Vaccination:
    """Correct a vaccination."""
    vaccination = Vaccination.objects.select_for_update(no_key=True).get(pk=vaccination.pk)
    _apply(vaccination, fields, VACCINATION_FIELDS)
    _check(vaccination, checks.problems_of_vaccination, today)
    vaccination.save(update_fields=sorted(fields))
    return vaccination


def set_document(vaccination: Vaccination, document: File[bytes] | None) -> Vaccination:
    """Replace the paper of a vaccination by a cleaned one, or take it away."""
    return _set_file(vaccination, "document", document)


@transaction.atomic
def remove_vaccination(vaccination: Vaccination) -> None:
    """Strike a vaccination out of the passport."""
    vaccination.delete()
    _forget(vaccination.document)


@transaction.atomic
def add_record(
    pet: Pet, *, by: User | None, today: date, attachment: File[bytes] | None = None, **fields: Any
) -> CareRecord:
    """Write an entry of the treatment history. ``attachment`` is a cleaned file."""
    _check_room(pet, pet.care_records.count())
    record = CareRecord(pet=pet, recorded_by=by)
    _apply(record, fields, RECORD_FIELDS)
    _check(record, checks.problems_of_record, today)
    if attachment is not None:
        record.attachment = attachment
    record.save()
    return record


@transaction.atomic
def update_record(record: CareRecord, *, today: date, **fields: Any) -> CareRecord:
    """Correct an entry."""
    record = CareRecord.objects.select_for_update(no_key=True, of=("self",)).get(pk=record.pk)
    _apply(record, fields, RECORD_FIELDS)
    _check(record, checks.problems_of_record, today)
    record.save(update_fields=sorted(fields))
    return record


def set_attachment(record: CareRecord, attachment: File[bytes] | None) -> CareRecord:
    """Replace the paper of an entry by a cleaned one, or take it away."""
    return _set_file(record, "attachment", attachment)


@transaction.atomic
def remove_record(record: CareRecord) -> None:
    """Strike an entry out of the history."""
    record.delete()
    _forget(record.attachment)


@transaction.atomic
def forget_owner(user: User, now: datetime) -> None:
    """Delete the pets of someone who closes the account. One that bookings name stays as a nameless animal."""
    for pet in Pet.objects.owned_by(user):
        kept = remove(pet, now=now)
        if kept is None:
            continue
        for vaccination in kept.vaccinations.all():
            remove_vaccination(vaccination)
        for record in kept.care_records.all():
            remove_record(record)
        set_photo(kept, None)
        Pet.objects.filter(pk=kept.pk).update(
            name="Former pet", breed="", birth_date=None, microchip="", temperament="", feeding_notes="",
            medication_notes="", notes="", vet_name="", vet_phone="",
        )  # fmt: skip


def _apply(instance: models.Model, fields: dict[str, Any], allowed: frozenset[str]) -> None:
    if unknown := set(fields) - allowed:
        raise TypeError(f"{type(instance).__name__} has no changeable {', '.join(sorted(unknown))}")
    for name, value in fields.items():
        setattr(instance, name, value)


def _check(instance: Any, problems: Any, today: date) -> None:
    """Raise InvalidInput that names every wrong field."""
    try:
        instance.clean_fields(exclude={"owner", "pet", "recorded_by", "photo", "document", "attachment"})
    except ValidationError as error:
        raise InvalidInput(fields=error.message_dict) from None
    if errors := problems(instance, today):
        raise InvalidInput(fields=errors)


def _check_room(pet: Pet, count: int) -> None:
    if count >= MAX_ROWS:
        raise DomainError(f"A pet can have {MAX_ROWS} of these at most.", code="too_many")


@transaction.atomic
def _set_file(instance: T, name: str, file: File[bytes] | None) -> T:
    locked = type(instance)._default_manager.select_for_update(no_key=True, of=("self",)).get(pk=instance.pk)
    _forget(getattr(locked, name))
    setattr(instance, name, file or "")
    instance.save(update_fields=[name])
    return instance


def _forget(file: FieldFile) -> None:
    """Delete a stored file once the transaction that stopped naming it is certain."""
    if file and file.name:
        storage, path = file.storage, file.name
        transaction.on_commit(lambda: storage.delete(path), robust=True)
