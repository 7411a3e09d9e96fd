"""A person's bookings as iCalendar (RFC 5545).

One event per booking with a UID that never changes and a SEQUENCE that rises, so that a calendar moves or strikes out
what it already shows. A cancelled booking stays as CANCELLED. Notes, prices and phone numbers never leave this way:
the address of a feed is its only key.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.urls import reverse
from icalendar import Calendar, Event, vText

from bookings.domain import revealing
from bookings.models import Booking, BookingEvent, CalendarFeed
from bookings.models.booking import BookingQuerySet
from bookings.states import Action, BookingState

PAST_DAYS = 180  # older visits are in the list of bookings
MOST_EVENTS = 2000
CONTENT_TYPE = "text/calendar; charset=utf-8"

STATUS = {
    BookingState.HELD: "TENTATIVE",
    BookingState.PENDING: "TENTATIVE",
    BookingState.CONFIRMED: "CONFIRMED",
    BookingState.IN_PROGRESS: "CONFIRMED",
    BookingState.COMPLETED: "CONFIRMED",
    BookingState.NO_SHOW: "CONFIRMED",
    BookingState.DECLINED: "CANCELLED",
    BookingState.CANCELLED: "CANCELLED",
}


def bookings_of(feed: CalendarFeed, *, now: datetime) -> BookingQuerySet:
    """Return what ``feed`` shows: everything that was really booked, from half a year ago on."""
    scope = Booking.objects.all()
    is_owner = feed.audience == CalendarFeed.Audience.OWNER
    scope = scope.owned_by(feed.user) if is_owner else scope.provided_by(feed.user)
    placed = BookingEvent.objects.filter(booking=OuterRef("pk"), action=Action.PLACE)
    return (
        scope.filter(Exists(placed), ends_at__gte=now - timedelta(days=PAST_DAYS))
        .exclude(state=BookingState.HELD)
        .select_related("service__branch", "provider")
        .prefetch_related("pets")
        .order_by("starts_at", "pk")[:MOST_EVENTS]
    )


def render(feed: CalendarFeed, *, now: datetime) -> bytes:
    """Return the feed as a calendar file, its time zones spelled out."""
    bookings = list(bookings_of(feed, now=now))
    name = f"Pet Place: {feed.get_audience_display().lower()}"
    return _calendar(bookings, feed.audience, name, now)


def render_one(booking: Booking, *, now: datetime) -> bytes:
    """Return one booking as its owner may keep it."""
    return _calendar([booking], CalendarFeed.Audience.OWNER, "Pet Place", now)


def _calendar(bookings: list[Booking], audience: str, name: str, now: datetime) -> bytes:
    calendar = Calendar()
    calendar.add("prodid", "-//Pet Place//Bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(minutes=15), parameters={"VALUE": "DURATION"})
    for booking in bookings:
        calendar.add_component(_event(booking, audience, now))
    if bookings:
        first = min(booking.starts_at for booking in bookings).date() - timedelta(days=366)
        last = max(booking.ends_at for booking in bookings).date() + timedelta(days=366)
        calendar.add_missing_timezones(first_date=first, last_date=last)
    return bytes(calendar.to_ical())


def uid_of(booking: Booking) -> str:
    """Return the booking's iCalendar UID, the same in every feed and for ever."""
    return f"{booking.uid}@bookings.petplace"


def _event(booking: Booking, audience: str, now: datetime) -> Event:
    zone = ZoneInfo(booking.time_zone)
    event = Event()
    event.add("uid", uid_of(booking))
    event.add("sequence", booking.sequence)
    event.add("status", STATUS[BookingState(booking.state)])
    event.add("dtstamp", booking.updated_at.astimezone(UTC))
    event.add("last-modified", booking.updated_at.astimezone(UTC))
    event.add("created", booking.created_at.astimezone(UTC))
    event.add("dtstart", booking.starts_at.astimezone(zone))
    event.add("dtend", booking.ends_at.astimezone(zone))
    event.add("summary", vText(_summary(booking, audience)))
    url = settings.SITE_URL + _path(booking, audience)
    event.add("description", vText(f"{booking.get_state_display()}. {booking.reference}\n{url}"))
    event.add("url", url)
    if revealing.tells_place(booking, now=now):
        event.add("location", vText(_one_line(booking.service.branch.address)))
    event.add("transp", "TRANSPARENT" if event["status"] == "CANCELLED" else "OPAQUE")
    return event


def _summary(booking: Booking, audience: str) -> str:
    if audience == CalendarFeed.Audience.OWNER:
        return _one_line(f"{booking.service.name} with {booking.provider.name}")
    return _one_line(f"{booking.service.name}: {', '.join(pet.name for pet in booking.pets.all())}")


def _path(booking: Booking, audience: str) -> str:
    if audience == CalendarFeed.Audience.OWNER:
        return booking.get_absolute_url()
    return reverse("provider:booking", args=[booking.provider.slug, booking.reference])


def _one_line(text: str) -> str:
    """Fold white space: a name with a line break must not look like more than a name."""
    return " ".join(text.split())
