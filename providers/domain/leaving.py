"""What becomes of a provider when someone of its team closes the account."""

from datetime import datetime

from django.db import transaction

from accounts.models import User
from petplace.errors import DomainError
from providers.choices import MembershipRole
from providers.domain import applications, documents, team
from providers.models import Branch, Membership, Provider, Resource
from providers.states import ProviderState

FORMER_NAME = "Former provider"


def refuse_while_needed(user: User) -> None:
    """Refuse while a team would be left without a manager."""
    for membership in _alone_in_charge(user):
        if membership.provider.memberships.exclude(pk=membership.pk).exists():
            message = f"You are the only manager of {membership.provider}. Make someone else of the team manager first."
            raise DomainError(message, code="last_manager")


@transaction.atomic
def forget_member(user: User, now: datetime) -> None:
    """Take ``user`` off every team. A business of this one person leaves the search and loses its name."""
    for membership in _alone_in_charge(user):
        _forget_provider(membership.provider, now=now)
        membership.delete()
    for membership in Membership.objects.filter(user=user).select_related("provider"):
        team.remove(membership, by=user, now=now)
    Resource.objects.filter(user=user).update(user=None, is_active=False, name="Former member")


def _alone_in_charge(user: User) -> list[Membership]:
    own = Membership.objects.filter(user=user, role=MembershipRole.MANAGER).select_related("provider")
    managers = Membership.objects.filter(role=MembershipRole.MANAGER).exclude(user=user)
    return list(own.exclude(provider__in=managers.values("provider")))


def _forget_provider(provider: Provider, *, now: datetime) -> None:
    if provider.state == ProviderState.APPROVED:
        provider = applications.suspend(provider, by=None, now=now, reason="The account was closed.")
    documents.set_avatar(provider, None)
    for photo in provider.photos.all():
        documents.remove_photo(photo)
    for document in provider.documents.all():
        file, storage = document.file.name, document.file.storage
        document.delete()
        transaction.on_commit(lambda file=file, storage=storage: storage.delete(file), robust=True)  # type: ignore[misc]
    Branch.objects.filter(provider=provider).update(address="", name="Branch", is_active=False, is_listed=False)
    Resource.objects.filter(branch__provider=provider).update(name="Former member", is_active=False, user=None)
    slug = f"closed-{provider.uid.hex[:12]}"
    Provider.objects.filter(pk=provider.pk).update(name=FORMER_NAME, bio="", slug=slug)
