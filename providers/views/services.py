"""What is sold."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from providers.domain import services as rules
from providers.forms.service import ServiceForm
from providers.models import Provider, Service
from providers.views.access import TeamRequest, manager_page


@manager_page
def services(request: TeamRequest, provider: Provider) -> HttpResponse:
    rows = list(provider.services.select_related("branch").prefetch_related("addons"))
    problems = rules.problems_of(rows)
    context = {"provider": provider, "rows": [(service, problems[service.pk]) for service in rows]}
    return render(request, "providers/services.html", {**context, "has_branch": provider.branches.exists()})


@manager_page
def service_create(request: TeamRequest, provider: Provider) -> HttpResponse:
    if not provider.branches.exists():
        messages.info(request, "First say where you work.")
        return redirect("provider:branch_create", provider.slug)
    form = ServiceForm(request.POST or None, provider=provider)
    if request.method == "POST" and form.is_valid():
        service = form.run(rules.create, provider, now=timezone.now(), **form.cleaned_data)
        if service:
            return _saved(request, provider, service)
    return render(request, "providers/service_form.html", {"provider": provider, "form": form})


@manager_page
def service_edit(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    service = get_object_or_404(
        provider.services.select_related("branch", "provider").prefetch_related("addons"), uid=uid
    )
    form = ServiceForm(request.POST or None, provider=provider, initial=ServiceForm.initial_of(service))
    if request.method == "POST" and form.is_valid():
        saved = form.run(rules.update, service, now=timezone.now(), **form.cleaned_data)
        if saved:
            return _saved(request, provider, saved)
    return render(request, "providers/service_form.html", {"provider": provider, "form": form, "service": service})


@require_POST
@manager_page
def service_toggle(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    """Take a service off sale, or put it on sale again."""
    service = get_object_or_404(provider.services, uid=uid)
    rules.update(service, is_active=not service.is_active, now=timezone.now())
    return redirect("provider:services", provider.slug)


@require_POST
@manager_page
def service_remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    kept = rules.remove(get_object_or_404(provider.services, uid=uid), now=timezone.now())
    if kept:
        messages.info(request, f"{kept.name} has bookings, so it is taken off sale instead of removed.")
    else:
        messages.success(request, "Removed.")
    return redirect("provider:services", provider.slug)


def _saved(request: TeamRequest, provider: Provider, service: Service) -> HttpResponse:
    messages.success(request, f"{service.name} is saved.")
    for problem in rules.problems(service):
        messages.warning(request, problem.message)
    return redirect("provider:services", provider.slug)
