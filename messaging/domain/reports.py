"""What the services outside say became of a message: late, twice, and in any order."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import transaction

from messaging.choices import Channel, DeliveryState
from messaging.domain import addresses
from messaging.domain.outbox import note_dead
from messaging.models import Delivery

logger = logging.getLogger(__name__)

STOPPED = "21610"
NO_SUCH_NUMBER = {"30005", "30006", "21211", "21614"}  # unknown handset, landline, no number, no mobile
# What still may have gone out, whatever we made of it: the answer was lost, or it was taken back under way.
OPEN = (DeliveryState.WAITING, DeliveryState.CANCELLED, DeliveryState.LATE, DeliveryState.DEAD)


@transaction.atomic
def text(delivery_uid: UUID, *, status: str, ref: str, code: str, now: datetime) -> Delivery | None:
    """Note Twilio's ``status`` of a text. Returns the delivery, or None for one that we do not know.

    A row whose answer was lost becomes sent by this. What was delivered stays so: reports come in any order.
    """
    delivery = (
        Delivery.objects.select_for_update(of=("self",))
        .select_related("notification__user")
        .filter(uid=delivery_uid, channel=Channel.SMS)
        .first()
    )
    if delivery is None:
        return None
    user = delivery.notification.user
    if status in ("delivered", "read"):
        _deliver(delivery, ref, now=now)
        addresses.texts_work(user)
    elif status in ("undelivered", "failed"):
        _fail(delivery, f"Twilio: {status}" + (f" ({code})" if code else ""), ref)
        if code == STOPPED and user.phone:
            addresses.texts_stopped(user.phone.as_e164)
        elif code in NO_SUCH_NUMBER:
            addresses.texts_unreachable(user)
    elif delivery.state in OPEN:
        _send(delivery, ref, now=now)
    return delivery


@transaction.atomic
def mail(email: str, *, ref: str, event: str, reason: str, at: datetime, now: datetime) -> None:
    """Note what became of a mail: ``event`` is one of ``delivered``, ``bounced``, ``rejected``, ``complained``.

    Mails that are no deliveries (codes, links to sign in) are known by their address alone.
    """
    delivery = None
    if ref:
        found = (
            Delivery.objects.select_for_update(of=("self",))
            .select_related("notification")
            .filter(channel=Channel.EMAIL, ref=ref)
        )
        delivery = found.first()
    if event == "delivered":
        if delivery is not None:
            _deliver(delivery, ref, now=now)
        return
    is_complaint = event == "complained"
    if delivery is not None and not is_complaint:
        _fail(delivery, f"The mail came back: {reason}", ref)
    if addresses.email_returned(email, reason=reason, at=at, is_complaint=is_complaint, now=now):
        logger.warning("Mail to an address is switched off: %s (%s)", event, reason)


def _send(delivery: Delivery, ref: str, *, now: datetime) -> None:
    delivery.state, delivery.sent_at, delivery.last_error = DeliveryState.SENT, delivery.sent_at or now, ""
    delivery.leased_until, delivery.ref = None, ref or delivery.ref
    delivery.save(update_fields=["state", "sent_at", "last_error", "leased_until", "ref"])


def _deliver(delivery: Delivery, ref: str, *, now: datetime) -> None:
    if delivery.state == DeliveryState.DELIVERED:
        return
    delivery.state, delivery.delivered_at = DeliveryState.DELIVERED, now
    delivery.sent_at, delivery.last_error = delivery.sent_at or now, ""
    delivery.leased_until, delivery.ref = None, ref or delivery.ref
    delivery.save(update_fields=["state", "delivered_at", "sent_at", "last_error", "leased_until", "ref"])


def _fail(delivery: Delivery, reason: str, ref: str) -> None:
    if delivery.state == DeliveryState.DELIVERED:
        return
    if delivery.state == DeliveryState.DEAD:
        return  # said before
    delivery.state, delivery.last_error = DeliveryState.DEAD, reason[:1000]
    delivery.leased_until, delivery.ref = None, ref or delivery.ref
    delivery.save(update_fields=["state", "last_error", "leased_until", "ref"])
    note_dead(delivery, reason)
