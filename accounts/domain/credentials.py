"""Passwords, and being allowed in at all."""

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.audit import AuditAction
from accounts.domain import audit, consents, devices, events, families, second_factor
from accounts.domain.events import AccountEvent
from accounts.models import User


def check(email: str, password: str) -> User | None:
    """Return the active user whom address and password belong to, or None.

    Takes the time of one password hash whether the address is known or not, so that the answer does not tell.
    """
    user = User.objects.filter(email=User.objects.normalize_email(email)).first()
    if user is None:
        User().set_password(password)
        return None
    return user if user.check_password(password) and user.is_active else None


def register(*, email: str, password: str, full_name: str) -> User | None:
    """Make an account whose address is not proven yet. Returns None when the address has one already."""
    email = User.objects.normalize_email(email)
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, full_name=full_name)
            EmailAddress.objects.create(user=user, email=email, primary=True, verified=False)
            consents.accept_texts(user, now=timezone.now())
    except IntegrityError:
        return None
    return user


@transaction.atomic
def set_password(user: User, password: str, *, now: datetime) -> None:
    """Set a password (checked by the caller) and end every token. Django ends the sessions, which hash it."""
    user.set_password(password)
    user.save(update_fields=["password"])
    families.end_all(user, now=now)
    events.tell(user, AccountEvent.PASSWORD_CHANGED, now=now)


@transaction.atomic
def block(user: User, *, by: User | None, now: datetime, reason: str = "") -> None:
    """Ban ``user``, on the record."""
    deactivate(user, now=now)
    audit.record(AuditAction.BLOCK_USER, by=by, target=user, reason=reason, now=now)


@transaction.atomic
def unblock(user: User, *, by: User | None, now: datetime, reason: str = "") -> None:
    """Let ``user`` in again, on the record."""
    reactivate(user)
    audit.record(AuditAction.UNBLOCK_USER, by=by, target=user, reason=reason, now=now)


@transaction.atomic
def deactivate(user: User, *, now: datetime) -> None:
    """End every way in: the next request with any token or session is not signed in."""
    user.is_active = False
    user.save(update_fields=["is_active"])
    families.end_all(user, now=now)
    end_sessions(user)


def reactivate(user: User) -> None:
    user.is_active = True
    user.save(update_fields=["is_active"])


def forget_ended_sessions() -> int:
    """Drop the records of browser sessions that have run out or were signed out. Returns how many."""
    alive = Session.objects.values("session_key")
    return int(UserSession.objects.exclude(session_key__in=alive).delete()[0])


def end_sessions(user: User, *, except_key: str | None = None) -> None:
    """End the browser sessions of ``user`` but the one with ``except_key``."""
    for session in UserSession.objects.filter(user=user).exclude(session_key=except_key or ""):
        session.end()


@transaction.atomic
def sign_out_everywhere(user: User, *, now: datetime, except_key: str | None = None, except_device: str = "") -> None:
    """End every app and every browser session of ``user`` but that of ``except_key``, and forget their devices."""
    families.end_all(user, now=now)
    end_sessions(user, except_key=except_key)
    devices.forget_all(user, except_digest=except_device)


@transaction.atomic
def reset_second_factor(user: User, *, by: User | None, now: datetime) -> None:
    """Take away every second factor of somebody who has lost them all, and sign out whoever is signed in."""
    if second_factor.remove_all(user):
        audit.record(AuditAction.MFA_DISABLED, by=by, target=user, after={"kind": "all"}, now=now)
    sign_out_everywhere(user, now=now)
