"""One page to move a booking, for both sides: free times as buttons, and a form for any other time."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from bookings import permissions
from bookings.domain import reschedule
from bookings.forms import MoveForm
from bookings.models import Booking
from bookings.states import Action
from bookings.views import days
from bookings.views.access import show_error
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from providers.models import Resource


def move_page(
    request: SignedInRequest, booking: Booking, *, template: str, done: str, extra: dict[str, Any] | None = None
) -> HttpResponse:
    now = timezone.now()
    if Action.RESCHEDULE not in permissions.allowed_actions(request.user, booking, now=now):
        messages.error(request, "This booking can no longer be moved.")
        return redirect(done)
    form = MoveForm(request.POST if request.method == "POST" else None, booking=booking)
    status, alternatives = 200, []
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                moved(request, booking, form, now=now)
            except DomainError as error:
                show_error(form, error)
                status, alternatives = error.status, days.alternatives_of(error)
            else:
                messages.success(request, "The booking is moved.")
                return redirect(done)
    context = _context(request, booking, now=now) | {
        "form": form,
        "alternatives": alternatives,
        "done": done,
        **(extra or {}),
    }
    if request.htmx and request.htmx.target == "times":
        template = "bookings/_move_times.html"
    return render(request, template, context, status=status)


def moved(request: SignedInRequest, booking: Booking, form: MoveForm, *, now: datetime) -> Booking:
    start, end = form.cleaned_data["span"]
    resource = form.cleaned_data["resource"]
    return reschedule.move(booking, by=request.user, starts_at=start, ends_at=end, resource=resource, now=now)


def _context(request: SignedInRequest, booking: Booking, *, now: datetime) -> dict[str, Any]:
    service, zone = booking.service, booking.zone
    near = booking.starts_at.astimezone(zone).date()
    page = days.page_of(request, service, count=booking.pets.count(), near=near, now=now)
    people = Resource.objects.filter(branch=service.branch_id, is_active=True, kind__in=service.needs)
    return page | {
        "booking": booking,
        "move_url": request.path,
        "no_pairs": [],
        "check_in": near,
        "check_out": booking.ends_at.astimezone(zone).date(),
        "offers_resources": list(people),
        "now": now,
    }
