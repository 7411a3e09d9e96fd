"""Who you are."""

import uuid
from datetime import datetime
from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from phonenumber_field.modelfields import PhoneNumberField

from accounts.audit import AuditAction, AuditEntry
from accounts.privacy import Consent, ConsentKind, DataExport, ExportState
from accounts.validators import validate_time_zone
from petplace.roles import Right, groups_with

__all__ = [
    "AuditAction",
    "AuditEntry",
    "Consent",
    "ConsentKind",
    "DataExport",
    "ExportState",
    "TokenFamily",
    "TokenFamilyQuerySet",
    "User",
    "UserManager",
]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def who_may(self, right: Right) -> models.QuerySet["User"]:
        """Return the staff of the platform with ``right``, the longest with us first."""
        in_role = models.Q(is_superuser=True) | models.Q(groups__name__in=groups_with(right))
        return self.filter(in_role, is_staff=True, is_active=True).distinct().order_by("pk")

    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """Return the address in lower case: one person, one account, however the address is typed."""
        return super().normalize_email(email).strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=self.normalize_email(username))


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the login; one account can be owner and provider at once."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(max_length=254, unique=True, error_messages={"unique": "Address in use."})
    full_name = models.CharField(max_length=120)
    phone = PhoneNumberField(blank=True)
    locale = models.CharField(max_length=10, default="en-us")

    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    home_place = models.CharField(max_length=120, blank=True)
    home_latitude = models.FloatField(null=True, blank=True)
    home_longitude = models.FloatField(null=True, blank=True)

    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False, editable=False)
    date_joined = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Raised by a changed password or a ban: every token that carries an older number is dead.
    token_version = models.PositiveIntegerField(default=0, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["full_name"]

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
            models.CheckConstraint(
                condition=models.Q(home_latitude__isnull=True, home_longitude__isnull=True)
                | models.Q(home_latitude__range=(-90, 90), home_longitude__range=(-180, 180)),
                name="user_home_on_earth",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.full_name or self.email.split("@")[0]

    def get_short_name(self) -> str:
        return self.get_full_name().split(" ")[0]

    @property
    def has_home(self) -> bool:
        return self.home_latitude is not None


class TokenFamilyQuerySet(models.QuerySet["TokenFamily"]):
    def live(self, user: User, *, now: datetime) -> Self:
        """Those of ``user`` whose newest token still works, latest first."""
        return self.filter(user=user, revoked_at__isnull=True, expires_at__gt=now).order_by("-rotated_at")


class TokenFamily(models.Model):
    """One sign-in over the API: the chain of refresh tokens that came from it, of which only the newest works.

    Using an older one means that it was copied, and ends the family (RFC 9700, 4.14.2).
    """

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    current_jti = models.UUIDField()
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    rotated_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "token families"
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="token_family_by_user")]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at:%Y-%m-%d}"


class KnownDevice(models.Model):
    """A browser or an app that somebody has signed in from: the next sign-in from it is no news.

    ``digest`` is a hash of the secret in its cookie (of an app: of the text that it sends) and of what the device
    calls itself, so a cookie that was carried to another browser is a new device.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_devices")
    digest = models.CharField(max_length=64)
    label = models.CharField(max_length=80)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "digest"], name="known_device_once")]
        indexes: ClassVar = [models.Index(fields=["last_seen_at"], name="known_device_by_age")]

    def __str__(self) -> str:
        return f"{self.label} of {self.user}"
