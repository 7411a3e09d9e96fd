"""Tokens on the wire: made and read with simplejwt, decided on by ``accounts.domain.families``."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts import permissions
from accounts.domain import families
from accounts.domain.families import Claim
from accounts.models import User

MAX_LENGTH = 2048  # ours are shorter than 600


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


class UnprovenError(families.TokenRefusedError):
    code = "email_not_verified"
    message = "Please prove your e-mail address first, with the code that we sent."


def _mint(kind: type[Token], *, user: UUID, family: UUID, version: int, jti: UUID, is_pending: bool) -> Token:
    token = kind()
    token["sub"] = str(user)
    token["jti"] = jti.hex
    token["fam"] = str(family)
    token["ver"] = version
    if is_pending:
        token["pending"] = True
    return token


def _pair(*, user: UUID, family: UUID, version: int, jti: UUID, is_pending: bool) -> Pair:
    common = {"user": user, "family": family, "version": version, "is_pending": is_pending}
    return Pair(
        access=str(_mint(AccessToken, jti=uuid4(), **common)),  # type: ignore[arg-type]
        refresh=str(_mint(RefreshToken, jti=jti, **common)),  # type: ignore[arg-type]
    )


def start(user: User, *, user_agent: str, now: datetime, is_pending: bool = False) -> Pair:
    """Begin a family for ``user``. Pending tokens work from the moment that the address is proven."""
    jti = uuid4()
    family = families.start(user, jti=jti, user_agent=user_agent, expires_at=_expiry(now))
    return _pair(user=user.uid, family=family.uid, version=user.token_version, jti=jti, is_pending=is_pending)


def decoy() -> Pair:
    """Return pending tokens of nobody, which look and behave like those of an account that waits for its proof."""
    return _pair(user=uuid4(), family=uuid4(), version=0, jti=uuid4(), is_pending=True)


def rotate(raw: str, *, now: datetime) -> Pair:
    """Exchange a refresh token for a new pair; raise :class:`families.TokenRefusedError`."""
    token = read(RefreshToken, raw)
    claim = claim_of(token)
    if is_waiting(token, User.objects.filter(uid=claim.user).first()):
        raise UnprovenError
    jti = uuid4()
    family = families.rotate(claim, new_jti=jti, now=now, expires_at=_expiry(now))
    return _pair(user=claim.user, family=family.uid, version=claim.version, jti=jti, is_pending=False)


def end(raw: str, *, now: datetime) -> None:
    families.end(claim_of(read(RefreshToken, raw)), now=now)


def read(kind: type[Token], raw: str | bytes) -> Token:
    """Check signature, expiry, audience, issuer and kind. Whatever is wrong with a token, it is refused, no more."""
    if len(raw) > MAX_LENGTH:
        raise families.TokenRefusedError
    try:
        return kind(raw)  # type: ignore[arg-type]
    except (TokenError, ValueError, TypeError, OverflowError, RecursionError, KeyError):
        raise families.TokenRefusedError from None


def is_waiting(token: Token, user: User | None) -> bool:
    """Whether a pending token is still of no use. A decoy is pending and has no user: it waits for ever."""
    return bool(token.get("pending")) and (user is None or not permissions.has_verified_email(user))


def claim_of(token: Token) -> Claim:
    try:
        claim = Claim(UUID(token["fam"]), UUID(token["sub"]), UUID(token["jti"]), token["ver"])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise families.TokenRefusedError from None
    if type(claim.version) is not int or not 0 <= claim.version < 2**31:
        raise families.TokenRefusedError
    return claim


def _expiry(now: datetime) -> datetime:
    return now + RefreshToken.lifetime
