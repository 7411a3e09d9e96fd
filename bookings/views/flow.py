"""Booking in four steps: pets, time, extras and notes, confirm. The price is shown before anyone must sign in.

What is chosen travels in the address until the time is held, so each step can be shared, reloaded and left through the
sign-in page and back. Only the note waits in the session meanwhile: it is nobody else's business.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from bookings import tries
from bookings.domain import pricing, problems, quotes, reservation
from bookings.forms import Choice, ChoiceForm, NoteForm, QuickPetForm
from bookings.models import Booking
from bookings.validators import NOTE_LENGTH
from bookings.views import days, shown
from bookings.views.access import say_error, show_error
from payments.domain import rates as shares
from petplace.errors import DomainError
from petplace.http import PageRequest, SignedInRequest
from pets.choices import Species
from pets.models import Pet
from providers.choices import ResourceKind
from providers.models import Resource, Service

STEPS = ("pets", "time", "extras", "confirm")
LABELS = {"pets": "Pets", "time": "Time", "extras": "Extras and notes", "confirm": "Confirm"}


def _service(service_uid: str) -> Service:
    services = Service.objects.bookable().select_related("provider", "branch").prefetch_related("addons")
    return get_object_or_404(services, uid=service_uid)


@require_GET
def book(request: PageRequest, service_uid: str) -> HttpResponse:
    """Show the asked step, or the first one that is not answered yet."""
    now = timezone.now()
    service = _service(service_uid)
    form = ChoiceForm(request.GET, service=service, user=request.user)
    choice = _with_only_pet(request, service, form.choice)
    step = _step(request, choice, form)
    context = _context(request, service, choice, form, step=step, now=now)
    if step == "extras":
        context["note_form"] = NoteForm(initial={"note": request.session.get(_note_key(service), "")})
    if request.htmx and request.htmx.target == "times":
        return render(request, "bookings/flow/_times.html", context)
    return render(request, f"bookings/flow/{step}.html", context)


@require_POST
def hold(request: PageRequest, service_uid: str) -> HttpResponse:
    """Keep the time for 15 minutes and go on to the last step. Whatever goes wrong, nothing typed is lost."""
    now = timezone.now()
    service = _service(service_uid)
    form = ChoiceForm(request.POST, service=service, user=request.user)
    note_form = NoteForm(request.POST)
    choice = form.choice
    here = f"{reverse('bookings:book', args=[service.uid])}?{choice.query('extras')}"
    if not request.user.is_authenticated:
        request.session[_note_key(service)] = request.POST.get("note", "")[:NOTE_LENGTH]
        return redirect(_with_next("account_login", here))
    if form.is_valid() and note_form.is_valid() and choice.pets and choice.starts_at:
        try:
            booking = _hold(
                request, request.user, service, choice, choice.starts_at, note=note_form.cleaned_data["note"], now=now
            )
        except DomainError as error:
            if error.code == "email_not_verified":
                request.session[_note_key(service)] = note_form.cleaned_data["note"]
                say_error(request, error)
                return redirect("account_email")
            return _not_held(request, service, choice, form, note_form, error, now=now)
        request.session.pop(_note_key(service), None)
        return redirect("bookings:checkout", reference=booking.reference)
    step = "extras" if choice.pets and choice.starts_at else _step(request, choice, form)
    context = _context(request, service, choice, form, step=step, now=now) | {"note_form": note_form}
    return render(request, f"bookings/flow/{step}.html", context, status=400)


def _hold(
    request: PageRequest, user: User, service: Service, choice: Choice, starts_at: datetime, *, note: str, now: datetime
) -> Booking:
    with tries.counted(request, choice.promo_code):
        quote = quotes.create(
            owner=user,
            service=service,
            starts_at=starts_at,
            ends_at=choice.ends_at,
            pets=choice.pets,
            addons=choice.addons,
            promo_code=choice.promo_code,
            now=now,
        )
    return reservation.hold(quote, by=user, now=now, note=note, resource=choice.asked)


def _not_held(
    request: PageRequest,
    service: Service,
    choice: Choice,
    form: ChoiceForm,
    note_form: NoteForm,
    error: DomainError,
    *,
    now: datetime,
) -> HttpResponse:
    """Answer with the same page, the reason and the nearest free times as buttons."""
    show_error(note_form, error)
    context = _context(request, service, choice, form, step="extras", now=now)
    context |= {"note_form": note_form, "alternatives": days.alternatives_of(error)}
    return render(request, "bookings/flow/extras.html", context, status=error.status)


@login_required
@require_POST
def quick_pet(request: SignedInRequest, service_uid: str) -> HttpResponse:
    """Add a pet with its name, species and weight, and choose it."""
    now = timezone.now()
    service = _service(service_uid)
    form = ChoiceForm(request.POST, service=service, user=request.user)
    choice = form.choice
    pet_form = QuickPetForm(request.POST, prefix="new")
    if pet_form.is_valid():
        pet_form.instance.owner = request.user
        choice = replace(choice, pets=(*choice.pets, pet_form.save()))
        return redirect(f"{reverse('bookings:book', args=[service.uid])}?{choice.query('pets')}")
    context = _context(request, service, choice, form, step="pets", now=now) | {"pet_form": pet_form}
    return render(request, "bookings/flow/pets.html", context, status=400)


def _note_key(service: Service) -> str:
    return f"booking-note-{service.uid}"


def _with_only_pet(request: PageRequest, service: Service, choice: Choice) -> Choice:
    """Choose for those who have no choice: the single pet that fits, right after signing in."""
    if choice.pets or not request.user.is_authenticated or not choice.has_time:
        return choice
    fitting = list(Pet.objects.owned_by(request.user).active().filter(species__in=service.species)[:2])
    return replace(choice, pets=tuple(fitting)) if len(fitting) == 1 else choice


def _step(request: PageRequest, choice: Choice, form: ChoiceForm) -> str:
    asked = request.GET.get("step", "pets")
    asked = asked if asked in STEPS[:3] else "pets"
    has_pets = bool(choice.pets) if request.user.is_authenticated else bool(choice.species)
    if asked == "pets" or not has_pets or {"pet", "pets", "species"} & form.errors.keys():
        return "pets"
    return "extras" if asked == "extras" and choice.has_time else "time"


def _context(
    request: PageRequest, service: Service, choice: Choice, form: ChoiceForm, *, step: str, now: datetime
) -> dict[str, Any]:
    here = reverse("bookings:book", args=[service.uid])
    urls = {name: f"{here}?{choice.query(name)}" for name in STEPS[:3]}
    preview, obstacle = _preview(request, service, choice, now=now)
    context = {
        "service": service,
        "provider": service.provider,
        "branch": service.branch,
        "zone": service.branch.time_zone,
        "choice": choice,
        "form": form,
        "steps": [{"label": label, "href": urls.get(name, "")} for name, label in LABELS.items()],
        "position": STEPS.index(step) + 1,
        "book_url": here,
        "urls": urls,
        "login_url": _with_next("account_login", urls[step]),
        "signup_url": _with_next("account_signup", urls[step]),
        "species": [(one, Species(one).label) for one in service.species],
        "addons": [addon for addon in service.addons.all() if addon.is_active],
        "chosen_addons": {addon.pk for addon in choice.addons},
        "price": preview.price if preview else None,
        "unit": None if preview else pricing.of_unit(service, shares.rates_of(service)),
        "price_note": shown.price_note(service, preview.price.total if preview else 0),
        "promo_error": preview.promo_error.message if preview and preview.promo_error else "",
        "rows": shown.refund_rows(preview.terms, now=now) if preview else [],
        "problems": _problems(service, choice, obstacle, now=now),
        "hold_minutes": settings.HOLD_MINUTES,
        "counts": range(1, service.max_pets + 1),
        "kept_for_pets": choice.without("pet", "pets", "species"),
        "kept_for_time": choice.without("start", "end"),
        "kept_for_extras": choice.without("addon", "person", "promo_code"),
    }
    if step == "pets" and request.user.is_authenticated:
        context["own_pets"] = [_as_option(pet, service, choice) for pet in Pet.objects.owned_by(request.user).active()]
        context["pet_form"] = QuickPetForm(prefix="new", initial={"species": choice.species or service.species[0]})
    if step == "time":
        context |= _times(request, service, choice, form, now=now)
    if step == "extras":
        persons = Resource.objects.filter(branch=service.branch_id, kind=ResourceKind.PERSON, is_active=True)
        people = [one for one in persons if not one.skills or service.kind in one.skills]
        context["persons"] = people if len(people) > 1 and ResourceKind.PERSON in service.needs else []
    return context


def _with_next(name: str, url: str) -> str:
    return f"{reverse(name)}?{urlencode({'next': url})}"


def _as_option(pet: Pet, service: Service, choice: Choice) -> dict[str, Any]:
    """Return a pet to tick; one that cannot come says why."""
    obstacle = next((problem.message for problem in problems.animals(service, [pet])), "")
    weight = f", {pet.weight_kg.normalize():f} kg" if pet.weight_kg else ""
    facts = obstacle or f"{pet.get_species_display()}{weight}"
    return {"pet": pet, "obstacle": obstacle, "facts": facts, "is_chosen": pet in choice.pets and not obstacle}


def _preview(
    request: PageRequest, service: Service, choice: Choice, *, now: datetime
) -> tuple[quotes.Preview | None, str]:
    """Return the explained price, or None and why there is none. A code that does not count leaves the price."""
    if choice.starts_at is None:
        return None, ""
    user = request.user if request.user.is_authenticated else None
    code, refused = choice.promo_code, None
    if code:
        try:
            tries.count(request)
        except DomainError as error:
            code, refused = "", error
    try:
        preview = quotes.preview(
            service, choice.starts_at, choice.ends_at, choice.count, choice.addons, promo_code=code, by=user, now=now
        )
    except DomainError as error:
        return None, error.message
    if code and (preview.promo_error is None or preview.promo_error.code != tries.UNKNOWN):
        tries.forget(request)
    return replace(preview, promo_error=preview.promo_error or refused), ""


def _problems(service: Service, choice: Choice, obstacle: str, *, now: datetime) -> list[dict[str, Any]]:
    """Say what stands in the way as soon as it can be known: of the time before anyone signs in, then of the pets."""
    if choice.starts_at is None or choice.ends_at is None:
        return []
    if obstacle:
        found = [problems.Problem("impossible", obstacle, "start")]
    elif choice.pets:
        found = problems.check(service, starts_at=choice.starts_at, ends_at=choice.ends_at, pets=choice.pets, now=now)
    else:
        found = problems.time(service, starts_at=choice.starts_at, now=now)
    return [
        {
            "message": one.message,
            "is_vaccine": one.code.startswith("vaccination"),
            "is_time": one.field in ("start", "end"),
        }
        for one in found
    ]


def _times(
    request: PageRequest, service: Service, choice: Choice, form: ChoiceForm, *, now: datetime
) -> dict[str, Any]:
    """Return a week of free times, or a fortnight of free nights, each a link to the next step."""
    here, zone = reverse("bookings:book", args=[service.uid]), service.branch.zone

    def href(start: datetime, end: datetime) -> str:
        return f"{here}?{choice.at(start, end).query('extras')}"

    near = choice.starts_at.astimezone(zone).date() if choice.starts_at else None
    names = ("start", "end", "check_in", "check_out")
    return days.page_of(request, service, count=choice.count, near=near, now=now, href=href) | {
        "time_errors": [text for name in names for text in form.errors.get(name, [])],
        "check_in": near,
        "check_out": choice.ends_at.astimezone(zone).date() if choice.ends_at else None,
    }
