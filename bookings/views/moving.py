"""One page to move a booking, for both sides: free times as buttons, and a form for any other time."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from bookings import permissions
from bookings.domain import reschedule, slots
from bookings.forms import MoveForm, StayMoveForm
from bookings.models import Booking
from bookings.states import Action
from bookings.views.access import show_error
from bookings.views.days import alternatives_of, days_of, first_day
from petplace.errors import DomainError

DAYS_SHOWN = 7


def move_page(
    request: HttpRequest, booking: Booking, *, template: str, done: str, extra: dict[str, Any] | None = None
) -> HttpResponse:
    now = timezone.now()
    if Action.RESCHEDULE not in permissions.allowed_actions(request.user, booking, now=now):
        messages.error(request, "This booking can no longer be moved.")
        return redirect(done)
    make_form = StayMoveForm if booking.service.is_overnight else MoveForm
    form = make_form(request.POST or None, booking=booking)
    status, alternatives = 200, []
    if request.method == "POST":
        if form.is_valid():
            try:
                _move(booking, form.cleaned_data, request, now)
            except DomainError as error:
                show_error(form, error)
                status, alternatives = error.status, alternatives_of(error, booking.service)
            else:
                messages.success(request, "The booking is moved.")
                return redirect(done)
        status = 400 if status == 200 else status
    context = {
        "booking": booking,
        "form": form,
        "alternatives": alternatives,
        "now": now,
        **week_context(request, booking, now=now),
        **(extra or {}),
    }
    return render(request, template, context, status=status)


def _move(booking: Booking, data: dict[str, Any], request: HttpRequest, now: datetime) -> Booking:
    return reschedule.move(
        booking,
        by=request.user,
        starts_at=data["start"],
        ends_at=data.get("end"),
        resource=data.get("resource"),
        now=now,
    )


def week_context(request: HttpRequest, booking: Booking, *, now: datetime) -> dict[str, Any]:
    """Return the free times of the week that the query asks for (default: that of the booking)."""
    service = booking.service
    near = booking.starts_at.astimezone(booking.zone).date()
    first = first_day(request.GET.get("day"), service, now=now, default=near)
    last = first + timedelta(days=DAYS_SHOWN - 1)
    free = slots.free(service, from_date=first, to_date=last, pet_count=booking.pets.count(), now=now)
    return days_of(free, service, first=first, count=DAYS_SHOWN, now=now)
