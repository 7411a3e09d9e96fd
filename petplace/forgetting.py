"""What the project itself, Django and allauth keep about someone who closes the account."""

from collections.abc import Sequence
from datetime import datetime

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from accounts.domain.closing import FORMER_NAME
from accounts.models import User
from petplace.models import IdempotencyKey
from pets.models import Pet
from providers.domain import leaving
from providers.models import Provider

# Keys of second factors, accounts elsewhere and their tokens: rows of packages, deleted where they are installed.
OWNED = ("mfa.Authenticator", "socialaccount.SocialAccount", "usersessions.UserSession")


def forget(user: User, now: datetime) -> None:
    IdempotencyKey.objects.filter(user=user).delete()
    for name in OWNED:
        if apps.is_installed(f"allauth.{name.partition('.')[0]}"):
            apps.get_model(name)._default_manager.filter(user=user).delete()
    _blank_history(User, [user.pk], FORMER_NAME)
    _blank_history(Pet, list(user.pets.values_list("pk", flat=True)), "Former pet")


def forget_provider(provider: Provider, now: datetime) -> None:
    _blank_history(Provider, [provider.pk], leaving.FORMER_NAME)


def _blank_history(model: type[Model], keys: Sequence[int], name: str) -> None:
    """Blank what the administration's history calls rows, and what it says of their changes."""
    kind = ContentType.objects.get_for_model(model)
    about = LogEntry.objects.filter(content_type=kind, object_id__in=[str(key) for key in keys])
    about.update(object_repr=name, change_message="")
