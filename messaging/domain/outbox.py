"""Carrying notifications to people: lease a row, send outside any transaction, mark it.

A message is sent at least once and recorded exactly once. A sender that dies between sending and marking leaves its
lease to run out, and the row is sent again under the same Message-ID, so that mail programs and people can tell a
double. (Marking first loses messages: 25 of 400 in a study with fifty kills.)
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string

from messaging.models import Channel, Delivery, DeliveryState, Notification
from petplace.errors import InvalidTransition

logger = logging.getLogger(__name__)

# Longer than a mail can take: each step of the talk with the mail server ends after EMAIL_TIMEOUT.
LEASE = timedelta(minutes=2)
FIRST_WAIT = timedelta(seconds=15)
LONGEST_WAIT = timedelta(hours=2)
MAX_ATTEMPTS = 12  # with these waits about six hours
TOO_LATE = "Too late to be of use."
ACCOUNT_CLOSED = "The account is closed."


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a mail."""

    name: str
    content: bytes
    content_type: str


Attach = Callable[[Notification], list[Attachment]]
_attachers: dict[str, Attach] = {}


@dataclass
class Outcome:
    """What one pass did."""

    sent: int = 0
    failed: int = 0
    dead: int = 0
    too_late: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name}" for field in fields(self))


class MailServerAwayError(Exception):
    """The server, not the message, is the trouble: the rest of the pass would fail alike."""


def register_attachments(kind: str, attach: Attach) -> None:
    """Let ``attach`` make the files of mails about notifications of ``kind``; called once, when an app is ready.

    They are made when the mail is sent, so nothing waits in the database twice, and a retry makes them again.
    """
    _attachers[kind] = attach


def deliver_due(*, now: datetime, seconds: float = 4.0, limit: int = 500) -> Outcome:
    """Send what is due, oldest first, for about ``seconds`` (so that a worker can stop soon) or ``limit`` mails.

    Safe to run many times at once: rows in other hands are passed over (``SKIP LOCKED`` and the lease). A failed row
    waits longer each time and is given up after ``MAX_ATTEMPTS``; a mail server that is away ends the pass, so an
    outage costs few rows an attempt and the others go out as soon as it is back.
    """
    outcome = Outcome(too_late=_drop_useless(now), sent=_deliver_in_app(now))
    deadline = time.monotonic() + seconds
    connection: BaseEmailBackend | None = None
    try:
        while limit > 0 and time.monotonic() < deadline and (delivery := _lease(now)) is not None:
            limit -= 1
            if not delivery.notification.user.is_active:
                _drop(delivery, ACCOUNT_CLOSED)
                continue
            try:
                connection = connection or _open_connection()
                _send(delivery, connection)
            except DatabaseError:
                raise  # the lease runs out, and the row is tried again
            except Exception as error:
                _note_failure(delivery, error, now=now, outcome=outcome)
                if isinstance(error, MailServerAwayError):
                    break
                _close(connection)
                connection = None
            else:
                _mark_sent(delivery, now=now)
                outcome.sent += 1
    finally:
        _close(connection)
    return outcome


@transaction.atomic
def send_again(delivery: Delivery, *, now: datetime) -> Delivery:
    """Give a dead delivery another round of attempts. Raises InvalidTransition for any other."""
    delivery = Delivery.objects.select_for_update().get(pk=delivery.pk)
    if delivery.state != DeliveryState.DEAD:
        raise InvalidTransition("Only a delivery that was given up can be sent again.")
    delivery.state, delivery.attempts, delivery.due_at = DeliveryState.WAITING, 0, now
    delivery.leased_until = None
    delivery.save(update_fields=["state", "attempts", "due_at", "leased_until"])
    return delivery


def message_id(delivery: Delivery) -> str:
    """Return the same Message-ID for every attempt, so that a double can be recognized."""
    return f"<{delivery.uid}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def build_mail(delivery: Delivery, connection: BaseEmailBackend | None = None) -> EmailMultiAlternatives:
    """Render a delivery as text and HTML. Line breaks in a title (a pet's name may be in it) become spaces."""
    notification = delivery.notification
    subject = " ".join(notification.title.split())
    path = notification.url
    context = {
        "title": subject,
        "body": notification.body,
        "link": f"{settings.SITE_URL.rstrip('/')}{path}" if path.startswith("/") else path,
        "name": notification.user.get_short_name(),
        "site_url": settings.SITE_URL,
    }
    mail = EmailMultiAlternatives(
        subject=subject,
        body=render_to_string("messaging/email/notification.txt", context),
        to=[notification.user.email],
        headers={"Message-ID": message_id(delivery), "Auto-Submitted": "auto-generated"},
        connection=connection,
    )
    mail.attach_alternative(render_to_string("messaging/email/notification.html", context), "text/html")
    attach = _attachers.get(notification.kind)
    for file in attach(notification) if attach else []:
        mail.attach(file.name, file.content, file.content_type)
    return mail


def _free(now: datetime) -> QuerySet[Delivery]:
    """Waiting rows that are due and in nobody's hands."""
    return Delivery.objects.filter(Q(leased_until__isnull=True) | Q(leased_until__lte=now)).filter(
        state=DeliveryState.WAITING, due_at__lte=now
    )


def _drop_useless(now: datetime) -> int:
    rows = _free(now).filter(channel=Channel.EMAIL, notification__useless_after__lte=now)
    ids = rows.select_for_update(skip_locked=True, of=("self",)).values("pk")
    with transaction.atomic():
        return Delivery.objects.filter(pk__in=ids).update(state=DeliveryState.CANCELLED, last_error=TOO_LATE)


def _deliver_in_app(now: datetime) -> int:
    """In the app a notification is seen from its due time on; the row only says so."""
    ids = _free(now).filter(channel=Channel.IN_APP).select_for_update(skip_locked=True, of=("self",)).values("pk")
    with transaction.atomic():
        return Delivery.objects.filter(pk__in=ids).update(
            state=DeliveryState.SENT, sent_at=now, attempts=F("attempts") + 1, last_error=""
        )


@transaction.atomic
def _lease(now: datetime) -> Delivery | None:
    """Take the oldest free mail. The attempt counts from here, so a row that kills its worker is given up, too."""
    delivery = (
        _free(now)
        .filter(channel=Channel.EMAIL)
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


def _open_connection() -> BaseEmailBackend:
    connection = get_connection()
    try:
        connection.open()
    except Exception as error:
        raise MailServerAwayError(_sentence(error)) from error
    return connection


def _close(connection: BaseEmailBackend | None) -> None:
    if connection is not None:
        try:
            connection.close()
        except Exception:
            logger.debug("The mail server had closed the connection first.", exc_info=True)


def _send(delivery: Delivery, connection: BaseEmailBackend) -> None:
    mail = build_mail(delivery, connection)
    if mail.send() != 1:
        raise RuntimeError("The mail backend accepted no message.")


def _mark_sent(delivery: Delivery, *, now: datetime) -> None:
    """Record it, also where it was taken back while it was under way: it did go out. A second mark changes nothing."""
    Delivery.objects.filter(pk=delivery.pk).exclude(state=DeliveryState.SENT).update(
        state=DeliveryState.SENT, sent_at=now, leased_until=None, last_error=""
    )


def _drop(delivery: Delivery, reason: str) -> None:
    Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING).update(
        state=DeliveryState.CANCELLED, leased_until=None, last_error=reason
    )


def _note_failure(delivery: Delivery, error: Exception, *, now: datetime, outcome: Outcome) -> None:
    """Let the row wait twice as long as the last time, or give it up. ``attempts`` guards against a newer lease."""
    is_dead = delivery.attempts >= MAX_ATTEMPTS or _is_final(error)
    wait = min(FIRST_WAIT * 2 ** (delivery.attempts - 1), LONGEST_WAIT)
    Delivery.objects.filter(pk=delivery.pk, state=DeliveryState.WAITING, attempts=delivery.attempts).update(
        state=DeliveryState.DEAD if is_dead else DeliveryState.WAITING,
        due_at=delivery.due_at if is_dead else now + wait,
        leased_until=None,
        last_error=_sentence(error),
    )
    if is_dead:
        outcome.dead += 1
        logger.error("Delivery %s given up after %s attempts: %s", delivery.uid, delivery.attempts, _sentence(error))
    else:
        outcome.failed += 1
        logger.warning("Delivery %s failed, next try in %s: %s", delivery.uid, wait, _sentence(error))


def _is_final(error: Exception) -> bool:
    """Whether the address itself was refused for good (RFC 5321, 4.2.1: 5yz is a permanent answer)."""
    return isinstance(error, SMTPRecipientsRefused) and all(code >= 500 for code, _ in error.recipients.values())


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:1000]
