"""Promo codes are short enough to be guessed, so tries are counted: by account and by address.

A try counts before the code is looked at (a burst is as many tries as it has requests), and is forgotten when the code
exists: only wrong ones add up.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from petplace import limits
from petplace.errors import DomainError

UNKNOWN = "promo_unknown"
MESSAGE = "Those were many codes. Please wait a minute before you try another one."


@contextmanager
def counted(request: Any, code: str) -> Iterator[None]:
    """Look at ``code`` inside; an error ``promo_unknown`` that passes here leaves the try counted."""
    if not code:
        yield
        return
    count(request)
    try:
        yield
    except DomainError as error:
        if error.code != UNKNOWN:
            forget(request)
        raise
    forget(request)


def count(request: Any) -> None:
    """Count one try of the request's sender. Raises DomainError with status 429 over the limit."""
    waits = [limits.hit(scope, ident) for scope, ident in _idents(request)]  # each is counted
    wait = max((wait for wait in waits if wait is not None), default=None)
    if wait is not None:
        raise TooManyTriesError(wait)


def forget(request: Any) -> None:
    """Take the try back: the code exists."""
    for scope, ident in _idents(request):
        limits.forget(scope, ident)


class TooManyTriesError(DomainError):
    code = "throttled"
    status = 429
    message = MESSAGE

    def __init__(self, wait: int) -> None:
        super().__init__(fields={"promo_code": [MESSAGE]}, extra={"retry_after": wait})


def _idents(request: Any) -> list[tuple[str, str]]:
    """``request`` is Django's or the REST framework's."""
    found = [("promo_address", limits.client_ip(request))]
    if request.user.is_authenticated:
        found.append(("promo", str(request.user.pk)))
    return found
