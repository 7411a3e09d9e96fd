"""Everything that changes a review, its reply or the figures happens under the lock of the booking's row.

Order: the booking, then the review, then the provider's figures.
"""

from django.conf import settings

from bookings.models import Booking


def lock(booking_id: int, *, is_skipping: bool = False) -> Booking | None:
    """Hold the booking's row until the end of the transaction. None: another has it, and ``is_skipping``."""
    rows = Booking.objects.filter(pk=booking_id)
    if not settings.DISABLE_BOOKING_LOCKS:
        rows = rows.select_for_update(no_key=True, of=("self",), skip_locked=is_skipping)
    return rows.first()
