"""The sandbox's webhooks: written with what they tell of, then posted over HTTP, late or twice if settings say so."""

import hashlib
import hmac
import json
import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta

import requests
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from payments.gateways import history
from payments.gateways.base import PAYMENT_KEY, BadSignature, Event
from payments.models.sandbox import SandboxCharge, SandboxEvent, new_ref

logger = logging.getLogger(__name__)

TOLERANCE = 300  # seconds between the signing of a webhook and now, either way
SIGNATURE_HEADER = "Sandbox-Signature"
POST_SECONDS = 5.0
LEASE = timedelta(minutes=1)
MAX_ATTEMPTS = 20
LONGEST_WAIT = timedelta(minutes=10)
KEPT = timedelta(days=30)  # that a developer can still look at what was posted


def parse(body: bytes, headers: Mapping[str, str], *, now: datetime) -> Event:
    """Check the signature and the time of a webhook and read it. Raises BadSignature."""
    header = next((value for name, value in headers.items() if name.lower() == SIGNATURE_HEADER.lower()), "")
    try:
        parts = [part.split("=", 1) for part in header.split(",")]
        signed_at = int(next(value for name, value in parts if name == "t"))
        signatures = [value for name, value in parts if name == "v1"]
        expected = _signature(body, signed_at, settings.SANDBOX_WEBHOOK_SECRET)
        is_genuine = any(constant_time_compare(expected, signature) for signature in signatures)
        payload = json.loads(body) if is_genuine else {}
        about = payload["data"]["object"]
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        raise BadSignature from error
    if abs(now.timestamp() - signed_at) > TOLERANCE:
        logger.warning("A sandbox webhook is %s s from our clock: refused", int(now.timestamp()) - signed_at)
        raise BadSignature
    return Event(
        id=payload["id"],
        kind=payload["type"],
        object_ref=about["id"],
        payment_uid=about["metadata"].get(PAYMENT_KEY, ""),
        payload=payload,
        is_test=True,
    )


def sign(body: bytes, *, at: datetime, secret: str | None = None, scheme: str = "v1") -> str:
    """Return the header that goes with ``body``: HMAC-SHA256 over the time and the raw body."""
    moment = int(at.timestamp())
    return f"t={moment},{scheme}={_signature(body, moment, secret or settings.SANDBOX_WEBHOOK_SECRET)}"


def post_events(*, now: datetime, limit: int = 50) -> int:
    """Post the webhooks that are due over HTTP; return how many were taken.

    Rows in other hands are passed over (``SKIP LOCKED`` and the lease). One that is not taken waits longer each time.
    """
    posted = 0
    for event in _leased_events(now, limit):
        body = json.dumps(event.payload).encode()
        error = _post(body, at=timezone.now())
        if error:
            _put_back(event, error, now=now)
        else:
            # A repeat comes after as long a delay as the first.
            SandboxEvent.objects.filter(pk=event.pk).update(
                repeats_left=F("repeats_left") - 1, leased_until=None, last_error="", due_at=_event_due(now)
            )
            posted += 1
    return posted


def delete_posted(*, now: datetime) -> int:
    """Forget webhooks that were posted, or given up, a month ago. Returns how many."""
    return SandboxEvent.objects.filter(repeats_left=0, created_at__lte=now - KEPT).delete()[0]


@transaction.atomic
def _leased_events(now: datetime, limit: int) -> list[SandboxEvent]:
    free = SandboxEvent.objects.filter(repeats_left__gt=0, due_at__lte=now).exclude(leased_until__gt=now)
    found = list(free.select_for_update(skip_locked=True).order_by("due_at", "pk")[:limit])
    SandboxEvent.objects.filter(pk__in=[event.pk for event in found]).update(leased_until=now + LEASE)
    if settings.SANDBOX_SHUFFLE:
        random.shuffle(found)
    return found


def _post(body: bytes, *, at: datetime) -> str:
    """Post one webhook; return '' or what went wrong."""
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(body, at=at)}
    try:
        answer = requests.post(
            settings.SANDBOX_WEBHOOK_URL, data=body, headers=headers, timeout=POST_SECONDS, allow_redirects=False
        )
    except requests.RequestException as error:
        return type(error).__name__
    return "" if answer.ok else f"HTTP {answer.status_code}"


def _put_back(event: SandboxEvent, error: str, *, now: datetime) -> None:
    wait = min(timedelta(seconds=2 ** min(event.attempts + 1, 10)), LONGEST_WAIT)
    is_given_up = event.attempts + 1 >= MAX_ATTEMPTS
    SandboxEvent.objects.filter(pk=event.pk).update(
        attempts=F("attempts") + 1,
        leased_until=None,
        last_error=error[:300],
        due_at=now + wait,
        repeats_left=0 if is_given_up else F("repeats_left"),
    )
    log = logger.error if is_given_up else logger.warning
    log("Sandbox webhook %s was not taken (%s)%s", event.ref, error, ", given up" if is_given_up else "")


def _event_due(now: datetime) -> datetime:
    delay = settings.SANDBOX_DELAY_SECONDS
    return now + timedelta(seconds=random.uniform(0, delay) if settings.SANDBOX_SHUFFLE else delay)  # noqa: S311


def tell(kind: str, charge: SandboxCharge) -> None:
    """Write a webhook about ``charge``, in the transaction of what it tells of. None while a history is played."""
    if history.is_played():
        return
    now = history.now()
    ref = new_ref("sbxevt")
    about = {"id": charge.ref, "object": "charge", "status": charge.state, "metadata": charge.metadata}
    payload = {
        "id": ref,
        "object": "event",
        "type": kind,
        "created": int(now.timestamp()),
        "livemode": False,
        "data": {"object": about},
    }
    SandboxEvent.objects.create(
        ref=ref,
        kind=kind,
        payload=payload,
        created_at=now,
        due_at=_event_due(now),
        repeats_left=max(1, settings.SANDBOX_REPEAT),
    )


def _signature(body: bytes, moment: int, secret: str) -> str:
    return hmac.new(secret.encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()
