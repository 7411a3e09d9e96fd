"""Pages of the owner who reviews a visit."""

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from bookings.models import Booking
from petplace.http import SignedInRequest
from reviews.choices import ReviewSide
from reviews.views.writing import write_page


@login_required
@require_http_methods(["GET", "POST"])
def write(request: SignedInRequest, reference: str) -> HttpResponse:
    """Ask for the review of a completed visit; show the one that is there."""
    booking = get_object_or_404(
        Booking.objects.owned_by(request.user).select_related("provider", "service"), reference=reference
    )
    return write_page(
        request,
        booking,
        side=ReviewSide.OWNER,
        back=booking.get_absolute_url(),
        template="reviews/write.html",
        now=timezone.now(),
    )
