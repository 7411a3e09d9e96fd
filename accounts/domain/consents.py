"""What people have agreed to: a log in which nothing is overwritten."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import Consent, ConsentKind, User
from petplace import request_context


def versions() -> dict[str, str]:
    """Return the version of each text that counts today."""
    return {
        ConsentKind.TERMS: settings.TERMS_VERSION,
        ConsentKind.PRIVACY: settings.PRIVACY_VERSION,
        ConsentKind.MARKETING: settings.PRIVACY_VERSION,
    }


@transaction.atomic
def give(user: User, kind: str, *, now: datetime) -> Consent:
    """Write down that ``user`` agrees to today's version of ``kind``. Agreeing twice is agreeing once."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    made, _ = Consent.objects.standing().get_or_create(
        user=user,
        kind=ConsentKind(kind).value,
        version=versions()[kind],
        defaults={"at": now, "ip": request_context.current().ip},
    )
    return made


def withdraw(user: User, kind: str, *, now: datetime) -> int:
    """Take an agreement back; the rows stay and say when. Returns how many stood."""
    return Consent.objects.standing().filter(user=user, kind=kind).update(withdrawn_at=now)


def stands(user: User, kind: str) -> bool:
    return Consent.objects.standing().filter(user=user, kind=kind).exists()


def accept_texts(user: User, *, now: datetime) -> None:
    """Write down what signing up says: the terms are accepted, the privacy notice was shown."""
    give(user, ConsentKind.TERMS, now=now)
    give(user, ConsentKind.PRIVACY, now=now)


def on_signed_up(sender: Any, user: User, **_: Any) -> None:
    """Hear allauth's signal: by address or by an outside account, the words on the page are the same."""
    accept_texts(user, now=timezone.now())


def forget(user: User, now: datetime) -> None:
    """Keep that and when it was agreed, not from where."""
    Consent.objects.filter(user=user).update(ip=None)
