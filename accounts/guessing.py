"""How often passwords and codes may be guessed, without one person locking another out.

Whoever signs in from a device that has signed in to this account before has a count of their own, so what strangers
guess elsewhere does not touch them. Everybody else shares the counts of the account and of their address.
"""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.crypto import get_random_string

from accounts.domain import devices
from accounts.models import User
from petplace import limits
from petplace.templatetags.ui import device as device_name

COOKIE = "known_device"
LENGTH = 43  # of its random text: 256 bits


@dataclass(frozen=True)
class Tries:
    """Counters that one try is counted in, as pairs of scope and ident."""

    counters: tuple[tuple[str, str], ...]

    def count(self) -> int | None:
        """Count a try in all of them. Return None when it is allowed, else the seconds to wait."""
        waits = [wait for wait in (limits.hit(*one) for one in self.counters) if wait is not None]
        return max(waits, default=None)

    def forget(self) -> None:
        """Take the try back: it was right."""
        for one in self.counters:
            limits.forget(*one)


def passwords(email: str, *, device: str = "", address: str = "") -> Tries:
    """Return what a try of a password counts in. ``device`` is a digest, ``address`` the network's."""
    email = email.strip().lower()
    if device and devices.is_known(email, device, now=timezone.now()):
        return Tries((("sign_in", f"device:{device}:{email}"),))
    counters = [("sign_in", f"account:{email}"), ("sign_in_account", f"account:{email}")]
    if address:
        counters.append(("sign_in", f"ip:{address}"))
    return Tries(tuple(counters))


def own_password(user: User) -> Tries:
    """Of somebody who is signed in and shows the password once more: strangers do not count here."""
    return Tries((("sign_in", f"own:{user.pk}"),))


def codes(user: User, *, device: str = "") -> Tries:
    """Return what a try of a second factor counts in. Strangers get here with the right password alone."""
    is_known = bool(device) and devices.is_known(user.email, device, now=timezone.now())
    ident = f"device:{device}:{user.pk}" if is_known else f"user:{user.pk}"
    return Tries((("otp", ident), ("otp_long", ident)))


def otp(request: HttpRequest, user: User) -> Tries:
    """Return the counters of a code that is typed into one of our pages."""
    if request.user.is_authenticated:
        ident = f"own:{user.pk}"
        return Tries((("otp", ident), ("otp_long", ident)))
    return codes(user, device=digest_of(request))


# --- The device of a browser ------------------------------------------------------------------------


def agent_of(request: Any) -> str:
    return str(request.headers.get("User-Agent", ""))[:200].replace("\0", "")


def label_of(request: Any) -> str:
    return device_name(agent_of(request))


def digest_of(request: HttpRequest) -> str:
    """Return the digest of the browser's cookie, or nothing where it has none."""
    secret = request.COOKIES.get(COOKIE, "")
    return devices.digest_of(secret, label_of(request)) if len(secret) == LENGTH else ""


def remember(request: HttpRequest, response: HttpResponseBase, user: User) -> None:
    """Note the browser of a finished sign-in, and give it a cookie if it has none."""
    secret = request.COOKIES.get(COOKIE, "")
    if len(secret) != LENGTH:
        secret = get_random_string(LENGTH)
    label = label_of(request)
    devices.signed_in(user, digest=devices.digest_of(secret, label), label=label, now=timezone.now())
    response.set_cookie(
        COOKIE,
        secret,
        max_age=devices.KEPT,
        httponly=True,
        secure=settings.SESSION_COOKIE_SECURE,
        samesite="Lax",
    )
