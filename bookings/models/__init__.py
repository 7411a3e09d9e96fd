from bookings.models.booking import Allocation, Booking, BookingEvent, BookingPet, Complaint
from bookings.models.calendar import CalendarFeed
from bookings.models.incident import Incident, IncidentNote
from bookings.models.quote import Quote, QuoteLine

__all__ = [
    "Allocation",
    "Booking",
    "BookingEvent",
    "BookingPet",
    "CalendarFeed",
    "Complaint",
    "Incident",
    "IncidentNote",
    "Quote",
    "QuoteLine",
]
