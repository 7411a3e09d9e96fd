"""Pages of the owner who reviews a visit."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from bookings.models import Booking
from petplace.errors import DomainError
from petplace.http import SignedInRequest
from reviews import domain, permissions
from reviews.forms import ReviewForm


@login_required
def write(request: SignedInRequest, reference: str) -> HttpResponse:
    """Ask for the review of a completed visit; show the one that is there."""
    booking = get_object_or_404(
        Booking.objects.owned_by(request.user).select_related("provider", "service", "review"), reference=reference
    )
    form = ReviewForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            domain.write(booking, by=request.user, **form.cleaned_data, now=timezone.now())
        except DomainError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, "Thank you. Your review is published.")
        return redirect(booking)
    return render(
        request,
        "reviews/write.html",
        {
            "booking": booking,
            "form": form,
            "review": getattr(booking, "review", None),
            "is_open": permissions.is_open(booking, now=timezone.now()),
            "write_until": permissions.write_until(booking),
        },
    )
