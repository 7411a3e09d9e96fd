"""JSON shapes of accounts."""

from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from phonenumber_field.phonenumber import to_python
from rest_framework import serializers as drf

from accounts import permissions
from accounts.models import User
from accounts.validators import validate_time_zone
from petplace.api import fields, serializers

MAX_PASSWORD = 128


def password_field(**kwargs: Any) -> fields.TextField:
    return fields.TextField(max_length=MAX_PASSWORD, trim_whitespace=False, write_only=True, **kwargs)


def check_new_password(password: str, user: User, field: str) -> None:
    """Raise 400 at ``field`` with every rule that the password breaks."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        raise drf.ValidationError({field: error.messages}) from None


class PhoneField(fields.LineField):
    """A phone number with its country, answered in E.164."""

    default_error_messages = {"phone": "Send a phone number with its country code, such as +49 30 901820."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        number = to_python(text) if text else None
        if text and (number is None or not number.is_valid()):
            self.fail("phone")
        return str(number.as_e164) if number else ""

    def to_representation(self, value: Any) -> str:
        return str(value.as_e164) if value else ""


class UserSerializer(serializers.StrictModelSerializer):
    id = serializers.IdField()
    phone = PhoneField(max_length=40, allow_blank=True, required=False)
    locale = fields.ChoiceField(choices=settings.LANGUAGES, required=False)
    time_zone = fields.LineField(max_length=64, validators=[validate_time_zone], required=False)
    home_place = fields.LineField(
        max_length=120,
        allow_blank=True,
        required=False,
        help_text="Written without a point, it is looked up among the places that we know.",
    )
    home_latitude = fields.FloatField(min_value=-90, max_value=90, allow_null=True, required=False)
    home_longitude = fields.FloatField(min_value=-180, max_value=180, allow_null=True, required=False)
    email_verified = drf.SerializerMethodField()

    class Meta:
        model = User
        fields = (
            "id",
            "email",
            "email_verified",
            "full_name",
            "phone",
            "locale",
            "time_zone",
            "home_place",
            "home_latitude",
            "home_longitude",
            "is_staff",
            "date_joined",
        )
        read_only_fields = ("email", "is_staff", "date_joined")

    def get_email_verified(self, user: User) -> bool:
        return permissions.has_proven_address(user)


class RegisterSerializer(serializers.StrictSerializer):
    email = fields.EmailField()
    password = password_field()
    full_name = fields.LineField(max_length=120)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        check_new_password(attrs["password"], User(email=attrs["email"], full_name=attrs["full_name"]), "password")
        return attrs


class LoginSerializer(serializers.StrictSerializer):
    email = fields.EmailField()
    password = password_field()
    otp = fields.LineField(
        max_length=20,
        required=False,
        help_text="Where the account has a second factor: a code of it, or a recovery code.",
    )
    device = fields.LineField(
        min_length=22,
        max_length=100,
        required=False,
        help_text="A random text that the app made once and keeps: with it, a known device is no news to its owner.",
    )


class RefreshSerializer(serializers.StrictSerializer):
    refresh = fields.LineField(max_length=2048)


class TokensSerializer(serializers.StrictSerializer):
    access = fields.LineField()
    refresh = fields.LineField()


class RegisteredSerializer(TokensSerializer):
    user = UserSerializer()


class PasswordChangeSerializer(serializers.StrictSerializer):
    current_password = password_field()
    new_password = password_field()


class PasswordResetSerializer(serializers.StrictSerializer):
    email = fields.EmailField()


class PasswordResetConfirmSerializer(serializers.StrictSerializer):
    key = fields.LineField(max_length=200, help_text="The last part of the link in the mail.")
    password = password_field()


class EmailVerifySerializer(serializers.StrictSerializer):
    email = fields.EmailField()
    code = fields.LineField(
        max_length=20, required=False, help_text="From the mail. Left out, a new code is sent."
    )  # fmt: skip


class DetailSerializer(serializers.StrictSerializer):
    detail = fields.LineField()
