"""What allauth asks us about the second factor, and its forms with our checks."""

import base64
import hashlib
import json
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.core import context
from allauth.mfa import signals
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.base import forms as base_forms
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn import forms as webauthn_forms
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts import guessing
from accounts.audit import AuditAction
from accounts.domain import audit, second_factor
from accounts.models import User

MAX_CREDENTIAL = 20_000  # characters; real ones have about 2000


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"accounts.mfa:{secret}".encode()).digest()))


def _box() -> MultiFernet:
    """Return what encrypts with the present key and reads with the former ones too."""
    present = settings.MFA_ENCRYPTION_KEY or settings.SECRET_KEY
    return MultiFernet([_fernet(key) for key in (present, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


class MfaAdapter(DefaultMFAAdapter):
    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is wrong, too old or was used already. Each code works once.",
        "unverified_email": "Prove your e-mail address first, under Settings.",
    }

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise RuntimeError("MFA_ENCRYPTION_KEY (or SECRET_KEY) is not the one that wrote this key.") from None

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """In production passkeys belong to the host of SITE_URL, whatever name the request came to."""
        host = urlsplit(settings.SITE_URL).hostname if settings.IS_PRODUCTION else None
        return {"id": host or context.request.get_host().partition(":")[0], "name": settings.MFA_TOTP_ISSUER}


# --- Codes ----------------------------------------------------------------------------------------


class _CodeForm(base_forms.BaseAuthenticateForm):
    """A code is counted before it is looked at, and used up by :func:`second_factor.use_code`."""

    is_reauthentication = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = "Code"
        field.max_length = 20
        field.widget.attrs |= {"inputmode": "numeric", "autofocus": True, "maxlength": "20"}
        field.widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        tries = guessing.otp(context.request, self.user)
        if tries.count() is not None:
            raise get_account_adapter().validation_error("too_many_login_attempts")
        found = second_factor.use_code(self.user, code, now=timezone.now())
        if found is None:
            self._tell_of_failure()
            raise get_adapter().validation_error("incorrect_code")
        tries.forget()
        found.user = self.user
        self.authenticator = found
        return code

    def _tell_of_failure(self) -> None:
        row = Authenticator.objects.filter(user=self.user).order_by("-type").first()
        if row is not None:
            signals.authentication_failed.send(
                sender=Authenticator,
                request=context.request,
                user=self.user,
                authenticator=row,
                reauthentication=self.is_reauthentication,
            )


class AuthenticateForm(_CodeForm, base_forms.AuthenticateForm):
    pass


class ReauthenticateForm(_CodeForm, base_forms.ReauthenticateForm):
    is_reauthentication = True


class ActivateTotpForm(ActivateTOTPForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.label = "Code from the app"
        field.max_length = 20
        field.widget.attrs |= {"inputmode": "numeric", "maxlength": "20"}
        field.widget.attrs.pop("placeholder", None)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if not code.isascii():
            raise get_adapter().validation_error("incorrect_code")
        return str(super().clean_code())


# --- Passkeys -------------------------------------------------------------------------------------


class CredentialField(forms.JSONField):
    """What a browser answered: an object of a sensible size, of text that the database can keep."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and (len(value) > MAX_CREDENTIAL or "\\u0000" in value or "\0" in value):
            raise get_adapter().validation_error("incorrect_code")
        try:
            found = super().to_python(value)
            json.dumps(found).encode()
        except (RecursionError, UnicodeEncodeError):
            raise get_adapter().validation_error("incorrect_code") from None
        if found is not None and not isinstance(found, dict):
            raise get_adapter().validation_error("incorrect_code")
        return found


class _Strict(forms.Form):
    """The library that reads credentials answers nonsense with whatever error comes: here it is a wrong code."""

    credential = CredentialField(required=True, widget=forms.HiddenInput)

    def _or_refuse(self, clean: Any) -> Any:
        try:
            return clean()
        except ValidationError:
            raise
        except (AttributeError, ArithmeticError, LookupError, TypeError, ValueError):
            raise get_adapter().validation_error("incorrect_code") from None


class AddPasskeyForm(_Strict, webauthn_forms.AddWebAuthnForm):
    credential = CredentialField(required=True, widget=forms.HiddenInput)
    name = forms.CharField(required=False, max_length=60, label="Name", help_text="So that you can tell them apart.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["passwordless"].label = "Sign in with it alone"
        self.fields["passwordless"].initial = True
        self.fields["passwordless"].help_text = "Your device asks for your finger, face or PIN instead of a password."

    def clean(self) -> Any:
        return self._or_refuse(super().clean)


class EditPasskeyForm(webauthn_forms.EditWebAuthnForm):
    name = forms.CharField(max_length=60, label="Name", help_text="So that you can tell them apart.")


class AuthenticatePasskeyForm(_Strict, webauthn_forms.AuthenticateWebAuthnForm):
    credential = CredentialField(required=True, widget=forms.HiddenInput)

    def clean_credential(self) -> Any:
        return self._or_refuse(super().clean_credential)


class LoginPasskeyForm(_Strict, webauthn_forms.LoginWebAuthnForm):
    credential = CredentialField(required=True, widget=forms.HiddenInput)

    def clean_credential(self) -> Any:
        return self._or_refuse(super().clean_credential)


class ReauthenticatePasskeyForm(_Strict, webauthn_forms.ReauthenticateWebAuthnForm):
    credential = CredentialField(required=True, widget=forms.HiddenInput)

    def clean_credential(self) -> Any:
        return self._or_refuse(super().clean_credential)


# --- What is noted ----------------------------------------------------------------------------------


def start_counting(row: Authenticator, *, now: datetime) -> None:
    """The code that activated an app counts as used."""
    if row.type == Authenticator.Type.TOTP:
        row.data["last_step"] = int(now.timestamp()) // second_factor.PERIOD
        row.save(update_fields=["data"])


def _added(sender: Any, user: User, authenticator: Authenticator, **_: Any) -> None:
    now = timezone.now()
    start_counting(authenticator, now=now)
    audit.record(AuditAction.MFA_ENABLED, by=user, target=user, after={"kind": authenticator.type}, now=now)


def _removed(sender: Any, user: User, authenticator: Authenticator, **_: Any) -> None:
    audit.record(
        AuditAction.MFA_DISABLED, by=user, target=user, before={"kind": authenticator.type}, now=timezone.now()
    )


def _reset(sender: Any, user: User, **_: Any) -> None:
    audit.record(AuditAction.MFA_CODES, by=user, target=user, now=timezone.now())


def connect() -> None:
    """Called once, when the app is ready."""
    signals.authenticator_added.connect(_added, dispatch_uid="accounts-mfa-added")
    signals.authenticator_removed.connect(_removed, dispatch_uid="accounts-mfa-removed")
    signals.authenticator_reset.connect(_reset, dispatch_uid="accounts-mfa-reset")
