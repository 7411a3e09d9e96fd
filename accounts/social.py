"""Signing in with an account elsewhere."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.http import HttpRequest

from accounts.models import User


class SocialAdapter(DefaultSocialAccountAdapter):
    """An account elsewhere leads into an account here only where both sides have proven the same address.

    Of the other side we believe ``email_verified`` of providers that the operator has named. Here the address must be
    the proven login: whoever only typed somebody's address into the sign-up has nothing that the owner could fall into.
    """

    def authenticate_by_email(self, sociallogin: Any) -> tuple[User, str] | None:
        for theirs in sociallogin.email_addresses:
            if theirs.verified is not True or not self.can_authenticate_by_email(sociallogin, theirs.email):
                continue
            email = User.objects.normalize_email(theirs.email)
            if not email.isascii():
                continue  # look-alikes of an address are other addresses
            ours = EmailAddress.objects.filter(email=email, verified=True, user__email=email, user__is_active=True)
            if (found := ours.select_related("user").first()) is not None:
                return found.user, email
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Nothing but a plain yes is a yes: a new account keeps its address as unproven otherwise."""
        for address in sociallogin.email_addresses:
            address.verified = address.verified is True

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        name = data.get("name") or " ".join(filter(None, (data.get("first_name"), data.get("last_name"))))
        user.full_name = " ".join(str(name or "").split())[:120]
        user.email = User.objects.normalize_email(user.email)
        return user
