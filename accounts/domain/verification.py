"""Proving an address with a code from a mail, without a table: the code is derived from the address and the hour.

Forty bits that change every half an hour cannot be guessed even where nothing counts the tries.
"""

import base64
import hmac
from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.utils.crypto import salted_hmac

from petplace.errors import InvalidInput

WINDOW = 1800  # seconds; a code is good in its own window and the next
SALT = "accounts.domain.verification"


def _code(address: EmailAddress, window: int) -> str:
    digest = salted_hmac(SALT, f"{address.pk}:{address.email}:{window}", secret=settings.SECRET_KEY, algorithm="sha256")
    return base64.b32encode(digest.digest())[:8].decode()


def code_for(address: EmailAddress, *, now: datetime) -> str:
    """Return the code to send to ``address``, eight letters and digits, good for half an hour at least."""
    return _code(address, int(now.timestamp()) // WINDOW)


def find_unproven(email: str) -> EmailAddress | None:
    address: EmailAddress | None = EmailAddress.objects.filter(
        email=email.strip().lower(), verified=False, user__is_active=True
    ).first()
    return address


def verify(email: str, code: str, *, now: datetime) -> None:
    """Mark ``email`` as proven, or raise 400 ``invalid_code`` (also for an address that we do not know)."""
    address = find_unproven(email)
    window = int(now.timestamp()) // WINDOW
    given = code.strip().upper().encode()
    if address is None or not any(
        hmac.compare_digest(_code(address, one).encode(), given) for one in (window, window - 1)
    ):
        message = "This code is wrong or too old. Ask for a new one."
        raise InvalidInput(message, code="invalid_code", fields={"code": [message]})
    address.set_verified()
