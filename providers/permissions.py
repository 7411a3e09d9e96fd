"""Who may do what with a provider: plain predicates for pages, API and templates."""

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from providers.choices import MembershipRole
from providers.models import Membership, Provider, Resource


def role_of(user: User | AnonymousUser, provider: Provider) -> str | None:
    """Return the user's role in the provider's team, or None."""
    if not user.is_authenticated:
        return None
    return Membership.objects.filter(provider=provider, user=user).values_list("role", flat=True).first()


def can_manage(user: User | AnonymousUser, provider: Provider) -> bool:
    """Managers change the profile, places, services, team and papers."""
    return role_of(user, provider) == MembershipRole.MANAGER


def can_work_for(user: User | AnonymousUser, provider: Provider) -> bool:
    """Anyone in the team sees the dashboard and works on bookings."""
    return role_of(user, provider) is not None


def can_edit_hours(user: User | AnonymousUser, resource: Resource) -> bool:
    """Managers edit everybody's hours, staff their own."""
    if not user.is_authenticated:
        return False
    role = role_of(user, resource.branch.provider)
    return role == MembershipRole.MANAGER or (role is not None and resource.user_id == user.pk)


def can_review(user: User | AnonymousUser) -> bool:
    """Staff of the platform decide on applications."""
    return bool(user.is_authenticated and user.is_active and user.is_staff)
