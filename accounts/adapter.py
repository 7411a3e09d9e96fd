"""What allauth asks us."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import guessing
from accounts.domain import credentials
from accounts.models import User
from petplace import limits


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    _tries: guessing.Tries | None = None

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

    # --- Guessing. Instead of allauth's own counts, which a stranger could use up for somebody else.

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        if request.user.is_authenticated:
            self._tries = guessing.own_password(request.user)
        else:
            self._tries = guessing.passwords(
                str(credentials.get("email") or ""),
                device=guessing.digest_of(request),
                address=limits.client_ip(request),
            )
        if self._tries.count() is not None:
            raise self.validation_error("too_many_login_attempts")

    def _rollback_login_failed_rl_usage(self) -> None:
        """The password was right."""
        if self._tries is not None:
            self._tries.forget()

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        guessing.remember(request, response, user)
        return response
