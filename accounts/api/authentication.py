"""Who sends the request: a JWT of a live family."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.tokens import AccessToken, Token

from accounts.api import tokens
from accounts.domain.families import TokenRefusedError
from accounts.models import User

SCHEME = b"bearer"


class TokenAuthentication(BaseAuthentication):
    """One query answers whether the user is active, the password the same and the family not signed out.

    Roles and rights come from that row, never from the token.
    """

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        parts = request.META.get("HTTP_AUTHORIZATION", "").encode("utf-8", "replace").split()
        if not parts or parts[0].lower() != SCHEME:
            return None
        if len(parts) != 2:
            raise AuthenticationFailed("Send one token after Bearer.", code="token_not_valid")
        try:
            token = tokens.read(AccessToken, parts[1])
            claim = tokens.claim_of(token)
        except TokenRefusedError as refused:
            raise AuthenticationFailed(refused.message, code=refused.code) from None
        user = User.objects.filter(
            uid=claim.user,
            is_active=True,
            token_version=claim.version,
            token_families__uid=claim.family,
            token_families__revoked_at__isnull=True,
        ).first()
        if tokens.is_waiting(token, user):
            raise AuthenticationFailed(tokens.UnprovenError.message, code=tokens.UnprovenError.code)
        if user is None:
            raise AuthenticationFailed(TokenRefusedError.message, code=TokenRefusedError.code)
        return user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'
