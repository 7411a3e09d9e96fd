"""Who works for the provider."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from petplace.errors import DomainError
from providers.choices import MembershipRole
from providers.domain import team as rules
from providers.forms.profile import MemberForm, RoleForm
from providers.models import Provider
from providers.views.access import TeamRequest, manager_page

ROLES = MembershipRole.choices


@manager_page
def team(request: TeamRequest, provider: Provider) -> HttpResponse:
    form = MemberForm(request.POST or None, branches=provider.branches.all())
    if request.method == "POST" and form.is_valid():
        member = form.run(rules.add, provider, by=request.user, now=timezone.now(), **form.cleaned_data)
        if member:
            messages.success(request, f"{member.user.get_full_name()} is in the team.")
            return redirect("provider:team", provider.slug)
    members = provider.memberships.select_related("user").order_by("role", "pk")
    return render(
        request, "providers/team.html", {"provider": provider, "form": form, "members": members, "roles": ROLES}
    )


@require_POST
@manager_page
def change_role(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    member = get_object_or_404(provider.memberships, uid=uid)
    form = RoleForm(request.POST)
    if form.is_valid():
        try:
            rules.change_role(member, role=form.cleaned_data["role"], by=request.user, now=timezone.now())
        except DomainError as error:
            messages.error(request, error.message)
    return _after(request, provider, member.user_id)


@require_POST
@manager_page
def remove(request: TeamRequest, provider: Provider, uid: UUID) -> HttpResponse:
    member = get_object_or_404(provider.memberships, uid=uid)
    try:
        rules.remove(member, by=request.user, now=timezone.now())
    except DomainError as error:
        messages.error(request, error.message)
    return _after(request, provider, member.user_id)


def _after(request: TeamRequest, provider: Provider, changed_user: int) -> HttpResponse:
    """Whoever gave up their own role may not see this page any more."""
    if changed_user == request.user.pk:
        return redirect("provider:index")
    return redirect("provider:team", provider.slug)
