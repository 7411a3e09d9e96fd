"""Photos and papers of pets: private, so each goes through a check."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from petplace.http import SignedInRequest
from petplace.uploads import private_response
from pets.views.access import visible_pet


@login_required
def photo(request: SignedInRequest, uid: UUID) -> HttpResponse:
    pet = visible_pet(request.user, uid, now=timezone.now())
    return private_response(pet.photo, filename=pet.name)


@login_required
def document(request: SignedInRequest, uid: UUID, row: UUID) -> HttpResponse:
    pet = visible_pet(request.user, uid, now=timezone.now())
    vaccination = get_object_or_404(pet.vaccinations, uid=row)
    return private_response(vaccination.document, filename=f"{pet.name} {vaccination.vaccine}")


@login_required
def attachment(request: SignedInRequest, uid: UUID, row: UUID) -> HttpResponse:
    pet = visible_pet(request.user, uid, now=timezone.now())
    record = get_object_or_404(pet.care_records, uid=row)
    return private_response(record.attachment, filename=f"{pet.name} {record.on}")
