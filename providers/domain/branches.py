"""The places of a provider."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import ProtectedError

from accounts.models import User
from petplace.errors import DomainError
from providers import validators
from providers.choices import ResourceKind
from providers.domain import applications, expansion, holidays, listing, location, papers, places, resources
from providers.models import Branch, Membership, Provider

MAX_PER_PROVIDER = 100
CHANGEABLE = frozenset(
    {
        "name",
        "address",
        "city",
        "country",
        "latitude",
        "longitude",
        "time_zone",
        "service_radius_km",
        "is_active",
    }
)
SENSITIVE = ("address", "latitude", "longitude")


def _check(branch: Branch) -> None:
    extra: dict[str, list[str]] = {}
    if branch.country and not places.is_country(branch.country):
        extra["country"] = ["Use an ISO 3166 code such as DE."]
    derived = {"mercator", "approximate_latitude", "approximate_longitude"}
    validators.check(branch, exclude={"provider", *derived}, extra=extra)


def _ensure_holidays(branch: Branch, now: datetime) -> None:
    if branch.country:
        holidays.ensure(branch.country, range(now.year, expansion.last_day(now.date()).year + 1))


@transaction.atomic
def create(
    provider: Provider,
    *,
    name: str,
    address: str,
    latitude: float,
    longitude: float,
    time_zone: str = "",
    city: str = "",
    country: str = "",
    service_radius_km: int | None = None,
    now: datetime,
) -> Branch:
    """Open a branch of ``provider``.

    City, country and time zone that are not given come from the nearest known place. Side effects: the point that the
    public sees is computed and stored, the country's public holidays are loaded, and the first branch of a provider
    with one person gets that person as a resource.
    """
    provider = listing.lock(provider.pk)
    existing = Branch.objects.filter(provider=provider).count()
    if existing >= MAX_PER_PROVIDER:
        raise DomainError(f"A provider has at most {MAX_PER_PROVIDER} branches.", code="too_many")
    branch = Branch(
        provider=provider,
        name=name,
        address=address,
        city=city,
        country=country.upper(),
        latitude=latitude,
        longitude=longitude,
        time_zone=time_zone or "UTC",
        service_radius_km=service_radius_km,
    )
    _check(branch)
    if not (city and country and time_zone):
        nearest = places.by_point(latitude, longitude)
        branch.city = city or nearest.name
        branch.country = branch.country or nearest.country
        branch.time_zone = time_zone or nearest.time_zone
    branch.approximate_latitude, branch.approximate_longitude = location.approximate(branch.uid, latitude, longitude)
    branch.save()
    _ensure_holidays(branch, now)
    if not existing:
        members = list(Membership.objects.filter(provider=provider).select_related("user")[:2])
        if len(members) == 1:
            user = members[0].user
            resources.create(branch, kind=ResourceKind.PERSON, name=user.get_full_name(), user=user, now=now)
        papers.retime(provider)
    listing.refresh(provider)
    return branch


@transaction.atomic
def update(branch: Branch, *, by: User | None = None, now: datetime, **changes: Any) -> Branch:
    """Change the fields named in ``CHANGEABLE``.

    A moved point gets a new approximate one, a new time zone new open hours. A new address of an approved provider is
    recorded for the people who approved it.
    """
    provider = listing.lock(branch.provider_id)
    branch = Branch.objects.select_for_update(no_key=True).get(pk=branch.pk)
    branch.provider = provider
    before = {name: getattr(branch, name) for name in SENSITIVE}
    changed = validators.apply(branch, changes, CHANGEABLE)
    if not changed:
        return branch
    _check(branch)
    if {"latitude", "longitude"} & set(changed):
        branch.approximate_latitude, branch.approximate_longitude = location.approximate(
            branch.uid, branch.latitude, branch.longitude
        )
        changed += ["mercator", "approximate_latitude", "approximate_longitude"]
    branch.save(update_fields=changed)
    if "time_zone" in changed:
        expansion.refresh_branch(branch, now=now)
        papers.retime(provider)
    if "country" in changed:
        _ensure_holidays(branch, now)
    if set(SENSITIVE) & set(changed):
        applications.record_edit(
            branch.provider,
            f"Address of {branch.name}: {before['address']} → {branch.address}",
            field="address",
            before=before,
            after={name: getattr(branch, name) for name in SENSITIVE},
            target_uid=branch.uid,
            by=by,
            now=now,
        )
    listing.refresh(branch.provider)
    return branch


def put_back(branch: Branch, before: dict[str, Any]) -> None:
    """Write an earlier address and point over those of a locked branch."""
    changed = validators.apply(branch, before, frozenset(SENSITIVE))
    branch.approximate_latitude, branch.approximate_longitude = location.approximate(
        branch.uid, branch.latitude, branch.longitude
    )
    branch.save(update_fields=[*changed, "mercator", "approximate_latitude", "approximate_longitude"])


def remove(branch: Branch, *, now: datetime) -> Branch | None:
    """Delete ``branch`` with its resources, or switch it off when services or bookings name it.

    Returns the branch that was switched off, or None when it is gone.
    """
    try:
        with transaction.atomic():
            listing.lock(branch.provider_id)
            branch.delete()
            listing.refresh(branch.provider)
    except ProtectedError:
        return update(branch, now=now, is_active=False)
    return None
