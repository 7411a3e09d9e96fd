"""Which rows of bookings are a person's own."""

from accounts.domain import exporting
from bookings.models import Booking, BookingEvent, BookingPet, CalendarFeed, Complaint, Incident, Quote, QuoteLine


def register() -> None:
    exporting.register(
        Booking,
        lambda user: Booking.objects.filter(owner=user),
        skip=("owner", "asked_resource"),
        names=("provider__name", "service__name"),
    )
    exporting.register(
        BookingPet,
        lambda user: BookingPet.objects.filter(booking__owner=user),
        names=("booking__reference", "pet__name"),
    )
    exporting.register(
        BookingEvent,
        lambda user: BookingEvent.objects.filter(by=user),
        skip=("by", "detail"),
        names=("booking__reference",),
    )
    exporting.register(
        Quote,
        lambda user: Quote.objects.filter(owner=user),
        skip=("owner", "owner_fee", "commission", "subsidy"),
        names=("service__name",),
    )
    exporting.register(QuoteLine, lambda user: QuoteLine.objects.filter(quote__owner=user))
    exporting.register(
        Complaint,
        lambda user: Complaint.objects.filter(by=user),
        skip=("by", "closed_by"),
        names=("booking__reference",),
    )
    exporting.register(
        Incident,
        lambda user: Incident.objects.filter(by=user),
        skip=("by", "person", "assigned_to", "resolved_by"),
        names=("booking__reference",),
    )
    exporting.register(CalendarFeed, lambda user: CalendarFeed.objects.filter(user=user), skip=("user", "token"))
