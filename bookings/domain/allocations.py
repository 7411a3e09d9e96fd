"""Taking resources for a booking: all of them together, or none.

The order of locks, everywhere in the domain of bookings, is **booking -> owner -> resources by ascending id**; invoice
and notifications come after them. Whoever holds a resource's lock never waits for a booking or an owner, so nobody
waits in a circle. All of it needs READ COMMITTED: each statement must see what was committed while it waited.

How a reservation goes:

1. One statement picks, for each kind that the service needs, the best resource that is open and free, and locks it
   unless another transaction holds it (SKIP LOCKED): bursts spread over the places that there are.
2. If a kind has free resources but all are locked, let go of everything, wait until those that were picked are free
   (``ORDER BY id FOR SHARE``: all who wait wake together), and look whether anything is left; if so let go, and go to
   1. Those who wake hold each other's SHARE for a moment, and on a busy machine the moment can be long: who finds
   nothing unlocked for the third time queues for the locks themselves (``ORDER BY id FOR NO KEY UPDATE``) and goes to
   3 with them.
3. Insert the allocations in one statement that asks again, in its own snapshot, whether each resource is open, with
   ``ON CONFLICT DO NOTHING``: the exclusion constraint answers without an error, so without a deadlock.
4. A row is missing: somebody was faster, or hours were changed. Roll back to the savepoint, which frees the locks, and
   go to 1, where the lost resource is no longer a candidate. No candidates left: the time is taken.

A move has allocations already. Before it touches a row it locks the old resources together with the new ones in one
statement, as in 1 and 2: all that are free of locks, else it lets go, waits together with the others, and queues
(``ORDER BY id``) the third time; then 3 and 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from bookings.domain import interval
from bookings.models import Allocation, Booking
from petplace.errors import DomainError
from providers.models import Resource, Service

# Two rounds of waiting together, then in a queue. From there each round that fails was lost to another reservation that
# went in, so the places bound the rounds; MAX_ROUNDS is the guard.
ROUNDS_TOGETHER = 2
MAX_ROUNDS = 100


class SlotTakenError(DomainError):
    """The time is gone. ``extra`` carries the nearest free alternatives when the reservation knows them."""

    code = "slot_taken"
    message = "This time is not free any more. Please choose another one."


@dataclass(frozen=True)
class Ask:
    """What a reservation needs: one resource of each kind of ``service`` for its time and buffers.

    ``resource_id`` is the one that the client insists on; ``old`` are the resources that the booking has already.
    """

    booking_id: int
    service: Service
    starts_at: datetime
    ends_at: datetime
    resource: Resource | None = None
    old: tuple[int, ...] = ()

    @property
    def kinds(self) -> list[str]:
        return sorted(set(self.service.needs))


_CANDIDATES = """
    SELECT r.id
    FROM providers_resource r
    JOIN providers_openhours o ON o.resource_id = r.id
    WHERE r.branch_id = %(branch)s AND r.kind = need.kind AND r.is_active
      AND (r.skills = '{{}}' OR %(service_kind)s = ANY(r.skills))
      AND (%(asked)s::bigint IS NULL OR need.kind <> %(asked_kind)s OR r.id = %(asked)s)
      AND o.open @> tstzrange(%(start)s, %(end)s)
      AND NOT EXISTS (
        SELECT FROM bookings_allocation a
        WHERE a.resource_id = r.id AND a.is_live AND a.booking_id <> %(booking)s
          AND upper(a.during) > %(start)s AND lower(a.during) < %(end)s
      )
    ORDER BY r.id = ANY(%(old)s::bigint[]) DESC, (
        SELECT coalesce(sum(upper(a.during) - lower(a.during)), '0')
        FROM bookings_allocation a
        WHERE a.resource_id = r.id AND a.is_live
          AND upper(a.during) > %(day_start)s AND lower(a.during) < %(day_end)s
      ), r.position, r.id
    LIMIT 1 {lock}
"""
_PICK = "SELECT need.kind, c.id FROM unnest(%(kinds)s::text[]) AS need(kind) LEFT JOIN LATERAL ({candidates}) c ON true"
PICK_UNLOCKED = _PICK.format(candidates=_CANDIDATES.format(lock="FOR NO KEY UPDATE OF r SKIP LOCKED"))
PICK = _PICK.format(candidates=_CANDIDATES.format(lock=""))
LOCK = "SELECT id FROM providers_resource WHERE id = ANY(%s::bigint[]) ORDER BY id FOR NO KEY UPDATE"
LOCK_UNLOCKED = f"{LOCK} SKIP LOCKED"
WAIT = "SELECT id FROM providers_resource WHERE id = ANY(%s::bigint[]) ORDER BY id FOR SHARE"
INSERT = """
    INSERT INTO bookings_allocation (booking_id, resource_id, during, is_live)
    SELECT %(booking)s, r.id, tstzrange(%(start)s, %(end)s), true
    FROM providers_resource r
    JOIN providers_openhours o ON o.resource_id = r.id
    WHERE r.id = ANY(%(chosen)s::bigint[]) AND r.is_active AND o.open @> tstzrange(%(start)s, %(end)s)
    ORDER BY r.id
    ON CONFLICT DO NOTHING
    RETURNING resource_id
"""


def take(ask: Ask) -> tuple[int, ...]:
    """Allocate one resource of each needed kind; return their ids. Replaces what the booking has.

    Must run inside the caller's transaction, which must hold the booking (or be making it) and the owner. Raises
    SlotTakenError when there is no such combination; the transaction may hold locks then and must be rolled back.
    """
    parameters = _parameters(ask)
    savepoint = transaction.savepoint()
    for lost in range(MAX_ROUNDS):
        chosen = _choose(ask, parameters, savepoint, in_queue=lost >= ROUNDS_TOGETHER)
        if chosen is None:
            break
        if chosen and _insert(ask, chosen, parameters):
            transaction.savepoint_commit(savepoint)
            return chosen
        transaction.savepoint_rollback(savepoint)
    raise SlotTakenError(_message(ask))


def refuse_taken(service: Service, span: interval.Span, resource: Resource | None = None) -> None:
    """Raise SlotTakenError when the time can be seen to be taken. Locks nothing, so a yes is only a forecast."""
    ask = Ask(0, service, *span, resource)
    if _complete(_rows(PICK, _parameters(ask))) is None:
        raise SlotTakenError(_message(ask))


def release(booking: Booking) -> None:
    """Give the resources free. The caller holds the booking; no resource needs a lock for that."""
    Allocation.objects.filter(booking_id=booking.pk, is_live=True).update(is_live=False)


def _choose(ask: Ask, parameters: dict[str, object], savepoint: str, *, in_queue: bool) -> tuple[int, ...] | None:
    """Pick a resource of each kind and hold their locks. () is "try again", None that some kind has none free."""
    if settings.DISABLE_BOOKING_LOCKS:
        return _complete(_rows(PICK, parameters))
    if ask.old:
        return _choose_for_move(ask, parameters, savepoint, in_queue=in_queue)
    picked = _rows(PICK_UNLOCKED, parameters)
    if chosen := _complete(picked):
        return chosen
    if any(resource_id for _, resource_id in picked):
        # What was locked out of order must go before waiting for anything.
        transaction.savepoint_rollback(savepoint)
    wanted = _complete(_rows(PICK, parameters))
    if wanted is None:
        return None
    if in_queue:
        _rows(LOCK, [list(wanted)])
        return wanted
    return _wait(list(wanted), parameters)


def _choose_for_move(
    ask: Ask, parameters: dict[str, object], savepoint: str, *, in_queue: bool
) -> tuple[int, ...] | None:
    """Do the same for a booking that has resources: they are locked together with those that it gets."""
    wanted = _complete(_rows(PICK, parameters))
    if wanted is None:
        return None
    rows = sorted({*wanted, *ask.old})
    if in_queue:
        _rows(LOCK, [rows])
        return wanted
    if len(_rows(LOCK_UNLOCKED, [rows])) == len(rows):
        return wanted
    transaction.savepoint_rollback(savepoint)
    return _wait(rows, parameters)


def _wait(rows: list[int], parameters: dict[str, object]) -> tuple[int, ...] | None:
    """Wait until ``rows`` are free. Of a crowd that waited most have lost: they need not pick for a lock to know it."""
    _rows(WAIT, [rows])
    return None if _complete(_rows(PICK, parameters)) is None else ()


def _insert(ask: Ask, chosen: tuple[int, ...], parameters: dict[str, object]) -> bool:
    """Write the allocations in the place of the old ones; False when one of the resources could not be had."""
    if ask.old:
        Allocation.objects.filter(booking_id=ask.booking_id).delete()
    return len(_rows(INSERT, parameters | {"chosen": list(chosen)})) == len(chosen)


def _complete(picked: Sequence[tuple[Any, ...]]) -> tuple[int, ...] | None:
    ids = [int(resource_id) for _, resource_id in picked if resource_id is not None]
    return tuple(sorted(ids)) if len(ids) == len(picked) else None


def _parameters(ask: Ask) -> dict[str, object]:
    start, end = interval.taken(ask.service, ask.starts_at, ask.ends_at)
    day_start, day_end = interval.local_day(ask.starts_at, ask.service.branch.zone)
    return {
        "booking": ask.booking_id,
        "branch": ask.service.branch_id,
        "kinds": ask.kinds,
        "service_kind": ask.service.kind,
        "asked": ask.resource.pk if ask.resource else None,
        "asked_kind": ask.resource.kind if ask.resource else "",
        "old": list(ask.old),
        "start": start,
        "end": end,
        "day_start": day_start,
        "day_end": day_end,
    }


def _rows(sql: str, parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _message(ask: Ask) -> str:
    if ask.resource is not None:
        return f"{ask.resource.name} is not free at this time. Choose another time, or let anyone come."
    return SlotTakenError.message
