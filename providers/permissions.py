"""Who may do what with a provider: plain predicates for pages, API and templates."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from petplace import roles
from petplace.roles import Right, TeamRight
from providers.models import Membership, Provider, Resource


def role_of(user: User | AnonymousUser, provider: Provider) -> str | None:
    """Return the user's role in the provider's team, or None."""
    if not user.is_authenticated:
        return None
    return Membership.objects.filter(provider=provider, user=user).values_list("role", flat=True).first()


def can_manage(user: User | AnonymousUser, provider: Provider) -> bool:
    """Managers change the profile, places, services, team and papers."""
    return roles.team_may(role_of(user, provider), TeamRight.MANAGE)


def can_work_for(user: User | AnonymousUser, provider: Provider) -> bool:
    """Anyone in the team sees the dashboard and works on bookings."""
    return roles.team_may(role_of(user, provider), TeamRight.WORK)


def can_edit_hours(user: User | AnonymousUser, resource: Resource) -> bool:
    """Managers edit everybody's hours, staff their own."""
    if not user.is_authenticated:
        return False
    role = role_of(user, resource.branch.provider)
    if roles.team_may(role, TeamRight.ALL_HOURS):
        return True
    return roles.team_may(role, TeamRight.OWN_HOURS) and resource.user_id == user.pk


def can_review(user: User | AnonymousUser) -> bool:
    """Admins of the platform decide on applications; support does not."""
    return roles.may(user, Right.PROVIDERS)


def can_check(user: User | AnonymousUser) -> bool:
    """Admins of the platform read and check papers; support does not see them."""
    return roles.may(user, Right.DOCUMENTS)
