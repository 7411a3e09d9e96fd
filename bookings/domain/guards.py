"""What lower floors ask before they take something away that bookings need."""

from datetime import datetime

from django.db.models import Q

from accounts.models import User
from bookings.domain import texts
from bookings.models import Allocation, Booking, Complaint, Incident
from petplace.errors import DomainError
from providers.models import Resource

SHOWN = 5


def refuse_time_off(resource: Resource, starts_at: datetime, ends_at: datetime) -> None:
    """Refuse time off while something is booked then. Called under the resource's lock, so a burst has one winner."""
    taken = Allocation.objects.filter(resource=resource, is_live=True, during__overlap=(starts_at, ends_at))
    references = list(taken.order_by("during").values_list("booking__reference", flat=True)[: SHOWN + 1])
    if references:
        shown = texts.listed([*references[:SHOWN], *(["more"] if len(references) > SHOWN else [])])
        message = f"{resource.name} is booked then: {shown}. Move or cancel that first."
        raise DomainError(message, code="booked_then", extra={"bookings": references[:SHOWN]})


def refuse_while_complaints_are_open(user: User) -> None:
    """Refuse while Pet Place decides about a complaint that the person made."""
    open_ones = Complaint.objects.filter(by=user, closed_at__isnull=True)
    if references := list(open_ones.values_list("booking__reference", flat=True)[:SHOWN]):
        message = f"We are looking at your complaint: {texts.listed(references)}. Wait until it is decided."
        raise DomainError(message, code="open_complaints", extra={"bookings": references})


def refuse_while_reports_are_open(user: User) -> None:
    """Refuse while staff look at a safety report that the person made: there may be questions."""
    if Incident.objects.waiting().filter(by=user).exists():
        message = "We are looking at your safety report. Wait until it is answered."
        raise DomainError(message, code="open_incidents")


def refuse_closing(user: User) -> None:
    """Refuse to close an account that still has something to come, as an owner or in a provider's team."""
    own = Q(owner_id=user.pk) | Q(provider__memberships__user_id=user.pk)
    references = list(Booking.objects.live().filter(own).values_list("reference", flat=True).distinct()[:SHOWN])
    if references:
        message = f"There are open bookings: {texts.listed(references)}. Cancel or finish them first."
        raise DomainError(message, code="open_bookings", extra={"bookings": references})
