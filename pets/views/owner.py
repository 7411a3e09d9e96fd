"""Pages of the owner: pets and their passports."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from petplace.errors import DomainError
from petplace.http import SignedInRequest
from pets import domain, permissions
from pets.forms import CareRecordForm, DomainForm, PetForm, VaccinationForm
from pets.models import CareRecord, Pet, Vaccination
from pets.views.access import visible_pet


def own_pet(request: SignedInRequest, uid: UUID) -> Pet:
    return get_object_or_404(Pet.objects.owned_by(request.user), uid=uid)


@login_required
def pets(request: SignedInRequest) -> HttpResponse:
    """Show the pets as cards, each with the state of its vaccinations."""
    today = timezone.localdate()
    found = list(Pet.objects.owned_by(request.user).prefetch_related("vaccinations"))
    cards = [(pet, {"pet": pet, "facts": pet.facts_on(today), **_badge(pet, today)}) for pet in found]
    return render(
        request,
        "pets/list.html",
        {
            "cards": [card for pet, card in cards if not pet.is_archived],
            "archived": [card for pet, card in cards if pet.is_archived],
        },
    )


def _badge(pet: Pet, today) -> dict[str, str]:
    current = pet.current_vaccinations(today)
    if not current:
        return {"badge_state": "", "badge_label": ""}
    first = current[0]
    state = first.validity_on(today)
    word = {"valid": "Vaccines valid", "expiring": "Vaccine ends soon", "expired": "Vaccine expired"}[state]
    return {"badge_state": state, "badge_label": word}


@login_required
def detail(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Show the passport; a provider that cares for the pet reads it, too."""
    now, today = timezone.now(), timezone.localdate()
    pet = visible_pet(request.user, uid, now=now)
    prefetch_related_objects([pet], "vaccinations")
    current = pet.current_vaccinations(today)
    vaccinations = [
        {"row": row, "state": row.validity_on(today), "is_current": row in current} for row in pet.vaccinations.all()
    ]
    return render(
        request,
        "pets/detail.html",
        {
            "pet": pet,
            "facts": pet.facts_on(today),
            "age": pet.age_on(today),
            "can_edit": permissions.can_edit(request.user, pet),
            "vaccinations": vaccinations,
            "care_records": pet.care_records.select_related("recorded_by")[:100],
        },
    )


@login_required
def create(request: SignedInRequest) -> HttpResponse:
    """Add a pet, then go back to where it was asked for (a booking), or to its passport."""
    form = PetForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            pet = domain.create(
                request.user, today=timezone.localdate(), photo=form.cleaned_data["photo"], **form.values()
            )
        except DomainError as error:
            form.refuse(error.fields, error.message)
        else:
            messages.success(request, f"{pet.name} is added.")
            return redirect(_next(request) or pet)
    return _form_page(request, form, "Add a pet", "Add the pet", reverse("pets:list"))


@login_required
def edit(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Change what is known about a pet."""
    pet = own_pet(request, uid)
    form = PetForm(request.POST or None, request.FILES or None, instance=pet)
    if request.method == "POST" and form.is_valid():
        try:
            saved = domain.update(pet, today=timezone.localdate(), **form.values())
        except DomainError as error:
            form.refuse(error.fields, error.message)
        else:
            if form.cleaned_data["photo"] or form.cleaned_data.get("remove_photo"):
                domain.set_photo(saved, form.cleaned_data["photo"])
            messages.success(request, f"{saved.name} is saved.")
            return redirect(saved)
    return _form_page(request, form, f"Edit {pet.name}", "Save", pet.get_absolute_url())


@login_required
@require_POST
def archive(request: SignedInRequest, uid: UUID) -> HttpResponse:
    pet = domain.archive(own_pet(request, uid), now=timezone.now())
    messages.success(request, f"{pet.name} is in the archive. The history stays.")
    return redirect("pets:list")


@login_required
@require_POST
def restore(request: SignedInRequest, uid: UUID) -> HttpResponse:
    pet = domain.restore(own_pet(request, uid))
    messages.success(request, f"{pet.name} is back.")
    return redirect(pet)


@login_required
@require_POST
def remove(request: SignedInRequest, uid: UUID) -> HttpResponse:
    """Delete a pet, or archive it when bookings name it."""
    pet = own_pet(request, uid)
    kept = domain.remove(pet, now=timezone.now())
    if kept:
        messages.info(request, f"{pet.name} was booked before, so it went to the archive: the history stays readable.")
    else:
        messages.success(request, f"{pet.name} is deleted.")
    return redirect("pets:list")


@login_required
def vaccination_add(request: SignedInRequest, uid: UUID) -> HttpResponse:
    pet = own_pet(request, uid)
    form = VaccinationForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            domain.add_vaccination(
                pet, today=timezone.localdate(), document=form.cleaned_data["document"], **form.values()
            )
        except DomainError as error:
            form.refuse(error.fields, error.message)
        else:
            messages.success(request, "The vaccination is in the passport.")
            return redirect(_next(request) or pet)
    return _form_page(request, form, f"Vaccination of {pet.name}", "Add", pet.get_absolute_url())


@login_required
@require_POST
def vaccination_remove(request: SignedInRequest, uid: UUID, row: UUID) -> HttpResponse:
    pet = own_pet(request, uid)
    domain.remove_vaccination(get_object_or_404(Vaccination, pet=pet, uid=row))
    messages.success(request, "The vaccination is struck out.")
    return redirect(pet)


@login_required
def record_add(request: SignedInRequest, uid: UUID) -> HttpResponse:
    pet = own_pet(request, uid)
    form = CareRecordForm(request.POST or None, request.FILES or None, initial={"on": timezone.localdate()})
    if request.method == "POST" and form.is_valid():
        try:
            domain.add_record(
                pet,
                by=request.user,
                today=timezone.localdate(),
                attachment=form.cleaned_data["attachment"],
                **form.values(),
            )
        except DomainError as error:
            form.refuse(error.fields, error.message)
        else:
            messages.success(request, "The entry is written.")
            return redirect(pet)
    return _form_page(request, form, f"Care record of {pet.name}", "Add", pet.get_absolute_url())


@login_required
@require_POST
def record_remove(request: SignedInRequest, uid: UUID, row: UUID) -> HttpResponse:
    pet = own_pet(request, uid)
    domain.remove_record(get_object_or_404(CareRecord, pet=pet, uid=row))
    messages.success(request, "The entry is struck out.")
    return redirect(pet)


def _form_page(request: SignedInRequest, form: DomainForm, title: str, label: str, cancel: str) -> HttpResponse:
    context = {"form": form, "title": title, "label": label, "back": _next(request) or cancel, "next": _next(request)}
    return render(request, "pets/form.html", context)


def _next(request: SignedInRequest) -> str:
    """Return the page that asked, if it is one of ours."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    return url if url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure()) else ""
