"""How often one may ask. The rates are ``REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]``."""

from typing import Any, Protocol

from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from petplace import limits


class Throttle(BaseThrottle):
    scope = ""

    def __init__(self) -> None:
        self._wait: int | None = None

    def ident(self, request: Request) -> str | None:
        """Return who is counted, or None for no limit."""
        raise NotImplementedError

    def allow_request(self, request: Request, view: Any) -> bool:
        ident = self.ident(request)
        self._wait = None if ident is None else limits.hit(self.scope, ident)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait


class AnonThrottle(Throttle):
    scope = "anon"

    def ident(self, request: Request) -> str | None:
        return None if request.user.is_authenticated else limits.client_ip(request)


class UserThrottle(Throttle):
    scope = "user"

    def ident(self, request: Request) -> str | None:
        return str(request.user.pk) if request.user.is_authenticated else None


class SignInThrottle(Throttle):
    """By address, before anything is looked at. Views add the account with :func:`count_account`."""

    scope = "sign_in"

    def ident(self, request: Request) -> str | None:
        return f"ip:{limits.client_ip(request)}"


def count_account(email: str) -> None:
    """Count one try to sign in to the account of ``email``, wherever it comes from; raise 429 over the limit."""
    wait = limits.hit("sign_in", f"account:{email.strip().lower()}")
    if wait is not None:
        raise Throttled(wait)


class Counted(Protocol):
    """What can be counted: :class:`accounts.guessing.Tries`."""

    def count(self) -> int | None: ...


def count(tries: Counted) -> None:
    """Count one try; raise 429 over the limit."""
    wait = tries.count()
    if wait is not None:
        raise Throttled(wait)
