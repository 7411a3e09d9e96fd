"""Reading the key of a password reset, as allauth writes it into its links."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import url_str_to_user_pk
from django.core.exceptions import ValidationError

from accounts.models import User


def user_of(key: str) -> User | None:
    """Return whom a key of the form ``<user>-<token>`` belongs to, while it is good.

    It works once, and dies with a change of the password or the address (the token is made from both).
    """
    uid, _, token = key.partition("-")
    try:
        pk = int(url_str_to_user_pk(uid))
    except (ValueError, ValidationError):
        return None
    user = User.objects.filter(pk=pk, is_active=True).first() if 0 < pk < 2**63 else None
    return user if user is not None and default_token_generator.check_token(user, token) else None
