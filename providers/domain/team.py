"""Who works for a provider."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.errors import DomainError, InvalidInput
from providers.choices import MembershipRole, ResourceKind
from providers.domain import listing, resources
from providers.models import Branch, Membership, Provider, Resource

MAX_MEMBERS = 200
# Apps above hear who has joined and who has left, in the transaction of it.
joined: list[Callable[[Membership], None]] = []
left: list[Callable[[Membership], None]] = []


def _check_role(role: str) -> None:
    if role not in MembershipRole.values:
        raise InvalidInput(fields={"role": ["Choose manager or staff."]})


def _keep_a_manager(membership: Membership) -> None:
    others = Membership.objects.filter(provider_id=membership.provider_id, role=MembershipRole.MANAGER)
    if membership.role == MembershipRole.MANAGER and not others.exclude(pk=membership.pk).exists():
        raise DomainError(
            "A provider needs at least one manager. Make someone else manager first.", code="last_manager"
        )


@transaction.atomic
def add(
    provider: Provider,
    *,
    email: str,
    role: str = MembershipRole.STAFF,
    by: User | None,
    branch: Branch | None = None,
    now: datetime | None = None,
) -> Membership:
    """Add the person with this e-mail address, who must have an account, to the team.

    With ``branch`` (then also ``now``) the person can be booked there, with the usual hours of people.
    """
    _check_role(role)
    provider = listing.lock(provider.pk)
    user = User.objects.filter(email=User.objects.normalize_email(email), is_active=True).first()
    if user is None:
        raise InvalidInput(
            code="unknown_person",
            fields={"email": ["Nobody with this address has an account. Ask the person to sign up first."]},
        )
    if Membership.objects.filter(provider=provider, user=user).exists():
        raise DomainError(
            "This person is in the team already.",
            code="already_in_team",
            fields={"email": ["This person is in the team already."]},
        )
    if Membership.objects.filter(provider=provider).count() >= MAX_MEMBERS:
        raise DomainError(f"A team has at most {MAX_MEMBERS} people.", code="too_many")
    membership = Membership.objects.create(provider=provider, user=user, role=role)
    for hear in joined:
        hear(membership)
    _note(membership, None, role, by=by, now=now)
    if branch is not None and now is not None:
        resources.create(branch, kind=ResourceKind.PERSON, name=user.get_full_name(), user=user, now=now)
    return membership


@transaction.atomic
def change_role(membership: Membership, *, role: str, by: User | None, now: datetime | None = None) -> Membership:
    """Make a member manager or staff. Refuses to take the last manager's role (``last_manager``)."""
    _check_role(role)
    listing.lock(membership.provider_id)  # two who leave at the same moment must not leave nobody behind
    membership = Membership.objects.select_related("provider", "user").get(pk=membership.pk)
    if role != membership.role:
        _keep_a_manager(membership)
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        _note(membership, before, role, by=by, now=now)
    return membership


@transaction.atomic
def remove(membership: Membership, *, by: User | None, now: datetime | None = None) -> None:
    """Take a person off the team; what they can be booked for is switched off and no longer theirs.

    Refuses to remove the last manager (``last_manager``).
    """
    listing.lock(membership.provider_id)  # two who leave at the same moment must not leave nobody behind
    membership = Membership.objects.get(pk=membership.pk)
    _keep_a_manager(membership)
    own = Resource.objects.filter(branch__provider_id=membership.provider_id, user_id=membership.user_id)
    own.update(user=None, is_active=False)
    for hear in left:
        hear(membership)
    _note(membership, membership.role, None, by=by, now=now)
    membership.delete()


def _note(
    membership: Membership, before: str | None, after: str | None, *, by: User | None, now: datetime | None
) -> None:
    """Write a change of the team down under the person whose role it is."""
    provider = str(membership.provider.uid)
    audit.record(
        AuditAction.ROLE_CHANGE,
        by=by,
        target=membership.user,
        before={"provider": provider, "role": before},
        after={"provider": provider, "role": after},
        now=now,
    )
