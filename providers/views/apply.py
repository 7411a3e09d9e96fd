"""Becoming a provider: who you are, where, the first service, hand in. Each step is kept as a draft."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.models import User
from petplace.errors import DomainError
from providers import permissions
from providers.domain import applications, branches, services
from providers.forms.place import BranchForm
from providers.forms.profile import ApplyForm
from providers.forms.service import ServiceForm
from providers.models import Provider
from providers.states import TRANSITIONS
from providers.views.access import TeamRequest, manager_page

STEPS = ("You", "Place", "First service", "Hand in")


@login_required
def index(request: TeamRequest) -> HttpResponse:
    """Go to the one business of this person, let them choose among several, or invite them to apply."""
    mine = list(Provider.objects.run_by(request.user))
    if not mine:
        return redirect("provider:apply")
    if len(mine) == 1:
        return redirect(start_page(mine[0], request.user), slug=mine[0].slug)
    return render(request, "providers/choose.html", {"providers": mine})


def start_page(provider: Provider, user: User) -> str:
    """Return the name of the page that a member of the team starts from: managers of an unfinished one, its papers."""
    is_unfinished = provider.state in TRANSITIONS["submit"][0]
    return "provider:documents" if is_unfinished and permissions.can_manage(user, provider) else "provider:today"


@login_required
def apply(request: TeamRequest) -> HttpResponse:
    form = ApplyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        provider = form.run(applications.start, request.user, now=timezone.now(), **form.cleaned_data)
        if provider:
            return redirect("provider:apply_place", provider.slug)
    return _step(request, 1, form)


@manager_page
def profile(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Correct the first step."""
    initial = {name: getattr(provider, name) for name in ("name", "kind", "bio", "currency")}
    form = ApplyForm(request.POST or None, initial=initial)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(applications.update, provider, by=request.user, now=timezone.now(), **form.cleaned_data)
    ):
        return redirect("provider:apply_place", provider.slug)
    return _step(request, 1, form, provider)


@manager_page
def place(request: TeamRequest, provider: Provider) -> HttpResponse:
    if provider.branches.exists():
        return redirect("provider:apply_service", provider.slug)
    form = BranchForm(request.POST or None, initial={"place": request.user.home_place})
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(branches.create, provider, now=timezone.now(), **form.cleaned_data)
    ):
        return redirect("provider:apply_service", provider.slug)
    return _step(request, 2, form, provider)


@manager_page
def service(request: TeamRequest, provider: Provider) -> HttpResponse:
    if not provider.branches.exists():
        return redirect("provider:apply_place", provider.slug)
    if provider.services.exists():
        return redirect("provider:apply_hand_in", provider.slug)
    form = ServiceForm(request.POST or None, provider=provider, is_first=True)
    if (
        request.method == "POST"
        and form.is_valid()
        and form.run(services.create, provider, now=timezone.now(), **form.cleaned_data)
    ):
        return redirect("provider:apply_hand_in", provider.slug)
    return _step(request, 3, form, provider)


@manager_page
def hand_in(request: TeamRequest, provider: Provider) -> HttpResponse:
    """Look everything over, then hand it in."""
    now = timezone.now()
    if request.method == "POST":
        try:
            applications.submit(provider, by=request.user, now=now)
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "Thank you. We look at your application and write to you.")
        return redirect("provider:documents", provider.slug)
    context = {
        "provider": provider,
        "branches": provider.branches.all(),
        "services": provider.services.select_related("branch"),
        "missing": applications.missing_documents(provider, now=now),
    }
    return render(request, "providers/apply_hand_in.html", {**context, "steps": _links(provider), "step": 4})


def _links(provider: Provider | None) -> list[dict[str, str]]:
    return [{"label": label} for label in STEPS]


def _step(request: TeamRequest, number: int, form: object, provider: Provider | None = None) -> HttpResponse:
    context = {"form": form, "provider": provider, "steps": _links(provider), "step": number}
    context |= {"tile_url": settings.MAP_TILE_URL, "tile_attribution": settings.MAP_TILE_ATTRIBUTION}
    return render(request, f"providers/apply_{('you', 'place', 'service')[number - 1]}.html", context)
