"""Saying things to people. Rows are written in the caller's transaction; ``messaging.domain.outbox`` carries them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from accounts.models import User
from messaging.models import Channel, Delivery, DeliveryState, Notification

TITLE_LENGTH = 200
DEFAULT_CHANNELS = (Channel.IN_APP, Channel.EMAIL)


@dataclass(frozen=True)
class Notice:
    """One thing to say to one person. ``key`` makes it once; ``due_at`` None is at once."""

    user: User
    kind: str
    key: str
    title: str
    body: str
    url: str = ""
    topic: str = ""
    due_at: datetime | None = None
    useless_after: datetime | None = None
    channels: tuple[Channel, ...] = DEFAULT_CHANNELS


def notify(
    user: User,
    kind: str,
    *,
    key: str,
    title: str,
    body: str,
    now: datetime,
    url: str = "",
    topic: str = "",
    due_at: datetime | None = None,
    useless_after: datetime | None = None,
    channels: tuple[Channel, ...] = DEFAULT_CHANNELS,
) -> Notification | None:
    """Write a notification and its deliveries, due at ``due_at`` (default ``now``).

    ``key`` makes it once per person: a second call with the same key writes nothing and returns None. Side effects:
    rows only, so that it is as certain as the caller's transaction. A title that is too long is cut: names are in it.
    """
    notice = Notice(user, kind, key, title, body, url, topic, due_at, useless_after, channels)
    return next(iter(notify_all([notice], now=now)), None)


@transaction.atomic(savepoint=False)
def notify_all(notices: Iterable[Notice], *, now: datetime) -> list[Notification]:
    """Write many at once, in three statements however many they are. Returns those that were not there yet."""
    notices = list(notices)
    rows = [
        Notification(
            user=notice.user, kind=notice.kind, key=notice.key, topic=notice.topic, title=_one_line(notice.title),
            body=notice.body, url=notice.url, due_at=notice.due_at or now, useless_after=notice.useless_after,
        )
        for notice in notices
    ]  # fmt: skip
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    channels = {row.uid: notice.channels for row, notice in zip(rows, notices, strict=True)}
    written = list(Notification.objects.filter(uid__in=channels).order_by("pk"))
    Delivery.objects.bulk_create(
        Delivery(notification=row, channel=channel, due_at=row.due_at)
        for row in written
        for channel in channels[row.uid]
    )
    return written


@transaction.atomic
def cancel(*, topic: str, kind: str, now: datetime) -> int:
    """Take back what is not sent yet of ``kind`` about ``topic``. Returns the number of notifications taken back.

    What a worker has in its hands at this moment may still go out, and is then recorded as sent.
    """
    about = Notification.objects.filter(topic=topic, kind=kind)
    ids = list(about.order_by("pk").values_list("pk", flat=True))
    waiting = Delivery.objects.select_for_update().filter(notification_id__in=ids, state=DeliveryState.WAITING)
    locked = [delivery.pk for delivery in waiting.order_by("pk")]
    Delivery.objects.filter(pk__in=locked).update(state=DeliveryState.CANCELLED)
    return about.filter(cancelled_at__isnull=True, due_at__gt=now).update(cancelled_at=now)


@transaction.atomic
def read(notification: Notification, *, now: datetime) -> Notification:
    """Mark one as read; the first time counts."""
    Notification.objects.filter(pk=notification.pk, read_at__isnull=True).update(read_at=now)
    notification.refresh_from_db(fields=["read_at"])
    return notification


def read_all(user: User, *, now: datetime) -> int:
    """Mark all that ``user`` can see as read. Returns how many were not."""
    return Notification.objects.visible_to(user, now=now).unread().update(read_at=now)


def _one_line(title: str) -> str:
    text = " ".join(title.split())
    return text if len(text) <= TITLE_LENGTH else f"{text[: TITLE_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"
