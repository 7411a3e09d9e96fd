"""Profile, pictures, papers and the state of the approval."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from petplace.errors import DomainError
from providers.choices import ResourceKind
from providers.domain import applications, checks, documents
from providers.forms.profile import DocumentForm, PhotoForm, ProfileForm
from providers.models import Provider, Resource
from providers.states import TRANSITIONS
from providers.views.access import TeamRequest, manager_page

FIELDS = ("name", "kind", "bio", "currency", "cancellation_policy", "appointment_policy")
TAX_FIELDS = ("tax_rate_bp", "is_tax_inclusive", "tax_id")


@manager_page
def profile(request: TeamRequest, provider: Provider) -> HttpResponse:
    form = ProfileForm(
        request.POST or None,
        request.FILES or None,
        initial={name: getattr(provider, name) for name in FIELDS + TAX_FIELDS},
        is_currency_fixed=provider.services.exists(),
    )
    if request.method == "POST" and form.is_valid():
        data = dict(form.cleaned_data)
        avatar = data.pop("avatar")
        saved = form.run(applications.update, provider, by=request.user, now=timezone.now(), **data)
        if saved:
            if avatar:
                documents.set_avatar(provider, avatar)
            messages.success(request, "The profile is saved.")
            return redirect("provider:profile", saved.slug)
    context = {"form": form, "photo_form": PhotoForm(), "photos": provider.photos.all()}
    return render(request, "providers/profile.html", {**context, "provider": provider})


@require_POST
@manager_page
def remove_avatar(request: TeamRequest, provider: Provider) -> HttpResponse:
    documents.set_avatar(provider, None)
    return redirect("provider:profile", provider.slug)


@require_POST
@manager_page
def add_photo(request: TeamRequest, provider: Provider) -> HttpResponse:
    form = PhotoForm(request.POST, request.FILES)
    if form.is_valid():
        form.run(documents.add_photo, provider, form.cleaned_data["image"], caption=form.cleaned_data["caption"])
    for error in (message for found in form.errors.values() for message in found):
        messages.error(request, str(error))
    return redirect("provider:profile", provider.slug)


@require_POST
@manager_page
def remove_photo(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    documents.remove_photo(get_object_or_404(provider.photos, uid=uid))
    return redirect("provider:profile", provider.slug)


@manager_page
def papers(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Show the papers, what is missing, how the application stands; take another paper."""
    now = timezone.now()
    people = Resource.objects.filter(branch__provider=provider, kind=ResourceKind.PERSON).order_by("name", "pk")
    form = DocumentForm(request.POST or None, request.FILES or None, people=people)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(documents.add, provider, by=request.user, now=now, **form.cleaned_data)
    ):
        messages.success(request, "The document is handed in.")
        return redirect("provider:documents", provider.slug)
    context = {
        "provider": provider,
        "form": form,
        "documents": provider.documents.select_related("resource"),
        "checklist": checks.checklist(provider),
        "open_edits": provider.edits.filter(decided_at__isnull=True),
        "missing": applications.missing_documents(provider, now=now),
        "events": provider.events.all(),
        "can_submit": provider.state in TRANSITIONS["submit"][0],
        "has_service": provider.services.exists(),
    }
    return render(request, "providers/documents.html", context)


@require_POST
@manager_page
def remove_paper(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    try:
        documents.remove(get_object_or_404(provider.documents, uid=uid))
    except DomainError as error:
        messages.error(request, error.message)
    return redirect("provider:documents", provider.slug)
