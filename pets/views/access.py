"""Who may look at a pet: its owner, staff, and a provider that cares for it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.http import Http404

from accounts.models import User
from bookings.models import Booking
from bookings.states import BookingState
from petplace.roles import Right, may
from pets.models import Pet

# After a visit the team can look things up for a while; then the pet is none of its business any more.
RECENT = timedelta(days=14)
CARING_STATES = (BookingState.CONFIRMED, BookingState.IN_PROGRESS, BookingState.COMPLETED)


def visible_pet(user: User, uid: UUID, *, now: datetime) -> Pet:
    """Return the pet, or raise Http404, which does not tell whether it exists."""
    pet = Pet.objects.select_related("owner").filter(uid=uid).first()
    if pet is None or not can_view(user, pet, now=now):
        raise Http404
    return pet


def can_view(user: User, pet: Pet, *, now: datetime) -> bool:
    """Whether ``user`` owns the pet, is staff, or works for a provider with a confirmed or recent visit of it."""
    if pet.owner_id == user.pk or may(user, Right.READ):
        return True
    return (
        Booking.objects.provided_by(user).filter(pets=pet, state__in=CARING_STATES, ends_at__gt=now - RECENT).exists()
    )
