"""The only code that takes pets away."""

from datetime import datetime

from django.db import transaction
from django.db.models import ProtectedError

from pets.models import Pet


def remove(pet: Pet, *, now: datetime) -> Pet | None:
    """Delete ``pet``, or archive it when bookings name it: their history must stay readable.

    Returns the archived pet, or None when it is gone.
    """
    try:
        with transaction.atomic():
            pet.delete()
    except ProtectedError:
        Pet.objects.filter(pk=pet.pk, archived_at__isnull=True).update(archived_at=now)
        pet.refresh_from_db(fields=["archived_at"])
        return pet
    return None
