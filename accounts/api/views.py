"""Signing in over the API, and one's own account."""

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.forms import ResetPasswordForm
from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed, ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import guessing, mail, permissions, resets
from accounts.api import serializers, tokens
from accounts.domain import closing, credentials, devices, profile, second_factor, verification
from accounts.models import User
from petplace.api.serializers import StrictSerializer
from petplace.api.throttling import SignInThrottle, count, count_account
from petplace.api.views import ApiView
from petplace.http import caller_of
from providers.domain import places

SENT = "If there is an account with this address, a letter is on its way."


class PublicView(ApiView):
    """For people without a token; a token that came along is not looked at."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = [SignInThrottle]

    def read(self, serializer_class: type[StrictSerializer]) -> dict[str, Any]:
        serializer = serializer_class(data=self.request.data, context={"request": self.request})
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)


def _answer(pair: tokens.Pair, status: int = 200) -> Response:
    return Response({"access": pair.access, "refresh": pair.refresh}, status=status)


def _agent(request: Request) -> str:
    return request.headers.get("User-Agent", "")[:200].replace("\0", "")


class RegisterView(PublicView):
    @extend_schema(
        request=serializers.RegisterSerializer,
        responses={201: serializers.RegisteredSerializer},
        operation_id="register",
    )
    def post(self, request: Request) -> Response:
        """Make an account.

        Where the site asks for proven addresses, the tokens work once the code that was mailed is handed in at
        `auth/email/verify/`, and an address that has an account already gets the same answer and a letter.
        """
        data = self.read(serializers.RegisterSerializer)
        now = timezone.now()
        must_prove = settings.REQUIRE_VERIFIED_EMAIL
        user = credentials.register(**data)
        if user is None:
            if not must_prove:
                raise ValidationError({"email": ["There is an account with this address. Please sign in."]})
            get_adapter().send_account_already_exists_mail(data["email"])
            user, pair = User(email=data["email"], full_name=data["full_name"]), tokens.decoy()
        else:
            if must_prove:
                _send_code(data["email"])
            pair = tokens.start(user, user_agent=_agent(request), now=now, is_pending=must_prove)
        body = {"user": serializers.UserSerializer(user).data, "access": pair.access, "refresh": pair.refresh}
        return Response(body, status=201)


class LoginView(PublicView):
    @extend_schema(request=serializers.LoginSerializer, responses=serializers.TokensSerializer, operation_id="login")
    def post(self, request: Request) -> Response:
        """Exchange address and password for tokens.

        Where the account has a second factor, 401 `mfa_required` asks for `otp`; 401 `otp_invalid` is a wrong one.
        """
        data, now = self.read(serializers.LoginSerializer), timezone.now()
        label = guessing.label_of(request)
        known = devices.digest_of(data["device"], label) if "device" in data else ""
        tries = guessing.passwords(data["email"], device=known)
        count(tries)
        user = credentials.check(data["email"], data["password"])
        if user is None:
            raise AuthenticationFailed("The address or the password is wrong.", code="wrong_credentials")
        tries.forget()
        if not permissions.has_verified_email(user):
            _send_code(user.email)
            raise tokens.UnprovenError
        if second_factor.has_one(user):
            _check_code(user, data.get("otp", ""), known)
        User.objects.filter(pk=user.pk).update(last_login=now)
        devices.signed_in(user, digest=known or devices.digest_of("app", label), label=label, now=now)
        return _answer(tokens.start(user, user_agent=_agent(request), now=now))


def _check_code(user: User, code: str, device: str) -> None:
    """Use the code up, or raise; each try is counted before it is looked at."""
    if not code:
        raise second_factor.CodeRequired
    tries = guessing.codes(user, device=device)
    count(tries)
    if second_factor.use_code(user, code, now=timezone.now()) is None:
        raise second_factor.CodeWrong
    tries.forget()


class RefreshView(PublicView):
    @extend_schema(
        request=serializers.RefreshSerializer, responses=serializers.TokensSerializer, operation_id="refresh_token"
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair. It works once; using it again ends the sign-in."""
        return _answer(tokens.rotate(self.read(serializers.RefreshSerializer)["refresh"], now=timezone.now()))


class LogoutView(PublicView):
    @extend_schema(request=serializers.RefreshSerializer, responses={204: None}, operation_id="logout")
    def post(self, request: Request) -> Response:
        """End the sign-in that the refresh token belongs to, its access tokens included."""
        tokens.end(self.read(serializers.RefreshSerializer)["refresh"], now=timezone.now())
        return Response(status=204)


class LogoutAllView(ApiView):
    is_before_second_factor = True

    @extend_schema(request=None, responses={204: None}, operation_id="logout_everywhere")
    def post(self, request: Request) -> Response:
        """Sign out everywhere: every app and every browser, this one too."""
        credentials.sign_out_everywhere(caller_of(request), now=timezone.now())
        return Response(status=204)


class PasswordChangeView(ApiView):
    is_before_second_factor = True

    @extend_schema(
        request=serializers.PasswordChangeSerializer,
        responses=serializers.TokensSerializer,
        operation_id="change_password",
    )
    def post(self, request: Request) -> Response:
        """Set a new password. Every token and session ends; the answer has the only tokens that work."""
        serializer = serializers.PasswordChangeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user, data, now = caller_of(request), serializer.validated_data, timezone.now()
        count(guessing.own_password(user))
        if not user.check_password(data["current_password"]):
            raise ValidationError({"current_password": ["This is not your password."]})
        serializers.check_new_password(data["new_password"], user, "new_password")
        credentials.set_password(user, data["new_password"], now=now)
        return _answer(tokens.start(user, user_agent=_agent(request), now=now))


class PasswordResetView(PublicView):
    @extend_schema(
        request=serializers.PasswordResetSerializer,
        responses={202: serializers.DetailSerializer},
        operation_id="reset_password",
    )
    def post(self, request: Request) -> Response:
        """Send a letter with a link to set a new password. The answer is the same for any address."""
        data = self.read(serializers.PasswordResetSerializer)
        count_account(data["email"])
        form = ResetPasswordForm(data=data)
        if form.is_valid():
            form.save(request._request)
        return Response({"detail": SENT}, status=202)


class PasswordResetConfirmView(PublicView):
    @extend_schema(
        request=serializers.PasswordResetConfirmSerializer, responses={204: None}, operation_id="confirm_password_reset"
    )
    def post(self, request: Request) -> Response:
        """Set the new password with the key from the letter. Every token and session ends."""
        data = self.read(serializers.PasswordResetConfirmSerializer)
        user = resets.user_of(data["key"])
        if user is None:
            raise ValidationError({"key": ["This link was used or is too old. Ask for a new one."]})
        serializers.check_new_password(data["password"], user, "password")
        credentials.set_password(user, data["password"], now=timezone.now())
        return Response(status=204)


class EmailVerifyView(PublicView):
    @extend_schema(
        request=serializers.EmailVerifySerializer,
        responses={200: serializers.DetailSerializer, 202: serializers.DetailSerializer},
        operation_id="verify_email",
    )
    def post(self, request: Request) -> Response:
        """Prove an address with the code from the letter, or ask for a new code by leaving it out."""
        data = self.read(serializers.EmailVerifySerializer)
        count_account(data["email"])
        if "code" not in data:
            _send_code(data["email"])
            return Response({"detail": SENT}, status=202)
        verification.verify(data["email"], data["code"], now=timezone.now())
        return Response({"detail": "The address is proven."})


def _send_code(email: str) -> None:
    address = verification.find_unproven(email)
    if address is not None:
        mail.send_code(address, verification.code_for(address, now=timezone.now()))


class MeView(ApiView):
    is_before_second_factor = True

    @extend_schema(responses=serializers.UserSerializer, operation_id="get_me")
    def get(self, request: Request) -> Response:
        """Return the caller's own account."""
        return Response(serializers.UserSerializer(request.user).data)

    @extend_schema(
        request=serializers.UserSerializer(partial=True), responses=serializers.UserSerializer, operation_id="change_me"
    )
    def patch(self, request: Request) -> Response:
        """Change the profile. A place without a point is looked up."""
        serializer = serializers.UserSerializer(request.user, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        changes = places_filled(serializer.validated_data)
        return Response(serializers.UserSerializer(profile.update(caller_of(request), **changes)).data)

    @extend_schema(responses={204: None}, operation_id="close_me")
    def delete(self, request: Request) -> Response:
        """Close the account for good: what identifies the person goes. Refused (409) while something is open."""
        closing.close(caller_of(request), now=timezone.now())
        return Response(status=204)


def places_filled(changes: dict[str, Any]) -> dict[str, Any]:
    """Add the point of a home that was named without one; an unknown place stays a name."""
    if "home_place" not in changes or "home_latitude" in changes or "home_longitude" in changes:
        return changes
    found = places.lookup(changes["home_place"]) if changes["home_place"] else []
    point = (found[0].latitude, found[0].longitude) if found else (None, None)
    return {**changes, "home_latitude": point[0], "home_longitude": point[1]}
