"""Who may look at a pet: its owner, staff, and a provider that cares for it."""

from datetime import datetime
from uuid import UUID

from django.http import Http404

from accounts.models import User
from bookings.domain import revealing
from petplace.roles import Right, may
from pets.models import Pet


def visible_pet(user: User, uid: UUID, *, now: datetime) -> Pet:
    """Return the pet, or raise Http404, which does not tell whether it exists."""
    pet = Pet.objects.select_related("owner").filter(uid=uid).first()
    if pet is None or not can_view(user, pet, now=now):
        raise Http404
    return pet


def can_view(user: User, pet: Pet, *, now: datetime) -> bool:
    """Whether ``user`` owns the pet, is staff, or works for a provider that cares for it now, or soon, or just did."""
    if pet.owner_id == user.pk or may(user, Right.READ):
        return True
    return revealing.caring(now=now).provided_by(user).filter(pets=pet).exists()
