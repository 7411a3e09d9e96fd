"""The inbox of what gateways tell us. Stored once before the answer; worked on later, in whatever order.

An event is only a hint where to look: its payment is asked for at the gateway and brought forward. So events may come
twice, late, in any order or not at all.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F

from payments.domain import charges
from payments.gateways import registry
from payments.gateways.base import Event, GatewayUnavailable
from payments.models import GatewayEvent, Payment
from payments.states import EventState
from petplace.db import keys_of_either

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=5)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(minutes=30)
BATCH = 200


@dataclass
class Outcome:
    """How many events one pass has dealt with, with how many looks at the gateway."""

    processed: int = 0
    ignored: int = 0
    failed: int = 0
    looks: int = 0


def receive(gateway: str, body: bytes, headers: Mapping[str, str], *, now: datetime) -> None:
    """Check a webhook's signature and store it, once per event id. Raises BadSignature; nothing is stored then.

    When it returns the row is committed, so that the gateway may be told to forget it.
    """
    store(gateway, registry.get(gateway).parse_event(body, headers, now=now), now=now)


def store(gateway: str, event: Event, *, now: datetime) -> None:
    """Keep an event, unless it is kept already. Nobody looks before: two copies at the same moment are one row."""
    row = GatewayEvent(
        gateway=gateway, event_id=event.id[:255], kind=event.kind[:100], object_ref=event.object_ref[:255],
        payment_uid=_uuid(event.payment_uid), payload=event.payload, is_test=event.is_test, due_at=now,
    )  # fmt: skip
    GatewayEvent.objects.bulk_create([row], ignore_conflicts=True)


def process_due(*, now: datetime, limit: int = BATCH) -> Outcome:
    """Work on what came in. Events about one payment share a look at the gateway. Safe to run many times at once."""
    outcome = Outcome()
    about: dict[Payment, list[GatewayEvent]] = defaultdict(list)
    for event in _lease(now, limit):
        payment = None if _is_foreign(event) else find_payment(event)
        if payment is None:
            _mark([event], EventState.IGNORED, now)
            outcome.ignored += 1
        else:
            about[payment].append(event)
    for payment, group in about.items():
        try:
            if charges.sync(payment, now=now).ref is None:
                raise GatewayUnavailable("An event came before the answer that tells the payment's name.")
        except DatabaseError:
            raise  # the leases run out
        except Exception as error:
            logger.warning("Events about payment %s wait: %s", payment.uid, error)
            _wait(group, error, now)
            outcome.failed += len(group)
        else:
            _mark(group, EventState.PROCESSED, now)
            outcome.processed += len(group)
        outcome.looks += 1
    return outcome


def find_payment(event: GatewayEvent) -> Payment | None:
    """Return the payment that an event is about: by our own id in it, else by the ref of it, a refund or a dispute."""
    payments = Payment.objects.select_related("invoice").filter(gateway=event.gateway)
    if event.payment_uid is not None:
        found = payments.filter(uid=event.payment_uid).first()
        if found is not None:
            return found
    return payment_of_ref(event.gateway, event.object_ref)


def payment_of_ref(gateway: str, ref: str) -> Payment | None:
    """Return the payment that has this ref at ``gateway``, or whose refund or dispute has it."""
    if not ref:
        return None
    payments = Payment.objects.filter(gateway=gateway)
    named = keys_of_either(
        payments.filter(ref=ref), payments.filter(refunds__ref=ref), payments.filter(disputes__ref=ref)
    )
    return payments.filter(pk__in=named).select_related("invoice").order_by("pk").first()


@transaction.atomic
def _lease(now: datetime, limit: int) -> list[GatewayEvent]:
    rows = GatewayEvent.objects.due(now).select_for_update(skip_locked=True).order_by("due_at", "pk")
    events = list(rows[:limit])
    GatewayEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        due_at=now + LEASE, attempts=F("attempts") + 1
    )
    for event in events:
        event.attempts += 1
    return events


def _is_foreign(event: GatewayEvent) -> bool:
    """A gateway's test event has no business in production."""
    return event.is_test and settings.IS_PRODUCTION and event.gateway != "sandbox"


def _mark(events: Iterable[GatewayEvent], state: EventState, now: datetime) -> None:
    GatewayEvent.objects.filter(pk__in=[event.pk for event in events]).update(state=state, processed_at=now, error="")


def _wait(events: list[GatewayEvent], error: Exception, now: datetime) -> None:
    for event in events:
        wait = min(FIRST_WAIT * 2 ** min(event.attempts - 1, 10), LONGEST_WAIT)
        GatewayEvent.objects.filter(pk=event.pk).update(
            state=EventState.FAILED, due_at=now + wait, error=f"{type(error).__name__}: {error}"[:1000]
        )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def strip_old(*, now: datetime) -> int:
    """Blank what gateways sent us long ago; that they did, and what became of it, stays. Returns how many."""
    limit = now - timedelta(days=settings.RETAIN_GATEWAY_PAYLOAD_DAYS)
    done = GatewayEvent.objects.filter(created_at__lte=limit, state__in=[EventState.PROCESSED, EventState.IGNORED])
    return done.exclude(payload={}).update(payload={})
