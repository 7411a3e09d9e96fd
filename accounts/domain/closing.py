"""Closing an account: the person goes, the rows that money and history need stay without a name.

Apps above register here when they start: a guard raises a DomainError while something is still open, a forgetter
removes or blanks what its app keeps about the person.
"""

from collections.abc import Callable
from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.db import transaction

from accounts.audit import AuditAction
from accounts.domain import audit, credentials, devices, second_factor
from accounts.models import TokenFamily, User
from petplace.errors import DomainError

guards: list[Callable[[User], None]] = []
forgetters: list[Callable[[User, datetime], None]] = []

FORMER_NAME = "Former user"


def obstacles(user: User) -> list[DomainError]:
    """Return all that is still open, in words: every guard is asked."""
    found = []
    for guard in guards:
        try:
            guard(user)
        except DomainError as error:
            found.append(error)
    return found


@transaction.atomic
def close(user: User, *, now: datetime, by: User | None = None) -> User:
    """Anonymise ``user`` for good. Refused by a guard while something is open. ``by`` is who asked: else the person.

    Steps: lock the row, ask the guards, let every app forget, blank the person, end tokens and sessions. The address
    is free for a new account afterwards.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.closed_at is not None:
        return user
    for guard in guards:
        guard(user)
    for forget in forgetters:
        forget(user, now)
    credentials.deactivate(user, now=now)
    TokenFamily.objects.filter(user=user).delete()
    EmailAddress.objects.filter(user=user).delete()
    SocialAccount.objects.filter(user=user).delete()
    second_factor.remove_all(user)
    devices.forget_all(user)
    user.email = f"{user.uid}@closed.invalid"
    user.full_name = FORMER_NAME
    user.phone = ""
    user.time_zone, user.locale = "UTC", "en-us"
    user.home_place = ""
    user.home_latitude = user.home_longitude = None
    user.is_staff = user.is_superuser = False
    user.closed_at = now
    user.set_unusable_password()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    audit.record(AuditAction.CLOSE_ACCOUNT, by=by or user, target=user, now=now)
    return user
