"""What a browser keeps for when there is no network: the next visits of its signed-in reader."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from bookings.domain import revealing
from bookings.models import Booking
from bookings.states import Side
from petplace.http import SignedInRequest
from petplace.templatetags import ui

OWN = 10
OF_THE_BUSINESS = 20


@login_required
@require_GET
@cache_control(private=True, no_store=True)
def next_bookings(request: SignedInRequest) -> HttpResponse:
    """Return the next visits of the reader and of the reader's businesses, ready to be shown without a server."""
    now = timezone.now()
    own = Booking.objects.owned_by(request.user).upcoming(now).with_everything()[:OWN]
    ours = Booking.objects.provided_by(request.user).upcoming(now).with_everything()[:OF_THE_BUSINESS]
    visits = [*_shown(own, Side.OWNER, now), *_shown(ours, Side.PROVIDER, now)]
    visits.sort(key=lambda visit: visit["starts_at"])
    return JsonResponse({"person": str(request.user.uid), "at": now, "visits": visits})


def _shown(bookings: Iterable[Booking], side: Side, now: datetime) -> list[dict[str, Any]]:
    found = []
    for booking in bookings:
        pets = ", ".join(pet.name for pet in booking.pets.all())
        other = booking.provider.name if side == Side.OWNER else booking.owner.get_full_name()
        # The place is told to the owner shortly before; the business knows its own.
        tells_place = side == Side.PROVIDER or revealing.tells_place(booking, now=now)
        found.append(
            {
                "reference": booking.reference,
                "title": booking.service.name,
                "when": ui.local_range_text(booking.starts_at, booking.ends_at, booking.time_zone),
                "who": f"{pets} with {other}" if side == Side.OWNER else f"{pets} of {other}",
                "address": booking.service.branch.address if tells_place else "",
                "state": booking.get_state_display(),
                "starts_at": booking.starts_at,
                "ends_at": booking.ends_at,
            }
        )
    return found
