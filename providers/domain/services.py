"""What is sold."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError

from petplace.errors import DomainError, InvalidInput
from providers import validators
from providers.choices import ResourceKind, ServiceKind
from providers.domain import checks, listing, resources
from providers.models import AddOn, Branch, Provider, Resource, Service

MAX_PER_PROVIDER = 200
MAX_ADDONS = 30
CHANGEABLE = frozenset(
    {
        "branch",
        "kind",
        "name",
        "description",
        "is_overnight",
        "duration_minutes",
        "check_in",
        "check_out",
        "price",
        "extra_pet_price",
        "holiday_percent",
        "species",
        "max_weight_kg",
        "max_pets",
        "required_vaccines",
        "needs",
        "buffer_before_minutes",
        "buffer_after_minutes",
        "minimum_notice_minutes",
        "maximum_advance_days",
        "slot_step_minutes",
        "is_instant",
        "payment_policy",
        "deposit_percent",
        "is_active",
    }
)
# Those that keep animals rather than visit them need a place for each booking, the others a person.
HOUSED_KINDS = frozenset({ServiceKind.BOARDING, ServiceKind.DAYCARE})


@dataclass(frozen=True, slots=True)
class Problem:
    """Why nobody can book a service although it is switched on."""

    code: str
    message: str


def default_needs(branch: Branch, kind: str) -> list[str]:
    """Return the kinds of resource that a booking of such a service usually occupies at ``branch``.

    Boarding and day care take a kennel place or a room, whichever the branch has; grooming a person, and a table where
    there is one; everything else a person.
    """
    owned = set(Resource.objects.filter(branch=branch, is_active=True).values_list("kind", flat=True))
    if kind in HOUSED_KINDS:
        return [
            ResourceKind.ROOM
            if ResourceKind.ROOM in owned and ResourceKind.KENNEL not in owned
            else ResourceKind.KENNEL
        ]
    if kind == ServiceKind.GROOMING and ResourceKind.TABLE in owned:
        return [ResourceKind.PERSON, ResourceKind.TABLE]
    return [ResourceKind.PERSON]


def problems(service: Service) -> list[Problem]:
    """Return what keeps ``service`` from being booked: kinds of resource that its branch lacks."""
    return problems_of([service])[service.pk]


def problems_of(services: Collection[Service]) -> dict[int, list[Problem]]:
    """Return the problems of each service by its key, in one query. Reads ``service.branch``: load it before."""
    owned: dict[int, list[tuple[str, list[str]]]] = defaultdict(list)
    branch_ids = {service.branch_id for service in services}
    usable = Resource.objects.filter(branch__in=branch_ids, is_active=True)
    for branch_id, kind, skills in usable.values_list("branch_id", "kind", "skills"):
        owned[branch_id].append((kind, skills))
    return {service.pk: _problems(service, owned[service.branch_id]) for service in services}


def _problems(service: Service, owned: list[tuple[str, list[str]]]) -> list[Problem]:
    found = []
    for need in service.needs:
        of_kind = [skills for kind, skills in owned if kind == need]
        label = ResourceKind(need).label.lower()
        if not of_kind:
            message = f"{service.branch.name} has no active {label}. Add one, or nobody can book this service."
            found.append(Problem("no_resource", message))
        elif not any(not skills or service.kind in skills for skills in of_kind):
            skill = ServiceKind(service.kind).label.lower()
            found.append(Problem("no_skilled_resource", f"No {label} at {service.branch.name} is skilled for {skill}."))
    return found


def _check(service: Service) -> None:
    extra: dict[str, list[str]] = {}
    if service.branch.provider_id != service.provider_id:
        extra["branch"] = ["This is not a branch of the provider."]
    if service.is_overnight:
        service.duration_minutes = None
    elif service.duration_minutes is None:
        extra["duration_minutes"] = ["Say how long it lasts, or that it is overnight."]
    for name in ("species", "needs", "required_vaccines"):
        setattr(service, name, list(dict.fromkeys(getattr(service, name))))
    if not service.species:
        extra["species"] = ["Choose at least one."]
    if not service.needs:
        extra["needs"] = ["Choose at least one."]
    try:
        validators.validate_payment_policy(service.payment_policy)
    except ValidationError as error:
        extra["payment_policy"] = list(error.messages)
    validators.check(service, exclude={"provider", "branch"}, extra=extra)


def _set_addons(service: Service, addons: Sequence[tuple[str, int]]) -> None:
    """Make the active add-ons those given, by name. Old ones are switched off, not deleted: quotes name them."""
    if len(addons) > MAX_ADDONS:
        raise InvalidInput(fields={"addons": [f"At most {MAX_ADDONS} add-ons."]})
    wanted = dict(addons)
    if len(wanted) != len(addons):
        raise InvalidInput(fields={"addons": ["Each add-on needs a name of its own."]})
    kept: list[int] = []
    for existing in AddOn.objects.filter(service=service, is_active=True):
        if wanted.get(existing.name) == existing.price:
            kept.append(existing.pk)
            del wanted[existing.name]
    AddOn.objects.filter(service=service, is_active=True).exclude(pk__in=kept).update(is_active=False)
    for name, price in wanted.items():
        addon = AddOn(service=service, name=name, price=price)
        try:
            addon.clean_fields(exclude={"service"})
        except ValidationError as error:
            raise InvalidInput(fields={"addons": error.messages}) from error
        addon.save()


@transaction.atomic
def create(
    provider: Provider,
    *,
    branch: Branch,
    kind: str,
    name: str,
    price: int,
    species: Sequence[str],
    needs: Sequence[str] | None = None,
    addons: Sequence[tuple[str, int]] = (),
    now: datetime,
    **fields: Any,
) -> Service:
    """Start selling something at ``branch``. ``fields`` are any others of ``CHANGEABLE``; prices are minor units.

    Without ``needs`` the usual ones of the kind are taken, and a kennel place is made where a sitter has none, so that
    one can start without knowing what a resource is. Boarding without a duration is overnight.
    Once a service exists the provider's currency is fixed.
    """
    provider = listing.lock(provider.pk)
    if Service.objects.filter(provider=provider).count() >= MAX_PER_PROVIDER:
        raise DomainError(f"A provider has at most {MAX_PER_PROVIDER} services.", code="too_many")
    unknown = set(fields) - CHANGEABLE
    if unknown:
        raise TypeError(f"Service has no changeable {', '.join(sorted(unknown))}")
    if kind == ServiceKind.BOARDING and fields.get("duration_minutes") is None:
        fields.setdefault("is_overnight", True)
    service = Service(
        provider=provider,
        branch=branch,
        kind=kind,
        name=name,
        price=price,
        species=list(species),
        needs=list(needs) if needs else default_needs(branch, kind),
        **fields,
    )
    _check(service)
    service.save()
    _set_addons(service, addons)
    checks.recheck(service)
    if not needs and kind in HOUSED_KINDS and problems(service):
        resources.create(branch, kind=service.needs[0], name="Place 1", now=now)
    listing.refresh(provider)
    return service


@transaction.atomic
def update(
    service: Service, *, addons: Sequence[tuple[str, int]] | None = None, now: datetime, **changes: Any
) -> Service:
    """Change the fields named in ``CHANGEABLE`` and, when given, the add-ons.

    Bookings and quotes that exist keep the lines and the terms that they were made with.
    """
    listing.lock(service.provider_id)
    service = (
        Service.objects.select_for_update(no_key=True, of=("self",))
        .select_related("provider", "branch")
        .get(pk=service.pk)
    )
    changed = validators.apply(service, changes, CHANGEABLE)
    if changed:
        _check(service)
        if "is_active" in changed:
            checks.refuse_switching_on(service)
        service.save(update_fields=[*changed, "duration_minutes"])
        if "kind" in changed:
            checks.recheck(service)
    if addons is not None:
        _set_addons(service, addons)
    if changed:
        listing.refresh(service.provider)
    return service


def remove(service: Service, *, now: datetime) -> Service | None:
    """Delete ``service``, or take it off sale when bookings or quotes name it.

    Returns the service that was taken off sale, or None when it is gone.
    """
    try:
        with transaction.atomic():
            listing.lock(service.provider_id)
            service.delete()
            listing.refresh(service.provider)
    except ProtectedError:
        return update(service, now=now, is_active=False)
    return None
