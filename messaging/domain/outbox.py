"""Carrying notifications to people: lease a row, look once more, send outside any transaction, mark it.

A message is sent at least once and recorded exactly once. A sender that dies between sending and marking leaves its
lease to run out, and the row is sent again under the same Message-ID, so that mail programs and people can tell a
double. (Marking first loses messages: 25 of 400 in a study with fifty kills.)

Steps for one row, none of them inside a transaction that lasts:
1. ``_lease`` takes the oldest free row of a channel; the attempt counts from here.
2. It is rendered from what is true now, and the channel's connection is opened.
3. ``_hand_over``, one statement: the point of no return. Who cancelled, moved or closed before is not written to.
4. The channel's call, at once. 5. ``_mark_sent`` or ``_note_failure``.
"""

import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q, QuerySet

from messaging import kinds
from messaging.channels import registry
from messaging.channels.base import (
    Attachment,
    ChannelAdapter,
    ChannelAwayError,
    NoAddressError,
    Parcel,
    Receipt,
    RefusedError,
    SendingError,
)
from messaging.choices import LEFT, Channel, DeliveryState
from messaging.domain import preferences, rendering
from messaging.domain.rendering import message_id, register_attachments
from messaging.models import Delivery, OutboxMessage
from petplace.db import sqlstate
from petplace.errors import InvalidTransition

__all__ = ["Attachment", "Outcome", "deliver_due", "message_id", "register_attachments", "send_again"]

logger = logging.getLogger(__name__)
# One JSON object for each delivery that was given up: for whoever watches the logs.
dead_letters = logging.getLogger("messaging.dead")

# Longer than one message can take: each step of the talk with a server ends after ten seconds.
LEASE = timedelta(minutes=2)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=2)
MAX_ATTEMPTS = 12  # with these waits about six hours
# While a server is away its rows look for it so often, so that all leave soon after its return.
AWAY_WAIT = timedelta(minutes=5)
AWAY_AT_MOST = timedelta(days=3)
# And a process leaves the channel alone for so long: a server that does not answer costs a worker ten seconds.
AWAY_PAUSE = timedelta(seconds=10)
LOCK_NOT_AVAILABLE = "55P03"
KEPT_FOR = timedelta(days=14)

TOO_LATE = "Too late to be of use."
ACCOUNT_CLOSED = "The account is closed."
NO_CREDENTIALS = "This channel is not set up."
READ_MEANWHILE = "Read in the app before it was sent."

# Push and text messages first: people wait for them, and a mail server takes longest.
ORDER = (Channel.PUSH, Channel.SMS, Channel.EMAIL)

_away: dict[Channel, datetime] = {}


@dataclass
class Outcome:
    """What one pass did."""

    sent: int = 0
    kept: int = 0
    failed: int = 0
    dead: int = 0
    skipped: int = 0
    too_late: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name}" for field in fields(self))


@dataclass
class Pass:
    """One walk over what is due. ``clock`` goes on while it lasts; what is written carries its beginning."""

    now: datetime
    outcome: Outcome
    started: float = field(default_factory=time.monotonic)

    def clock(self) -> datetime:
        return self.now + timedelta(seconds=time.monotonic() - self.started)


@dataclass
class Desk:
    """One channel in a pass, and its connection."""

    channel: Channel
    adapter: ChannelAdapter
    is_open: bool = False

    def send(self, parcel: Parcel, may_go: Callable[[], bool]) -> Receipt | None:
        """Send with the connection open; None when it may not go any more."""
        if not self.is_open:
            self.adapter.open()
            self.is_open = True
        return self.adapter.send(parcel) if may_go() else None

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.adapter.close()


def deliver_due(*, now: datetime, seconds: float = 4.0, limit: int = 500) -> Outcome:
    """Send what is due, oldest first, for about ``seconds`` (so that a worker can stop soon) or ``limit`` messages.

    The channels take turns, so that a slow one does not hold up the others. Safe to run many times at once: rows in
    other hands are passed over (``SKIP LOCKED`` and the lease). A failed row waits longer each time and is given up
    after ``MAX_ATTEMPTS``; a server that is away ends its channel's part of the pass, so an outage costs few rows an
    attempt, none its life, and all go out soon after it is back.
    """
    walk = Pass(now, Outcome(too_late=_drop_useless(now), sent=_deliver_in_app(now)))
    desks = _desks(walk)
    try:
        while desks:
            for desk in desks.copy():
                is_over = limit <= 0 or time.monotonic() - walk.started >= seconds
                delivery = None if is_over else _lease(desk.channel, now)
                limit -= delivery is not None
                if delivery is None or not _carry(delivery, desk, walk):
                    desk.close()
                    desks.remove(desk)
    finally:
        for desk in desks:
            desk.close()
    return walk.outcome


def _desks(walk: Pass) -> list[Desk]:
    """Return the channels of this pass. What waits for one that is not set up here is marked as not sent."""
    found = []
    for channel in ORDER:
        adapter = registry.adapter(channel)
        if adapter is None:
            walk.outcome.skipped += _skip_all(channel, walk.now)
        elif not (channel in _away and _away[channel] <= walk.now < _away[channel] + AWAY_PAUSE):
            found.append(Desk(channel, adapter))
    return found


def _carry(delivery: Delivery, desk: Desk, walk: Pass) -> bool:
    """Bring one leased row to an end, or let it wait. Returns False when the channel has had enough for this pass."""
    try:
        parcel = _prepare(delivery, walk)
        receipt = desk.send(parcel, lambda: _hand_over(delivery, walk)) if parcel is not None else None
    except (OperationalError, InterfaceError) as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise  # the database is away: the lease runs out, and the row is tried again
        logger.warning("Delivery %s is being changed by somebody; it waits", delivery.uid)
    except Exception as error:
        _note_failure(delivery, error, walk)
        if isinstance(error, ChannelAwayError):
            _away[desk.channel] = walk.now
            return False
        if not isinstance(error, RefusedError | NoAddressError):
            desk.close()  # who knows what state the talk with the server is in
    else:
        if receipt is not None:
            _mark_sent(delivery, receipt, walk)
    return True


def _prepare(delivery: Delivery, walk: Pass) -> Parcel | None:
    """Render a row that may go out now. One that may not is put away, and None returned."""
    notification = delivery.notification
    kind = kinds.get(notification.kind)
    reach = preferences.reach([notification.user_id], [kind.name], now=walk.now)[notification.user_id]
    state, why = _objection(delivery, reach)
    if not why and (quiet_until := reach.quiet_until(kind, delivery.channel, walk.now)):
        _mine(delivery).update(due_at=quiet_until, leased_until=None, attempts=F("attempts") - 1)
        return None
    parcel = None if why else rendering.parcel(delivery, now=walk.now)
    if parcel is None:
        _put_away(delivery, state, why or READ_MEANWHILE, walk)
    return parcel


def _objection(delivery: Delivery, reach: preferences.Reach) -> tuple[DeliveryState, str]:
    """Say why a row is not sent at all, or ''."""
    notification = delivery.notification
    kind = kinds.get(notification.kind)
    if not notification.user.is_active:
        return DeliveryState.CANCELLED, ACCOUNT_CLOSED
    if reach.refuses(kind, delivery.channel):
        return DeliveryState.SKIPPED, preferences.OPTED_OUT
    if kind.digest_minutes and notification.read_at is not None:
        return DeliveryState.SKIPPED, READ_MEANWHILE
    return DeliveryState.SKIPPED, reach.obstacle(delivery.channel)


@transaction.atomic
def send_again(delivery: Delivery, *, now: datetime) -> Delivery:
    """Give a dead delivery another round of attempts. Raises InvalidTransition for any other."""
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if delivery.state != DeliveryState.DEAD:
        raise InvalidTransition("Only a delivery that was given up can be sent again.")
    delivery.state, delivery.attempts, delivery.outages, delivery.due_at = DeliveryState.WAITING, 0, 0, now
    delivery.leased_until = delivery.sent_at = delivery.handed_at = None
    delivery.save(update_fields=["state", "attempts", "outages", "due_at", "leased_until", "sent_at", "handed_at"])
    return delivery


def _free(now: datetime) -> QuerySet[Delivery]:
    """Waiting rows that are due and in nobody's hands."""
    return Delivery.objects.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now)).filter(
        state=DeliveryState.WAITING, due_at__lte=now
    )


def _mine(delivery: Delivery) -> QuerySet[Delivery]:
    """The row while it is still in our hands: ``attempts`` and the lease change with every new holder."""
    return Delivery.objects.filter(
        pk=delivery.pk,
        state=DeliveryState.WAITING,
        attempts=delivery.attempts,
        leased_until=delivery.leased_until,
    )


def _drop_useless(now: datetime) -> int:
    rows = _free(now).filter(channel__in=ORDER, notification__useless_after__lte=now)
    return _set_all(rows, state=DeliveryState.LATE, last_error=TOO_LATE)


def _skip_all(channel: Channel, now: datetime) -> int:
    rows = _free(now).filter(channel=channel)
    return _set_all(rows, state=DeliveryState.SKIPPED, last_error=NO_CREDENTIALS)


def _set_all(rows: QuerySet[Delivery], **changes: Any) -> int:
    """Write ``changes`` to all of ``rows`` that nobody else has in hand."""
    ids = rows.select_for_update(skip_locked=True, of=("self",)).values("pk")
    with transaction.atomic():
        return Delivery.objects.filter(pk__in=ids).update(**changes)


def _deliver_in_app(now: datetime) -> int:
    """In the app a notification is seen from its due time on; the row only says so."""
    rows = _free(now).filter(channel=Channel.IN_APP)
    return _set_all(rows, state=DeliveryState.SENT, sent_at=now, attempts=F("attempts") + 1, last_error="")


@transaction.atomic
def _lease(channel: Channel, now: datetime) -> Delivery | None:
    """Take the oldest free row. The attempt counts from here, so a row that kills its worker is given up, too."""
    delivery = (
        _free(now)
        .filter(channel=channel)
        .select_related("notification__user")
        .select_for_update(skip_locked=True, of=("self",))
        .order_by("due_at", "pk")
        .first()
    )
    if delivery is None:
        return None
    delivery.attempts += 1
    delivery.leased_until = now + LEASE
    delivery.save(update_fields=["attempts", "leased_until"])
    return delivery


# Every condition on the delivery stands on the row that is updated: whoever waits here for somebody else's change of
# it checks them again on the new row. Django would put them into a subquery, where the old row would pass.
HAND_OVER = """
    UPDATE messaging_delivery AS d SET handed_at = %(clock)s
    FROM messaging_notification AS n
    WHERE d.id = %(pk)s AND n.id = d.notification_id
      AND d.state = 'waiting' AND d.attempts = %(attempts)s AND d.leased_until = %(lease)s
      AND n.cancelled_at IS NULL AND (n.useless_after IS NULL OR n.useless_after > %(clock)s)
"""


def _hand_over(delivery: Delivery, walk: Pass) -> bool:
    """Say whether the row may still go; once this has committed it counts as gone."""
    clock = walk.clock()
    values = {"pk": delivery.pk, "attempts": delivery.attempts, "lease": delivery.leased_until, "clock": clock}
    with connection.cursor() as cursor:
        cursor.execute(HAND_OVER, values)
        if cursor.rowcount:
            return True
    useless_after = delivery.notification.useless_after
    if useless_after is not None and useless_after <= clock:
        walk.outcome.too_late += _mine(delivery).update(
            state=DeliveryState.LATE, leased_until=None, last_error=TOO_LATE
        )
    return False


def _mark_sent(delivery: Delivery, receipt: Receipt, walk: Pass) -> None:
    """Record it, also where it was taken back while it was under way: it did go out. A second mark changes nothing."""
    done = Delivery.objects.filter(pk=delivery.pk).exclude(state__in=[*LEFT, DeliveryState.OUTBOX])
    if receipt.is_kept:
        walk.outcome.kept += done.update(state=DeliveryState.OUTBOX, leased_until=None, last_error="")
    else:
        walk.outcome.sent += done.update(
            state=DeliveryState.SENT, sent_at=walk.now, leased_until=None, last_error="", ref=receipt.ref[:200],
            reached=_all_reached(delivery, receipt.reached),
        )  # fmt: skip


def _all_reached(delivery: Delivery, reached: Sequence[str]) -> list[str]:
    """Return the devices of all tries, each once."""
    return list(dict.fromkeys([*delivery.reached, *reached]))


def _put_away(delivery: Delivery, state: DeliveryState, why: str, walk: Pass) -> None:
    _mine(delivery).update(state=state, leased_until=None, last_error=why)
    walk.outcome.skipped += state == DeliveryState.SKIPPED


def _note_failure(delivery: Delivery, error: Exception, walk: Pass) -> None:
    """Let the row wait twice as long as the last time, or give it up. The lease guards against a newer holder."""
    outcome, why = walk.outcome, _sentence(error)
    if isinstance(error, NoAddressError):
        _put_away(delivery, DeliveryState.SKIPPED, str(error), walk)
        return
    is_away = isinstance(error, ChannelAwayError)
    is_dead = isinstance(error, RefusedError)
    if is_away:
        is_dead = walk.now - delivery.notification.due_at > AWAY_AT_MOST
    elif not is_dead:
        is_dead = delivery.attempts - delivery.outages >= MAX_ATTEMPTS
    tries = delivery.attempts if is_away else delivery.attempts - delivery.outages
    wait = min(FIRST_WAIT * 2 ** min(tries - 1, 20), AWAY_WAIT if is_away else LONGEST_WAIT)
    reached = error.reached if isinstance(error, SendingError) else ()
    if is_dead and (reached or delivery.reached):  # to some of the devices it went
        _mark_sent(delivery, Receipt(reached=reached), walk)
        return
    _mine(delivery).update(
        state=DeliveryState.DEAD if is_dead else DeliveryState.WAITING,
        due_at=delivery.due_at if is_dead else walk.now + wait,
        outages=delivery.outages + is_away,
        leased_until=None,
        last_error=why,
        reached=_all_reached(delivery, reached),
    )
    if is_dead:
        outcome.dead += 1
        note_dead(delivery, why)
    else:
        outcome.failed += 1
        logger.warning("Delivery %s failed, next try in %s: %s", delivery.uid, wait, why)


def note_dead(delivery: Delivery, why: str) -> None:
    """Write one line of JSON about a delivery that was given up. The whole error, which may hold an address, is in the
    row; here is only its name."""
    line = {
        "event": "delivery_dead",
        "delivery": str(delivery.uid),
        "channel": delivery.channel,
        "kind": delivery.notification.kind,
        "attempts": delivery.attempts,
        "error": why.split(":", 1)[0],
    }
    dead_letters.error(json.dumps(line))


def delete_kept(*, now: datetime) -> int:
    """Delete what the developer's outbox has kept for two weeks."""
    return OutboxMessage.objects.filter(created_at__lt=now - KEPT_FOR).delete()[0]


def due(now: datetime, channels: Sequence[Channel] = tuple(Channel)) -> QuerySet[Delivery]:
    """What should have gone by now."""
    return Delivery.objects.filter(state=DeliveryState.WAITING, due_at__lte=now, channel__in=channels)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1000]
