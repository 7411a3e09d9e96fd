"""The things that can be in one place at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from accounts.models import User
from petplace.errors import DomainError
from providers import validators
from providers.choices import ResourceKind
from providers.domain import checks, hours
from providers.models import Branch, Membership, Resource

MAX_PER_BRANCH = 500
CHANGEABLE = frozenset({"name", "kind", "user", "skills", "is_active", "position"})


def _check(resource: Resource) -> None:
    extra: dict[str, list[str]] = {}
    if resource.user is not None:
        if resource.kind != ResourceKind.PERSON:
            extra["user"] = ["Only a person can have an account."]
        elif not Membership.objects.filter(provider_id=resource.branch.provider_id, user=resource.user).exists():
            extra["user"] = ["Add this person to the team first."]
    resource.skills = list(dict.fromkeys(resource.skills))
    validators.check(resource, exclude={"branch", "user"}, extra=extra)


@transaction.atomic
def create(
    branch: Branch,
    *,
    kind: str,
    name: str,
    user: User | None = None,
    skills: Sequence[str] = (),
    is_active: bool = True,
    position: int = 0,
    now: datetime,
) -> Resource:
    """Add a resource to ``branch`` with default hours: people Monday to Saturday 08:00-20:00, things always.

    ``skills`` are the kinds of service that it can be used for; empty means every kind. ``user`` must be in the team.
    """
    if Resource.objects.filter(branch=branch).count() >= MAX_PER_BRANCH:
        raise DomainError(f"A branch has at most {MAX_PER_BRANCH} people and places.", code="too_many")
    resource = Resource(
        branch=branch, kind=kind, name=name, user=user, skills=list(skills), is_active=is_active, position=position
    )
    _check(resource)
    resource.save()
    checks.recheck(resource)
    hours.set_weekly(resource, hours.WORKING_WEEK if kind == ResourceKind.PERSON else hours.ALWAYS, now=now)
    return resource


@transaction.atomic
def create_several(
    branch: Branch, *, kind: str, name: str, count: int = 1, now: datetime, **fields: Any
) -> list[Resource]:
    """Add ``count`` resources of one kind, numbered when there are several ("Kennel 1", "Kennel 2", ...)."""
    names = [name] if count == 1 else [f"{name} {number}" for number in range(1, count + 1)]
    return [
        create(branch, kind=kind, name=one, position=position, now=now, **fields) for position, one in enumerate(names)
    ]


@transaction.atomic
def update(resource: Resource, **changes: Any) -> Resource:
    """Change the fields named in ``CHANGEABLE``. Bookings that use the resource stay as they are."""
    resource = hours.lock(resource)
    changed = validators.apply(resource, changes, CHANGEABLE)
    if changed:
        _check(resource)
        if "is_active" in changed:
            checks.refuse_switching_on(resource)
        resource.save(update_fields=changed)
        if "kind" in changed:
            checks.recheck(resource)
    return resource


def remove(resource: Resource) -> Resource | None:
    """Delete ``resource``, or switch it off when bookings name it: their history must stay readable.

    Returns the resource that was switched off, or None when it is gone.
    """
    try:
        with transaction.atomic():
            hours.lock(resource).delete()
    except ProtectedError:
        return update(resource, is_active=False)
    return None
