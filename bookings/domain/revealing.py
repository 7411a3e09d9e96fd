"""When the two sides of a booking may see what nobody else sees: the door, how to get in, and the pets' health.

The door and the way in from 48 hours before the start until 24 hours after the end, health from the confirmation until
24 hours after the end (``PLACE_HOURS_BEFORE``, ``PLACE_HOURS_AFTER``, ``CARE_HOURS_AFTER``). Every door of the product
asks here: pages, API, calendar files, mails, what a browser keeps offline.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.models import User
from bookings.domain import lifecycle
from bookings.models import Booking
from bookings.models.booking import BookingQuerySet
from bookings.states import LIVE_STATES, BookingState
from bookings.validators import clean_access_note
from petplace.errors import InvalidTransition, NotAllowed

AGREED = frozenset({BookingState.CONFIRMED, BookingState.IN_PROGRESS, BookingState.COMPLETED})


def opens_at(booking: Booking) -> datetime:
    return booking.starts_at - timedelta(hours=settings.PLACE_HOURS_BEFORE)


def closes_at(booking: Booking) -> datetime:
    return booking.ends_at + timedelta(hours=settings.PLACE_HOURS_AFTER)


def tells_place(booking: Booking, *, now: datetime) -> bool:
    """Say whether the exact address and the way in are shown to the other side now."""
    return booking.state in AGREED and opens_at(booking) <= now < closes_at(booking)


def tells_care(booking: Booking, *, now: datetime) -> bool:
    """Say whether the provider's team may read about the pets' health now."""
    return booking.state in AGREED and now < booking.ends_at + timedelta(hours=settings.CARE_HOURS_AFTER)


def caring(*, now: datetime) -> BookingQuerySet:
    """Return the bookings for which :func:`tells_care` holds."""
    return Booking.objects.filter(state__in=AGREED, ends_at__gt=now - timedelta(hours=settings.CARE_HOURS_AFTER))


def can_note_access(booking: Booking, *, now: datetime) -> bool:
    return booking.state in LIVE_STATES and now < booking.ends_at


@transaction.atomic
def note_access(booking: Booking, *, text: str, by: User, now: datetime) -> Booking:
    """Write how to get in (address, code, where the key is), or take it away with an empty text. The owner's alone.

    Raises NotAllowed, InvalidInput, and InvalidTransition when the visit is over.
    """
    text = clean_access_note(text)
    lifecycle.lock(booking)
    if booking.owner_id != by.pk:
        raise NotAllowed
    if not can_note_access(booking, now=now):
        raise InvalidTransition("This visit is over: nobody needs to get in any more.")
    if booking.access_note != text:
        booking.access_note = text
        booking.save(update_fields=["access_note", "updated_at"])
    return booking


def forget_access(*, now: datetime) -> int:
    """Blank the ways in that nobody may see any more. Returns how many."""
    noted = Booking.objects.exclude(access_note="")
    ended = noted.filter(ends_at__lte=now - timedelta(hours=settings.PLACE_HOURS_AFTER))
    return ended.update(access_note="") + noted.exclude(state__in=LIVE_STATES | AGREED).update(access_note="")
