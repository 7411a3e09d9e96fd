"""What allauth asks us."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts.domain import credentials
from accounts.models import User
from petplace import limits


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def set_password(self, user: User, password: str) -> None:
        """Change and reset go through the domain, so that tokens end here as they do over the API."""
        if user._state.adding:  # sign-up: nothing to end yet
            super().set_password(user, password)
        else:
            credentials.set_password(user, password, now=timezone.now())

    def send_notification_mail(self, template_prefix: str, user: User, *args: Any, **kwargs: Any) -> None:
        if "password" not in template_prefix:  # of passwords messaging tells, whatever door they are changed at
            super().send_notification_mail(template_prefix, user, *args, **kwargs)

    def get_client_ip(self, request: HttpRequest) -> str:
        return limits.client_ip(request)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Build the link from our own address, never from the request's Host."""
        return f"{settings.SITE_URL.rstrip('/')}/accounts/password/reset/key/{key}/"
