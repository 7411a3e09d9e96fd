"""Who may do what with a booking. One vocabulary for views, API and templates.

Whether it can happen *now* is decided by the domain, under lock; ``allowed_actions`` is the forecast that buttons need.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import AnonymousUser

from accounts.models import User
from bookings.models import Booking
from bookings.states import Action, BookingState, Side, sources
from petplace.roles import Right, may
from providers.models import Membership

# How long before the start a visit can be started.
START_EARLY = timedelta(hours=1)
# From when on it can be said that one will come: a little before the first reminder.
COMING_EARLY = timedelta(hours=49)


def sides_of(user: User | AnonymousUser, booking: Booking, *, teams: frozenset[int] | None = None) -> tuple[Side, ...]:
    """Return all the sides that ``user`` is on, the provider's first: someone may book at a business of their own.

    ``teams`` are the keys of the providers that ``user`` works for, where a list has asked for them once.
    """
    if not user.is_authenticated:
        return ()
    sides = []
    if booking.state != BookingState.HELD and (
        _is_in_team(user, booking) if teams is None else booking.provider_id in teams
    ):
        sides.append(Side.PROVIDER)
    if booking.owner_id == user.pk:
        sides.append(Side.OWNER)
    if may(user, Right.READ):
        sides.append(Side.STAFF)
    return tuple(sides)


def acting_sides(user: User, booking: Booking, *, teams: frozenset[int] | None = None) -> tuple[Side, ...]:
    """Return the sides that ``user`` may take steps for: support looks at bookings, admins end and move them."""
    sides = sides_of(user, booking, teams=teams)
    return sides if may(user, Right.BOOKINGS) else tuple(side for side in sides if side != Side.STAFF)


def teams_of(user: User, booking: Booking) -> frozenset[int]:
    """Return the ``teams`` of :func:`sides_of` as far as ``booking`` asks for them."""
    return frozenset({booking.provider_id}) if _is_in_team(user, booking) else frozenset()


def _is_in_team(user: User, booking: Booking) -> bool:
    return Membership.objects.filter(provider_id=booking.provider_id, user_id=user.pk).exists()


def side_of(user: User, booking: Booking) -> Side | None:
    """Return on whose side ``user`` looks at the booking: its owner first, then the provider's team, then staff."""
    sides = sides_of(user, booking)
    return next((side for side in (Side.OWNER, Side.PROVIDER, Side.STAFF) if side in sides), None)


def side_for(action: str, user: User, booking: Booking) -> Side | None:
    """Return the side on which ``user`` may ever take ``action``, or None. The booking's state is not asked."""
    return next((side for side in acting_sides(user, booking) if is_sides_action(action, side)), None)


def is_sides_action(action: str, side: str) -> bool:
    return bool(sources(action, side))


def allowed_actions(
    user: User, booking: Booking, *, now: datetime, teams: frozenset[int] | None = None
) -> list[Action]:
    """Return what ``user`` can do with the booking at ``now``, in the order of a life."""
    sides = acting_sides(user, booking, teams=teams)
    return [
        action
        for action in Action
        if any(booking.state in sources(action, side) and _is_time(action, booking, side, now) for side in sides)
    ]


def _is_time(action: str, booking: Booking, side: str, now: datetime) -> bool:
    """Say what ``bookings.domain.lifecycle`` says about time."""
    if action == Action.PLACE and booking.quote.prepay_amount:
        return False  # its payment does that
    if action in (Action.PLACE, Action.ACCEPT):
        return booking.due_at is None or now < booking.due_at
    if action == Action.START:
        return now >= booking.starts_at - START_EARLY
    if action == Action.NO_SHOW:
        return now >= booking.starts_at
    if action == Action.COMING:
        return booking.starts_at - COMING_EARLY <= now < booking.starts_at
    if action == Action.RESCHEDULE:
        return side != Side.OWNER or now < booking.starts_at
    return True


def can_view(user: User, booking: Booking) -> bool:
    return side_of(user, booking) is not None


def can_place(user: User, booking: Booking) -> bool:
    return side_for(Action.PLACE, user, booking) is not None


def can_accept(user: User, booking: Booking) -> bool:
    return side_for(Action.ACCEPT, user, booking) is not None


def can_decline(user: User, booking: Booking) -> bool:
    return side_for(Action.DECLINE, user, booking) is not None


def can_cancel(user: User, booking: Booking) -> bool:
    return side_for(Action.CANCEL, user, booking) is not None


def can_reschedule(user: User, booking: Booking) -> bool:
    return side_for(Action.RESCHEDULE, user, booking) is not None


def can_start(user: User, booking: Booking) -> bool:
    return side_for(Action.START, user, booking) is not None


def can_complete(user: User, booking: Booking) -> bool:
    return side_for(Action.COMPLETE, user, booking) is not None


def can_report_no_show(user: User, booking: Booking) -> bool:
    return side_for(Action.NO_SHOW, user, booking) is not None
