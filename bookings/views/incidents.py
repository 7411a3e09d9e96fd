"""Reporting a safety problem: one page for both sides of a booking."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone

from bookings.domain import incidents
from bookings.forms import IncidentForm
from bookings.models import Booking
from bookings.views.access import show_error
from petplace.errors import DomainError
from petplace.http import SignedInRequest


@login_required
def report(request: SignedInRequest, reference: str) -> HttpResponse:
    """Ask what happened; send it to the staff."""
    mine = Booking.objects.owned_by(request.user) | Booking.objects.provided_by(request.user)
    found = mine.distinct().values_list("pk", flat=True)
    booking = get_object_or_404(
        Booking.objects.select_related("service", "provider", "owner").filter(pk__in=found), reference=reference
    )
    is_owner = booking.owner_id == request.user.pk
    back = (
        booking.get_absolute_url()
        if is_owner
        else reverse("provider:booking", args=[booking.provider.slug, booking.reference])
    )
    form = IncidentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            incidents.report(booking, by=request.user, now=timezone.now(), **form.cleaned_data)
        except DomainError as error:
            show_error(form, error)
        else:
            messages.success(request, "Thank you. A person of our team looks at it and writes to you.")
            return redirect(back)
    about = booking.provider.name if is_owner else booking.owner.get_short_name()
    context = {"booking": booking, "form": form, "about": about, "back": back}
    return render(request, "bookings/incident.html", context)
