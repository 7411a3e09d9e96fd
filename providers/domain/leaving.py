"""What becomes of a provider when someone of its team closes the account."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import F, QuerySet

from accounts.models import User
from petplace.errors import DomainError
from providers.choices import MembershipRole
from providers.domain import applications, documents, team
from providers.models import (
    AddOn,
    Branch,
    Certification,
    DateOverride,
    Membership,
    ProfileEdit,
    Provider,
    ProviderEvent,
    Resource,
    Service,
    TimeOff,
    VerificationDocument,
)
from providers.states import ProviderState

FORMER_NAME = "Former provider"
FORMER_MEMBER = "Former member"
REMOVED = "Removed with the account."
# Apps above blank what they keep about a business that its only person leaves.
forgetters: list[Callable[[Provider, datetime], None]] = []


def refuse_while_needed(user: User) -> None:
    """Refuse while a team would be left without a manager."""
    for membership in alone_in_charge(user):
        if membership.provider.memberships.exclude(pk=membership.pk).exists():
            message = f"You are the only manager of {membership.provider}. Make someone else of the team manager first."
            raise DomainError(message, code="last_manager")


@transaction.atomic
def forget_member(user: User, now: datetime) -> None:
    """Take ``user`` off every team. A business of this one person leaves the search and loses its name."""
    for membership in alone_in_charge(user):
        _forget_provider(membership.provider, now=now)
        membership.delete()
    for resource in Resource.objects.filter(user=user).select_related("branch"):
        _forget_person(resource)
    for membership in Membership.objects.filter(user=user).select_related("provider"):
        team.remove(membership, by=user, now=now)
    Resource.objects.filter(user=user).update(user=None, is_active=False)
    ProfileEdit.objects.filter(by=user).update(what=REMOVED, before={}, after={}, note="")
    ProviderEvent.objects.filter(by=user).exclude(reason="").update(reason=REMOVED)


def alone_in_charge(user: User) -> list[Membership]:
    """Return the memberships of ``user`` in businesses that have no other manager."""
    own = Membership.objects.filter(user=user, role=MembershipRole.MANAGER).select_related("provider")
    managers = Membership.objects.filter(role=MembershipRole.MANAGER).exclude(user=user)
    return list(own.exclude(provider__in=managers.values("provider")))


def _forget_provider(provider: Provider, *, now: datetime) -> None:
    if provider.state == ProviderState.APPROVED:
        provider = applications.suspend(provider, by=None, now=now, reason="The account was closed.")
    documents.set_avatar(provider, None)
    for photo in provider.photos.all():
        documents.remove_photo(photo)
    _delete_papers(provider.documents.all())
    Branch.objects.filter(provider=provider).update(
        address="", name="Branch", city="", is_active=False, is_listed=False, latitude=F("approximate_latitude"),
        longitude=F("approximate_longitude"),
    )  # fmt: skip
    Certification.objects.filter(resource__branch__provider=provider).delete()
    for model in (DateOverride, TimeOff):
        model.objects.filter(resource__branch__provider=provider).update(reason="")
    for service in Service.objects.filter(provider=provider):
        Service.objects.filter(pk=service.pk).update(
            name=service.get_kind_display(), description="", is_active=False, paused_for=""
        )
    AddOn.objects.filter(service__provider=provider).update(name="Extra", is_active=False)
    ProviderEvent.objects.filter(provider=provider).exclude(reason="").update(reason=REMOVED)
    ProfileEdit.objects.filter(provider=provider).update(what=REMOVED, before={}, after={}, note="")
    for forget in forgetters:
        forget(provider, now)
    Resource.objects.filter(branch__provider=provider).update(
        name=FORMER_MEMBER, is_active=False, user=None, paused_for=""
    )
    slug = f"closed-{provider.uid.hex[:12]}"
    Provider.objects.filter(pk=provider.pk).update(
        name=FORMER_NAME, bio="", slug=slug, tax_id="", state_reason="", suspended_for="", checked=[], figures={}
    )


def _forget_person(resource: Resource) -> None:
    """Forget who worked here: the name, the papers, the reasons for being away, and what the team's history says."""
    papers = VerificationDocument.objects.filter(resource=resource)
    ProfileEdit.objects.filter(target_uid__in=papers.values("uid")).update(what=REMOVED, note="")
    events = ProviderEvent.objects.filter(provider=resource.branch.provider_id)
    events.filter(reason__contains=resource.name).update(reason=REMOVED)
    _delete_papers(papers)
    Certification.objects.filter(resource=resource).delete()
    for model in (DateOverride, TimeOff):
        model.objects.filter(resource=resource).update(reason="")
    Resource.objects.filter(pk=resource.pk).update(name=FORMER_MEMBER, paused_for="")


def _delete_papers(papers: QuerySet[VerificationDocument]) -> None:
    for document in papers:
        name, storage = document.file.name, document.file.storage
        document.delete()
        transaction.on_commit(lambda name=name, storage=storage: storage.delete(name), robust=True)  # type: ignore[misc]
