"""Who may, as far as the account alone decides."""

from allauth.account.models import EmailAddress
from django.conf import settings

from accounts.models import User


def has_proven_address(user: User) -> bool:
    """Whether ``user`` has shown that the login address is theirs."""
    return bool(EmailAddress.objects.filter(user_id=user.pk, email=user.email, verified=True).exists())


def has_verified_email(user: User) -> bool:
    """Whether ``user`` may do what needs a proven address: always where the site does not ask for one (the demo)."""
    return not settings.REQUIRE_VERIFIED_EMAIL or has_proven_address(user)
