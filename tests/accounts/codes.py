"""Second factors for tests."""

from datetime import datetime

from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.utils import timezone

from accounts.models import User

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def add_totp(user: User) -> list[str]:
    """Give ``user`` an authenticator app and return the recovery codes that came with it."""
    TOTP.activate(user, SECRET)
    return list(RecoveryCodes.activate(user).generate_codes())


def code(*, steps: int = 0, now: datetime | None = None, secret: str = SECRET) -> str:
    """Return what the app shows, so many steps from now."""
    return format_hotp_value(hotp_value(secret, int((now or timezone.now()).timestamp()) // 30 + steps))
