"""Where somebody has signed in from before."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction

from accounts.domain import events
from accounts.domain.events import AccountEvent
from accounts.models import KnownDevice, User

KEPT = timedelta(days=400)  # as long as a browser keeps a cookie
FRESH = timedelta(hours=1)  # the first device of an account that was just made is no news
LONGEST = 200


def digest_of(secret: str, label: str) -> str:
    return hashlib.sha256(f"{secret[:LONGEST]}\n{label}".encode()).hexdigest()


def is_known(email: str, digest: str, *, now: datetime) -> bool:
    """Say whether somebody has signed in to the account of ``email`` from this device before."""
    return KnownDevice.objects.filter(
        user__email=User.objects.normalize_email(email), digest=digest, last_seen_at__gt=now - KEPT
    ).exists()


@transaction.atomic
def signed_in(user: User, *, digest: str, label: str, now: datetime) -> KnownDevice:
    """Remember the device of a sign-in that has passed every step, and tell ``user`` if it is a new one."""
    label = label[:80]
    device, is_new = KnownDevice.objects.get_or_create(
        user=user, digest=digest, defaults={"label": label, "first_seen_at": now, "last_seen_at": now}
    )
    if not is_new:
        KnownDevice.objects.filter(pk=device.pk).update(last_seen_at=now)
        return device
    is_first = not KnownDevice.objects.filter(user=user).exclude(pk=device.pk).exists()
    if not (is_first and now - user.date_joined < FRESH):
        events.tell(user, AccountEvent.NEW_DEVICE, now=now, detail=label)
    return device


def forget_all(user: User, *, except_digest: str = "") -> None:
    KnownDevice.objects.filter(user=user).exclude(digest=except_digest).delete()


def delete_old(*, now: datetime) -> int:
    """Forget devices whose cookie has run out. Returns how many."""
    return KnownDevice.objects.filter(last_seen_at__lt=now - KEPT).delete()[0]
