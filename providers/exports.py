"""Which rows of providers are a person's own: what they are in teams, and the businesses that they manage."""

from collections.abc import Callable
from typing import Any

from django.db.models import Model, Q, QuerySet

from accounts.domain import exporting
from accounts.models import User
from providers.choices import MembershipRole, ResourceKind
from providers.models import (
    AddOn,
    Branch,
    Certification,
    DateOverride,
    Membership,
    ProfileEdit,
    Provider,
    ProviderPhoto,
    Resource,
    Service,
    TimeOff,
    VerificationDocument,
    WeeklyHours,
)


def managed(user: User) -> QuerySet[Any]:
    """Return the keys of the providers that ``user`` manages."""
    return Membership.objects.filter(user=user, role=MembershipRole.MANAGER).values("provider")


def register() -> None:
    exporting.register(
        Membership, lambda user: Membership.objects.filter(user=user), skip=("user",), names=("provider__name",)
    )
    exporting.register(Provider, lambda user: Provider.objects.filter(pk__in=managed(user)))
    exporting.register(
        Branch, lambda user: Branch.objects.filter(provider__in=managed(user)), skip=("mercator", "offer_mask")
    )
    exporting.register(Service, lambda user: Service.objects.filter(provider__in=managed(user)))
    exporting.register(AddOn, lambda user: AddOn.objects.filter(service__provider__in=managed(user)))
    exporting.register(ProviderPhoto, lambda user: ProviderPhoto.objects.filter(provider__in=managed(user)))
    exporting.register(VerificationDocument, papers, skip=("checked_by",))
    exporting.register(ProfileEdit, lambda user: ProfileEdit.objects.filter(by=user), skip=("by", "decided_by"))
    exporting.register(Resource, resources, skip=("user",))
    for model in (Certification, DateOverride, TimeOff, WeeklyHours):
        exporting.register(model, _of_resources(model))


def papers(user: User) -> QuerySet[Any]:
    """Return the papers of the person, and of the businesses: not those of colleagues."""
    of_business = Q(provider__in=managed(user), resource__isnull=True)
    return VerificationDocument.objects.filter(of_business | Q(resource__user=user))


def resources(user: User) -> QuerySet[Any]:
    """Return the person's own line in the calendar, and the rooms and tables of the businesses: not colleagues."""
    things = Q(branch__provider__in=managed(user)) & ~Q(kind=ResourceKind.PERSON)
    return Resource.objects.filter(things | Q(user=user))


def _of_resources(model: type[Model]) -> Callable[[User], QuerySet[Any]]:
    return lambda user: model._default_manager.filter(resource__in=resources(user))
