"""Who may write, answer and see reviews."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from bookings.models import Booking
from bookings.states import BookingState
from petplace.roles import Right, may
from providers.choices import MembershipRole
from providers.models import Membership, Provider
from reviews.choices import ReviewSide
from reviews.models import Review


def write_until(booking: Booking) -> datetime:
    """Return the instant from which on a visit can no longer be reviewed."""
    return booking.ends_at + timedelta(days=settings.REVIEW_DAYS)


def side_of(user: User | AnonymousUser, booking: Booking) -> ReviewSide | None:
    """Return for which side ``user`` can write, if any. Who is on both is on none: nobody rates themselves."""
    if not user.is_authenticated:
        return None
    is_owner = booking.owner_id == user.pk
    is_in_team = Membership.objects.filter(provider_id=booking.provider_id, user_id=user.pk).exists()
    if is_owner == is_in_team:
        return None
    return ReviewSide.OWNER if is_owner else ReviewSide.PROVIDER


def can_write(user: User | AnonymousUser, booking: Booking) -> bool:
    """Whether it is theirs to review. If it can happen now is for ``reviews.domain`` to say."""
    return side_of(user, booking) is not None


def is_time(booking: Booking, *, now: datetime) -> bool:
    """Whether visits like it are reviewed now: over, and not too long ago."""
    return booking.state == BookingState.COMPLETED and now < write_until(booking)


def is_manager(user: User | AnonymousUser, provider: Provider) -> bool:
    if not user.is_authenticated:
        return False
    return Membership.objects.filter(
        provider_id=provider.pk, user_id=user.pk, role=MembershipRole.MANAGER, user__is_active=True
    ).exists()


def can_reply(user: User | AnonymousUser, review: Review) -> bool:
    """Managers answer what owners wrote."""
    return review.is_of_owner and is_manager(user, review.provider)


def knows(user: User | AnonymousUser, owner: User) -> bool:
    """Whether ``user`` works for a provider that ``owner`` has asked or booked."""
    if not user.is_authenticated:
        return False
    asked = Booking.objects.filter(owner=owner).exclude(state=BookingState.HELD)
    return Membership.objects.filter(user_id=user.pk, provider__in=asked.values("provider")).exists()


def can_see(user: User | AnonymousUser, review: Review) -> bool:
    """Whether ``user`` reads it: everyone what owners wrote, once published; providers what providers wrote."""
    if user.is_authenticated and (review.author_id == user.pk or may(user, Right.READ)):
        return True
    if not review.is_shown:
        return False
    return review.is_of_owner or knows(user, review.booking.owner)
