"""The second factor: who must have one, and whether a code is right.

A TOTP code (RFC 6238) counts once: of two who send the same one, one is let in. The step that was used last is kept in
the authenticator's row and compared under its lock, not in a cache that may be away.
"""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.conf import settings
from django.db import transaction

from accounts.models import User
from petplace.errors import DomainError, NotAllowed

PERIOD = 30  # seconds of a step
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)

# Apps above say from when on somebody needs a second factor (None: not for their sake).
obligations: list[Callable[[User], datetime | None]] = []


class SetupRequired(NotAllowed):
    """What was asked for takes an account with a second factor."""

    code = "mfa_setup_required"
    message = "Set up a second factor first: on the site under Settings, Two-step sign-in."


class CodeRequired(DomainError):
    """The password was right; the account asks for a code besides."""

    code = "mfa_required"
    status = 401
    message = "Send the code of your authenticator app, or a recovery code, as otp."


class CodeWrong(DomainError):
    code = "otp_invalid"
    status = 401
    message = "This code is wrong, too old or was used already. Each code works once."


@dataclass(frozen=True)
class Wall:
    """Somebody still needs a second factor: until ``due_at`` it is advice, from then on the way is closed."""

    due_at: datetime
    is_closed: bool


def has_one(user: User) -> bool:
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def due_at(user: User) -> datetime | None:
    """Return from when on ``user`` needs a second factor: staff always have, others as their apps say, or never."""
    if not settings.REQUIRE_MFA:
        return None
    if user.is_staff:
        return user.date_joined
    return min((due for ask in obligations if (due := ask(user)) is not None), default=None)


def wall_of(user: User, *, now: datetime) -> Wall | None:
    """Return what stands before ``user``, or None for those who have a second factor or need none."""
    due = due_at(user)
    if due is None or has_one(user):
        return None
    return Wall(due, is_closed=due <= now)


def demand(user: User, *, now: datetime) -> None:
    """Raise :class:`SetupRequired` when the time to set one up is over."""
    wall = wall_of(user, now=now)
    if wall is not None and wall.is_closed:
        raise SetupRequired


def demand_of_staff(user: User, *, now: datetime) -> None:
    """As :func:`demand`, for staff alone: providers keep what they may do as owners."""
    if user.is_staff:
        demand(user, now=now)


@transaction.atomic
def use_code(user: User, code: str, *, now: datetime) -> Authenticator | None:
    """Return the authenticator that ``code`` is right for and use the code up, or None.

    Steps: lock the rows of the person, compare the TOTP codes of the steps around ``now`` that are newer than the last
    used one, then the recovery codes.
    """
    code = re.sub(r"[\s-]", "", code)
    if not re.fullmatch(r"[0-9]{6,8}", code):
        return None
    rows = _locked(user)
    for row in rows:
        if row.type == Authenticator.Type.TOTP and _use_step(row, code, now):
            return row
    for row in rows:
        if row.type == Authenticator.Type.RECOVERY_CODES and row.wrap().validate_code(code):
            return row
    return None


def _locked(user: User) -> list[Authenticator]:
    codes = (Authenticator.Type.TOTP, Authenticator.Type.RECOVERY_CODES)
    found = Authenticator.objects.filter(user_id=user.pk, type__in=codes).order_by("pk")
    return list(found.select_for_update(no_key=True))


def _use_step(row: Authenticator, code: str, now: datetime) -> bool:
    step = step_of(decrypt(row.data["secret"]), code, now=now)
    if step is None or step <= row.data.get("last_step", 0):
        return False
    row.data["last_step"] = step
    row.save(update_fields=["data"])
    return True


def step_of(secret: str, code: str, *, now: datetime) -> int | None:
    """Return the step around ``now`` that ``code`` belongs to, or None."""
    present = int(now.timestamp()) // PERIOD
    tolerance: int = settings.MFA_TOTP_TOLERANCE
    for step in range(present - tolerance, present + tolerance + 1):
        right = totp.format_hotp_value(totp.hotp_value(secret, step))
        if hmac.compare_digest(right.encode(), code.encode()):
            return step
    return None


def remove_all(user: User) -> int:
    """Take every factor away: for who has lost them all and has shown who they are. Returns how many."""
    return int(Authenticator.objects.filter(user_id=user.pk).delete()[0])
