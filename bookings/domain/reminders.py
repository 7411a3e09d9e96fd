"""What is said about a booking later: reminders, a nudge to answer, asking how it was.

They are rows with a due time, written with the step that makes them meaningful and taken back by the step that ends
that, all in its transaction. Each is useless from the moment on at which the next one comes or nothing can be done any
more, so a sender that was away for long says one thing, not three.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse

from accounts.models import User
from bookings.kinds import NUDGE, REMINDER, REMINDER_SOON, REVIEW_REQUEST
from bookings.models import Booking, BookingEvent
from bookings.states import Action, BookingState
from messaging import domain as messaging
from messaging import texts as say


@dataclass(frozen=True)
class Reminder:
    """Due ``before`` the start, useless from ``until`` before it on."""

    kind: str
    before: timedelta
    until: timedelta
    buttons: tuple[str, ...] = ()


SOON = timedelta(hours=3)
REMINDERS = (
    Reminder(REMINDER, timedelta(hours=48), SOON, ("coming", "reschedule", "cancel")),
    Reminder(REMINDER_SOON, SOON, timedelta(0)),
)
SHORTEST_HALF = timedelta(minutes=15)  # less is no time in which somebody could have forgotten
REVIEW_AFTER = (timedelta(hours=2), timedelta(days=7))
REVIEW_FOR = timedelta(days=settings.REVIEW_DAYS)
_OVER = {
    BookingState.CONFIRMED: (REMINDER, REMINDER_SOON),
    BookingState.PENDING: (NUDGE,),
}


def over_with(event: BookingEvent) -> tuple[str, ...]:
    """Return the kinds that a step takes back: those of the state, or of the time, that it has left."""
    if event.action == Action.COMING:
        return ()
    return _OVER.get(BookingState(event.from_state), ()) if event.from_state else ()


def notices(
    booking: Booking, event: BookingEvent, pets: str, team: Iterable[User], *, now: datetime
) -> Iterator[messaging.Notice]:
    """Yield what is to be said later of a booking that a step has just brought here."""
    if event.action == Action.COMING:
        return
    if booking.state == BookingState.CONFIRMED:
        yield from _reminders(booking, pets, now)
    elif booking.state == BookingState.PENDING:
        yield from _nudges(booking, pets, team, now)
    elif booking.state == BookingState.COMPLETED:
        yield from _review_requests(booking, pets, now)


def _reminders(booking: Booking, pets: str, now: datetime) -> Iterator[messaging.Notice]:
    owner = booking.owner
    what = f"{booking.service.name} with {booking.provider.name} for {pets}"
    for one in REMINDERS:
        due_at = booking.starts_at - one.before
        if due_at <= now:
            continue
        yield messaging.Notice(
            owner,
            one.kind,
            key=f"booking:{booking.uid}:{booking.sequence}:reminder_{int(one.before.total_seconds()) // 3600}h",
            topic=f"booking:{booking.uid}",
            title=f"Coming up: {booking.service.name}",
            body=f"{what}, {say.when(booking.starts_at, owner, booking.zone)}.",
            short=say.short("Coming up:", f"{what}, {say.brief(booking.starts_at, owner, booking.zone)}."),
            url=booking.get_absolute_url(),
            actions=one.buttons,
            place_zone=booking.time_zone,
            due_at=due_at,
            useless_after=booking.starts_at - one.until,
        )


def _nudges(booking: Booking, pets: str, team: Iterable[User], now: datetime) -> Iterator[messaging.Notice]:
    """Remind the team at half of its time to answer."""
    assert booking.due_at is not None
    half = (booking.due_at - now) / 2
    if half < SHORTEST_HALF:
        return
    for member in team:
        if member.pk == booking.owner_id:
            continue
        start, due = (say.when(instant, member, booking.zone) for instant in (booking.starts_at, booking.due_at))
        yield messaging.Notice(
            member,
            NUDGE,
            key=f"booking:{booking.uid}:{booking.sequence}:nudge",
            topic=f"booking:{booking.uid}",
            title=f"Still waiting for your answer: {booking.service.name}",
            body=f"{booking.owner.get_full_name()} asks for {start}, for {pets}. Please answer until {due}; then the "
            "request runs out.",
            short=say.short(
                f"{booking.owner.get_short_name()} waits for your answer: {booking.service.name} for {pets}, until",
                f"{say.brief(booking.due_at, member, booking.zone)}.",
            ),
            url=reverse("provider:booking", args=[booking.provider.slug, booking.reference]),
            actions=("accept", "decline"),
            place_zone=booking.time_zone,
            due_at=now + half,
            useless_after=booking.due_at,
        )


def _review_requests(booking: Booking, pets: str, now: datetime) -> Iterator[messaging.Notice]:
    """Ask how it was, and a second time a week later; not after the time to write it is over."""
    until = booking.ends_at + REVIEW_FOR
    times = [now + after for after in REVIEW_AFTER if now + after < until]
    what = f"{booking.service.name} with {booking.provider.name}"
    for index, due_at in enumerate(times):
        yield messaging.Notice(
            booking.owner,
            REVIEW_REQUEST,
            key=f"booking:{booking.uid}:{booking.sequence}:review_{index + 1}",
            topic=f"booking:{booking.uid}",
            title=f"How was {what}?" if index == 0 else f"A word about {booking.provider.name}?",
            body=f"How did {pets} fare? Stars are enough, a sentence helps others more. You can write it until "
            f"{say.when(until, booking.owner, booking.zone)}.",
            short=say.short(f"How was {what}? Tell others in a minute."),
            url=reverse("reviews:write", args=[booking.reference]),
            place_zone=booking.time_zone,
            due_at=due_at,
            useless_after=times[index + 1] if index + 1 < len(times) else until,
        )
