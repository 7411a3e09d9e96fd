"""Which rows of pets are a person's own."""

from accounts.domain import exporting
from pets.models import CareRecord, Pet, Vaccination


def register() -> None:
    exporting.register(Pet, lambda user: Pet.objects.filter(owner=user), skip=("owner",))
    exporting.register(Vaccination, lambda user: Vaccination.objects.filter(pet__owner=user), names=("pet__name",))
    exporting.register(
        CareRecord, lambda user: CareRecord.objects.filter(pet__owner=user), skip=("recorded_by",), names=("pet__name",)
    )
