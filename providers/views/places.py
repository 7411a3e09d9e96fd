"""Branches, and the people and things that can be booked there."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from providers.domain import branches as branch_rules
from providers.domain import places
from providers.domain import resources as resource_rules
from providers.forms.place import BranchForm, ResourceForm
from providers.models import Branch, Provider, Resource
from providers.views.access import TeamRequest, manager_page

BRANCH_FIELDS = ("name", "address", "latitude", "longitude", "time_zone", "service_radius_km", "is_active")


@require_GET
@login_required
def suggestions(request: TeamRequest) -> HttpResponse:
    """Answer places whose name begins so, for the branch form's map."""
    found = places.lookup(request.GET.get("q", ""))
    return JsonResponse(
        {
            "places": [
                {"label": place.label, "latitude": place.latitude, "longitude": place.longitude} for place in found
            ]
        }
    )


@manager_page
def branches(request: TeamRequest, provider: Provider) -> HttpResponse:
    rows = provider.branches.annotate(
        resource_count=Count("resources", filter=Q(resources__is_active=True), distinct=True),
        service_count=Count("services", filter=Q(services__is_active=True), distinct=True),
    )
    return render(request, "providers/branches.html", {"provider": provider, "branches": rows})


@manager_page
def branch_create(request: TeamRequest, provider: Provider) -> HttpResponse:
    form = BranchForm(request.POST or None)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(branch_rules.create, provider, now=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, "The place is added.")
        return redirect("provider:branches", provider.slug)
    return _branch_page(request, provider, form)


@manager_page
def branch_edit(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    branch = get_object_or_404(provider.branches, uid=uid)
    initial = {name: getattr(branch, name) for name in BRANCH_FIELDS} | {"place": branch.city}
    form = BranchForm(request.POST or None, initial=initial, is_new=False)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(branch_rules.update, branch, by=request.user, now=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, "The place is saved.")
        return redirect("provider:branches", provider.slug)
    return _branch_page(request, provider, form, branch)


@require_POST
@manager_page
def branch_remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    kept = branch_rules.remove(get_object_or_404(provider.branches, uid=uid), now=timezone.now())
    _say_removed(request, kept)
    return redirect("provider:branches", provider.slug)


def _branch_page(
    request: TeamRequest, provider: Provider, form: BranchForm, branch: Branch | None = None
) -> HttpResponse:
    context = {"provider": provider, "form": form, "branch": branch}
    context |= {"tile_url": settings.MAP_TILE_URL, "tile_attribution": settings.MAP_TILE_ATTRIBUTION}
    return render(request, "providers/branch_form.html", context)


@manager_page
def resources(request: TeamRequest, provider: Provider) -> HttpResponse:
    rows = Resource.objects.filter(branch__provider=provider).select_related("branch", "user")
    context = {"provider": provider, "resources": rows.order_by("branch__name", "kind", "position", "pk")}
    return render(request, "providers/resources.html", {**context, "has_branch": provider.branches.exists()})


@manager_page
def resource_create(request: TeamRequest, provider: Provider) -> HttpResponse:
    form = ResourceForm(request.POST or None, provider=provider)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(resource_rules.create_several, now=timezone.now(), **form.cleaned_data)
    ):
        messages.success(request, "Added. The hours are set to the usual ones: look them over.")
        return redirect("provider:hours", provider.slug)
    return render(request, "providers/resource_form.html", {"provider": provider, "form": form})


@manager_page
def resource_edit(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    resource = get_object_or_404(Resource.objects.select_related("branch"), branch__provider=provider, uid=uid)
    member = provider.memberships.filter(user_id=resource.user_id).first() if resource.user_id else None
    initial = {"name": resource.name, "skills": resource.skills, "is_active": resource.is_active}
    initial["member"] = str(member.uid) if member else ""
    form = ResourceForm(request.POST or None, provider=provider, resource=resource, initial=initial)
    if request.method == "POST" and form.is_valid() and form.run(resource_rules.update, resource, **form.cleaned_data):
        messages.success(request, f"{resource.name} is saved.")
        return redirect("provider:resources", provider.slug)
    return render(request, "providers/resource_form.html", {"provider": provider, "form": form, "resource": resource})


@require_POST
@manager_page
def resource_remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    resource = get_object_or_404(Resource, branch__provider=provider, uid=uid)
    _say_removed(request, resource_rules.remove(resource))
    return redirect("provider:resources", provider.slug)


def _say_removed(request: TeamRequest, kept: object | None) -> None:
    if kept is None:
        messages.success(request, "Removed.")
    else:
        messages.info(request, f"{kept} has a history, so it is switched off instead of removed.")
