"""The two letters that the account itself writes; allauth writes the others."""

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string


def send_code(address: EmailAddress, code: str) -> None:
    """Send the code that proves ``address``."""
    context = {"user": address.user, "code": code, "site_url": settings.SITE_URL}
    send_mail(
        "Your Pet Place code", render_to_string("accounts/email/code.txt", context), None, [address.email]
    )  # fmt: skip
