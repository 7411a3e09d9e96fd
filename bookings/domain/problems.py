"""Why something cannot be booked, as values that pages and the API can explain."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Prefetch, prefetch_related_objects

from bookings.domain import slots, texts
from bookings.models import Booking
from bookings.states import LIVE_STATES
from petplace.errors import DomainError, InvalidInput
from pets.choices import Species, Vaccine
from pets.models import Pet, Vaccination
from providers.models import Service


@dataclass(frozen=True)
class Problem:
    """One reason. ``field`` is the input it belongs to; a conflict lies in the state of things."""

    code: str
    message: str
    field: str
    is_conflict: bool = False


def check(
    service: Service,
    *,
    starts_at: datetime,
    ends_at: datetime,
    pets: Iterable[Pet],
    now: datetime,
    ignoring: Booking | None = None,
    asked_at: datetime | None = None,
    is_by_provider: bool = False,
) -> list[Problem]:
    """Return every reason why ``service`` cannot be booked for ``pets`` from ``starts_at`` to ``ends_at``.

    Whether a resource is free is not asked here: only a reservation can tell. ``ignoring`` is a booking that is being
    moved. ``asked_at`` is when the owner was quoted, and counts for the notice. A provider who moves a booking is not
    bound by notice, window and steps.
    """
    pets = list(pets)
    return [
        *offered(service),
        *time(service, starts_at=starts_at, now=now, asked_at=asked_at, is_by_provider=is_by_provider),
        *animals(service, pets),
        *vaccinations(service, pets, starts_at=starts_at, ends_at=ends_at),
        *elsewhere(pets, starts_at=starts_at, ends_at=ends_at, ignoring=ignoring),
    ]


def refuse(problems: Sequence[Problem]) -> None:
    """Raise for the first problem, naming all of them: 400 for wrong input, else 409. Does nothing without any."""
    if not problems:
        return
    wrong = [problem for problem in problems if not problem.is_conflict]
    shown = wrong or list(problems)
    fields: dict[str, list[str]] = {}
    for problem in shown:
        fields.setdefault(problem.field, []).append(problem.message)
    error = InvalidInput if wrong else DomainError
    raise error(shown[0].message, code=shown[0].code, fields=fields)


def offered(service: Service) -> list[Problem]:
    if not service.provider.is_public:
        return [Problem("provider_unavailable", "This provider takes no bookings at present.", "service", True)]
    if not (service.is_active and service.branch.is_active):
        return [Problem("service_unavailable", "This service is no longer offered.", "service", True)]
    return []


def time(
    service: Service,
    *,
    starts_at: datetime,
    now: datetime,
    asked_at: datetime | None = None,
    is_by_provider: bool = False,
) -> list[Problem]:
    """Past, notice, window and step. Notice is real time; the window ends with the last local day in it."""
    zone = service.branch.zone
    if starts_at <= now:
        return [Problem("in_the_past", "This time has passed. Choose a later one.", "start")]
    if is_by_provider:
        return []
    earliest = (asked_at or now) + timedelta(minutes=service.minimum_notice_minutes)
    if starts_at < earliest:
        text = (
            f"This needs {texts.length(service.minimum_notice_minutes)} notice: {texts.when(earliest, zone)} or later."
        )
        return [Problem("too_soon", text, "start")]
    last = now.astimezone(zone).date() + timedelta(days=service.maximum_advance_days)
    if starts_at.astimezone(zone).date() > last:
        return [Problem("too_far_ahead", f"Bookings are taken until {texts.day(last)}.", "start")]
    if not slots.is_on_step(service, starts_at):
        step = texts.length(1 if service.is_overnight else service.slot_step_minutes)
        return [Problem("off_step", f"Start times are {step} apart, counted from midnight.", "start")]
    return []


def animals(service: Service, pets: Sequence[Pet]) -> list[Problem]:
    problems = []
    if not pets:
        problems.append(Problem("pets_missing", "Choose at least one pet.", "pets"))
    if len(pets) > service.max_pets:
        most = "1 pet" if service.max_pets == 1 else f"{service.max_pets} pets"
        problems.append(Problem("too_many_pets", f"This service takes {most} at most.", "pets"))
    for pet in pets:
        if pet.is_archived:
            problems.append(Problem("pet_archived", f"{pet.name} is archived. Restore the profile first.", "pets"))
        if pet.species not in service.species:
            taken = texts.listed([Species(one).label.lower() for one in service.species])
            problems.append(Problem("species_refused", f"{pet.name} cannot come: this service takes {taken}.", "pets"))
        problems += _weight(service, pet)
    return problems


def _weight(service: Service, pet: Pet) -> list[Problem]:
    if service.max_weight_kg is None:
        return []
    limit = f"{service.max_weight_kg.normalize():f} kg"
    if pet.weight_kg is None:
        text = f"This service takes pets up to {limit}. Add the weight of {pet.name} to the profile."
        return [Problem("weight_unknown", text, "pets")]
    if pet.weight_kg > service.max_weight_kg:
        return [Problem("too_heavy", f"{pet.name} is too heavy: this service takes pets up to {limit}.", "pets")]
    return []


def vaccinations(service: Service, pets: Sequence[Pet], *, starts_at: datetime, ends_at: datetime) -> list[Problem]:
    """Each required vaccine must be given by the first local day and valid on the last one.

    Says which is not, and until when it was.
    """
    if not service.required_vaccines:
        return []
    zone = service.branch.zone
    first, last = starts_at.astimezone(zone).date(), ends_at.astimezone(zone).date()
    prefetch_related_objects(pets, Prefetch("vaccinations", Vaccination.objects.order_by("valid_until")))
    found = [_vaccine_problem(pet, vaccine, first, last) for pet in pets for vaccine in service.required_vaccines]
    return [problem for problem in found if problem is not None]


def _vaccine_problem(pet: Pet, vaccine: str, first: date, last: date) -> Problem | None:
    name, needed = Vaccine(vaccine).label, f"must be valid until {texts.day(last)}"
    shots = [shot for shot in pet.vaccinations.all() if shot.vaccine == vaccine and shot.given_on <= first]
    if any(shot.covers(last) for shot in shots):
        return None
    if not shots:
        text = f"{pet.name} has no vaccination on record for {name}, which {needed}."
        return Problem("vaccination_missing", text, "pets", True)
    until = texts.day(max(shot.valid_until for shot in shots))
    text = f"{pet.name}: the vaccination for {name} is valid until {until}, and {needed}."
    return Problem("vaccination_expires", text, "pets", True)


def elsewhere(
    pets: Sequence[Pet], *, starts_at: datetime, ends_at: datetime, ignoring: Booking | None = None
) -> list[Problem]:
    """A pet cannot be in two places at once. Sure only while the owner's row is locked."""
    others = Booking.objects.filter(
        state__in=LIVE_STATES, starts_at__lt=ends_at, ends_at__gt=starts_at, booking_pets__pet__in=pets
    )
    if ignoring is not None:
        others = others.exclude(pk=ignoring.pk)
    rows = others.values_list("booking_pets__pet__name", "reference", "starts_at", "time_zone").order_by("starts_at")
    return [
        Problem("pet_booked_then", f"{name} is already booked then: {reference}.", "pets", True)
        for name, reference, *_ in rows.distinct()
    ]
