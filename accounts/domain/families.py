"""Refresh tokens that work once. A family is one sign-in over the API; its newest token alone is good."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from accounts.domain import events
from accounts.domain.events import AccountEvent
from accounts.models import TokenFamily, User
from petplace.errors import DomainError


class TokenRefusedError(DomainError):
    """The token is not, or no longer, good: sign in again."""

    code = "token_not_valid"
    status = 401
    message = "This token is not valid any more. Please sign in again."


@dataclass(frozen=True)
class Claim:
    """What a refresh token says of itself, its signature checked."""

    family: UUID
    user: UUID
    jti: UUID
    version: int


def start(user: User, *, jti: UUID, user_agent: str, expires_at: datetime) -> TokenFamily:
    return TokenFamily.objects.create(user=user, current_jti=jti, user_agent=user_agent[:200], expires_at=expires_at)


def rotate(claim: Claim, *, new_jti: UUID, now: datetime, expires_at: datetime) -> TokenFamily:
    """Take the family from ``claim.jti`` to ``new_jti``, or raise :class:`TokenRefusedError`.

    One UPDATE that names the old id decides: of twenty at once one changes the row. The id must stand in the UPDATE's
    own WHERE, which is asked again after a wait; filters over a join would take it into a subquery, which is not.
    Whoever comes with an id that was already used holds a copy, so the family ends and its owner is told (RFC 9700,
    4.14.2).
    """
    holder = User.objects.filter(pk=OuterRef("user_id"), uid=claim.user, is_active=True, token_version=claim.version)
    changed = TokenFamily.objects.filter(
        Exists(holder), uid=claim.family, current_jti=claim.jti, revoked_at__isnull=True, expires_at__gt=now
    ).update(current_jti=new_jti, rotated_at=now, expires_at=expires_at)
    if not changed:
        _end_if_reused(claim, now=now)
        raise TokenRefusedError
    return TokenFamily.objects.select_related("user").get(uid=claim.family)


@transaction.atomic
def _end_if_reused(claim: Claim, *, now: datetime) -> None:
    family = TokenFamily.objects.select_related("user").filter(uid=claim.family, user__uid=claim.user).first()
    if family is None or family.current_jti == claim.jti:
        return  # ended, expired or banned: nothing was copied
    if TokenFamily.objects.filter(pk=family.pk, revoked_at__isnull=True).update(revoked_at=now):
        events.tell(family.user, AccountEvent.TOKEN_REUSED, now=now)


def end(claim: Claim, *, now: datetime) -> None:
    """Sign out: the family's tokens are dead. Safe to repeat."""
    TokenFamily.objects.filter(uid=claim.family, user__uid=claim.user, revoked_at__isnull=True).update(revoked_at=now)


def end_family(family: TokenFamily, *, now: datetime) -> None:
    """Sign one app out. Safe to repeat."""
    TokenFamily.objects.filter(pk=family.pk, revoked_at__isnull=True).update(revoked_at=now)


def end_all(user: User, *, now: datetime) -> None:
    """Kill every token of ``user``, refresh and access."""
    TokenFamily.objects.filter(user=user, revoked_at__isnull=True).update(revoked_at=now)
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    user.refresh_from_db(fields=["token_version"])


def delete_expired(*, now: datetime) -> int:
    """Forget families whose last token has expired. Returns how many."""
    return TokenFamily.objects.filter(expires_at__lt=now).delete()[0]
