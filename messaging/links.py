"""One-tap links: an address in a message that lets its reader act without signing in.

The address carries who may do what, with which thing, in which version of it, and until when, under our signature. A
GET shows what would happen and changes nothing (mail programs open links by themselves); a POST acts, through the same
domain function as a page. A changed password, a ban and a closed account end every link but those that only switch
something off.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User
from messaging.choices import Channel
from messaging.kinds import Kind
from petplace.errors import DomainError

SALT = "petplace.messaging.links"
UNSUBSCRIBE = "unsubscribe"
UNSUBSCRIBE_FOR = timedelta(days=400)
LONGEST = 600  # characters of an address that is looked at at all


class DeadLinkError(DomainError):
    """The link is not one of ours."""

    code = "link_invalid"
    status = 404
    message = "This link is not complete. Open it once more from the message, or sign in and act there."


class EndedLinkError(DeadLinkError):
    """The link was good once."""

    code = "link_ended"
    status = 410
    message = "This link has run out. What can still be done is on the page."


@dataclass(frozen=True)
class Link:
    """What a link says. ``subject`` names the thing (``booking:<uid>``), ``stamp`` the version that was spoken of."""

    user: User
    verb: str
    subject: str
    stamp: int = 0

    @property
    def uid(self) -> UUID:
        return UUID(self.subject.partition(":")[2])


def absolute(path: str) -> str:
    """Return the whole address of a path of ours; an address stays as it is."""
    return urljoin(f"{settings.SITE_URL.rstrip('/')}/", path) if path.startswith("/") else path


def make(user: User, verb: str, subject: str, *, expires_at: datetime, stamp: int = 0) -> str:
    """Return the token of a link, safe in an address."""
    said = [user.uid.hex, verb, subject, stamp, int(expires_at.timestamp()), _fingerprint(user, verb)]
    return _signer().sign_object(said, compress=False)


def read(token: str, *, now: datetime, verbs: Sequence[str]) -> Link:
    """Return what ``token`` says, if it is one of ``verbs``. Raises DeadLinkError."""
    user_uid, verb, subject, stamp, expires, fingerprint = _open(token)
    if verb not in verbs:
        raise DeadLinkError
    user = User.objects.filter(uid=UUID(user_uid)).first()
    if user is None or not user.is_active:
        raise EndedLinkError("The account of this link is closed, so there is nothing left to do.", code="link_closed")
    if now.timestamp() >= expires:
        raise EndedLinkError(code="link_expired")
    if not constant_time_compare(fingerprint, _fingerprint(user, verb)):
        raise EndedLinkError("The password was changed after this message, so its links have ended. Please sign in.")
    return Link(user, verb, subject, stamp)


def unsubscribe_url(user: User, kind: Kind, *, now: datetime) -> str:
    """Return the address that switches off e-mails of ``kind``; '' where they cannot be switched off."""
    if not kind.can_switch(Channel.EMAIL):
        return ""
    token = make(user, UNSUBSCRIBE, f"kind:{kind.name}", expires_at=now + UNSUBSCRIBE_FOR)
    return absolute(reverse("messaging:unsubscribe", args=[token]))


def _open(token: str) -> tuple[str, str, str, int, int, str]:
    if len(token) > LONGEST:
        raise DeadLinkError
    try:
        said: Any = _signer().unsign_object(token)
    except (BadSignature, ValueError, UnicodeError) as error:
        raise DeadLinkError from error
    return tuple(said)


def _signer() -> Signer:
    return Signer(salt=SALT, sep=".")


def _fingerprint(user: User, verb: str) -> str:
    """Return what changes with the password and with a ban. Nothing for a link that only switches something off."""
    if verb == UNSUBSCRIBE:
        return ""
    return salted_hmac(SALT, f"{user.password}:{user.token_version}", algorithm="sha256").hexdigest()[:20]
