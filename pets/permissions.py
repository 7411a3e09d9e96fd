"""Who may do what with a pet."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from pets.models import Pet


def can_edit(user: User | AnonymousUser, pet: Pet) -> bool:
    """Only the owner. (Who may look is a matter of bookings, which the doors ask.)"""
    return bool(user.is_authenticated and pet.owner_id == user.pk)
