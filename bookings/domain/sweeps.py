"""What happens to bookings by itself when its time has come. Safe to run at any moment, twice, and many at once.

Each row is a transaction of its own. A row that somebody works on is left to them (SKIP LOCKED); one that fails is
logged and does not stop the others.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from bookings.domain import lifecycle
from bookings.models import Booking
from bookings.states import BookingState
from payments.gateways import registry
from petplace.errors import DomainError
from providers.models import Service

logger = logging.getLogger(__name__)

BATCH = 500
EXPIRED_HOLDS = """
    SELECT b.id
    FROM bookings_booking b
    JOIN providers_service s ON s.id = b.service_id
    WHERE b.state = 'held' AND b.due_at <= %(now)s AND s.branch_id = %(branch)s AND EXISTS (
        SELECT FROM bookings_allocation a
        WHERE a.booking_id = b.id AND a.is_live AND upper(a.during) > %(start)s AND lower(a.during) < %(end)s
    )
    ORDER BY b.due_at, b.id
    LIMIT %(most)s
"""


@dataclass(frozen=True)
class Done:
    """How many rows were taken a step further, and how many failed."""

    expired: int = 0
    completed: int = 0
    failed: int = 0


def process_due(now: datetime) -> Done:
    """Expire holds and requests whose time is over, and complete visits that nobody closed two days after their end.

    Takes at most 500 rows, the longest due first: beat comes again in seconds, and a worker that must stop can.
    """
    return _process(_first(Booking.objects.due(now).order_by("due_at", "pk")), now)


def sweep(now: datetime) -> Done:
    """Do the same for what has no due time although it should: the net below ``process_due``, once an hour."""
    overdue = Q(state=BookingState.PENDING, starts_at__lte=now - lifecycle.FORGOTTEN_AFTER_START) | Q(due_at__lte=now)
    return _process(_first(Booking.objects.filter(overdue).order_by("starts_at", "pk")), now)


def free_expired_holds(service: Service, starts_at: datetime, ends_at: datetime, *, now: datetime) -> int:
    """End the holds in the branch of ``service`` that ran out and still keep something in this span.

    A plain statement: everybody who finds a time taken asks it, in a crowd all at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            EXPIRED_HOLDS, {"now": now, "branch": service.branch_id, "start": starts_at, "end": ends_at, "most": BATCH}
        )
        due = [pk for (pk,) in cursor.fetchall()]
    return _process(due, now).expired


def _first(bookings: QuerySet[Booking]) -> list[int]:
    return list(bookings.values_list("pk", flat=True)[:BATCH])


def _process(due: Sequence[int], now: datetime) -> Done:
    expired = completed = failed = 0
    is_paused = bool(due) and registry.is_paused()  # nobody can pay: holds are kept a little longer
    for pk in due:
        try:
            state = _one(pk, now, is_paused=is_paused)
        except (OperationalError, InterfaceError):
            raise  # the database is away: the next run goes on
        except Exception:
            logger.exception("Booking %s could not be processed when it was due", pk)
            failed += 1
            continue
        expired += state == BookingState.CANCELLED
        completed += state == BookingState.COMPLETED
    if expired or completed or failed:
        logger.info("Bookings due: %s expired, %s completed, %s failed", expired, completed, failed)
    return Done(expired, completed, failed)


@transaction.atomic
def _one(pk: int, now: datetime, *, is_paused: bool = False) -> str | None:
    """Take one booking a step further, unless somebody else has it or has been faster."""
    rows = Booking.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
    booking = rows.filter(pk=pk).first()
    if booking is None:
        return None
    try:
        if is_paused and lifecycle.keep_waiting(booking, now=now):
            return None
        if booking.state in (BookingState.HELD, BookingState.PENDING):
            return lifecycle.expire(booking, now=now).state
        if booking.state == BookingState.IN_PROGRESS:
            return lifecycle.complete(booking, by=None, now=now).state
    except DomainError as error:
        if error.code != "not_due":
            raise
    return None
