"""Saying things to people. Rows are written in the caller's transaction; ``messaging.domain.outbox`` carries them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Greatest, Replace

from accounts.models import User
from messaging import kinds
from messaging.domain import live, preferences
from messaging.domain.preferences import Reach
from messaging.kinds import Kind
from messaging.models import Channel, Delivery, DeliveryState, Notification

TITLE_LENGTH = 200
SHORT_LENGTH = 160


@dataclass(frozen=True)
class Notice:
    """One thing to say to one person. ``key`` makes it once; ``due_at`` None is at once.

    ``channels`` None: by the kind and the person's switches; named, they are the most it may take, and what the
    person switched off is left out. ``without`` takes some away, for example texts to whoever did it. While an unread
    notification of the same ``bundle`` is there, this one joins it: ``title_many`` is then its title, with
    ``{count}`` for the number.
    """

    user: User
    kind: str
    key: str
    title: str
    body: str
    url: str = ""
    topic: str = ""
    due_at: datetime | None = None
    useless_after: datetime | None = None
    channels: tuple[Channel, ...] | None = None
    short: str = ""
    actions: tuple[str, ...] = ()
    bundle: str = ""
    title_many: str = ""
    place_zone: str = ""
    without: tuple[Channel, ...] = ()


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
    channels: tuple[Channel, ...] | None = None,
    short: str = "",
    actions: tuple[str, ...] = (),
    bundle: str = "",
    title_many: str = "",
) -> Notification | None:
    """Write a notification and its deliveries, due at ``due_at`` (default ``now``).

    ``key`` makes it once per person: a second call with the same key writes nothing and returns None, and so does one
    that joins its bundle. Side effects: rows only, so that it is as certain as the caller's transaction. A title that
    is too long is cut: names are in it. Raises UnknownKindError for a kind that no app declares.
    """
    notice = Notice(
        user, kind, key, title, body, url, topic, due_at, useless_after, channels, short, actions, bundle, title_many
    )
    return next(iter(notify_all([notice], now=now)), None)


@transaction.atomic(savepoint=False)
def notify_all(notices: Iterable[Notice], *, now: datetime) -> list[Notification]:
    """Write many at once, in five statements however many they are. Returns those that were not there yet.

    Those that join a bundle take two more, in the order of their keys, so that two writers never wait for each other.
    """
    notices = list(notices)
    if not notices:
        return []
    known = {name: kinds.get(name) for name in {notice.kind for notice in notices}}
    people = preferences.reach({notice.user.pk for notice in notices}, known, now=now)
    rows = [
        Notification(
            user=notice.user, kind=notice.kind, key=notice.key, topic=notice.topic,
            title=_cut(notice.title, TITLE_LENGTH), body=notice.body, url=notice.url,
            short=_cut(notice.short, SHORT_LENGTH), actions=list(notice.actions), bundle=notice.bundle,
            place_zone=notice.place_zone, due_at=notice.due_at or now, useless_after=notice.useless_after,
        )
        for notice in notices
    ]  # fmt: skip
    Notification.objects.bulk_create(rows, ignore_conflicts=True)
    said = {row.uid: notice for row, notice in zip(rows, notices, strict=True)}
    written = list(Notification.objects.filter(uid__in=said).order_by("pk"))
    Delivery.objects.bulk_create(
        Delivery(notification=row, channel=channel, due_at=due_at)
        for row in written
        for channel, due_at in _ways(said[row.uid], known[row.kind], people[row.user_id], row.due_at, now)
    )
    live.emit({row.user_id for row in written if row.due_at <= now}, "notification", {})
    if any(notice.bundle for notice in notices):
        new = {row.uid for row in written}
        _join([(row, notice) for row, notice in zip(rows, notices, strict=True) if row.uid not in new], now)
    return written


def _ways(
    notice: Notice, kind: Kind, reach: Reach, due_at: datetime, now: datetime
) -> Iterable[tuple[Channel, datetime]]:
    """Yield the channels that carry a notice, each with its time.

    What is due later is written for every channel that is switched on: until then somebody may add a phone or a
    browser. Whoever cannot be reached at once on a channel has no row there, so a lack of devices is no news.
    """
    for channel in Channel if notice.channels is None else notice.channels:
        if channel in notice.without:
            continue
        if channel == Channel.IN_APP:
            yield channel, due_at
            continue
        is_on = reach.wants(kind, channel) if notice.channels is None else not reach.refuses(kind, channel)
        at = due_at + timedelta(minutes=kind.digest_minutes) if notice.bundle and channel == Channel.EMAIL else due_at
        at = reach.quiet_until(kind, channel, at) or at
        if is_on and (at > now or channel == Channel.EMAIL or not reach.obstacle(channel)):
            yield channel, at


def _join(left: Sequence[tuple[Notification, Notice]], now: datetime) -> None:
    """Let notices that could not be written, because their bundle is open, grow it; a repeated key changes nothing."""
    for row, notice in sorted(left, key=lambda one: (one[0].user_id, one[0].key)):
        if not notice.bundle:
            continue
        open_ = Notification.objects.filter(
            user_id=row.user_id, bundle=notice.bundle, read_at__isnull=True, cancelled_at__isnull=True
        )
        many = Replace(
            Value(_cut(notice.title_many or notice.title, TITLE_LENGTH - 10)),
            Value("{count}"),
            Cast(F("count") + 1, TextField()),  # type: ignore[arg-type] # any expression will do
        )  # fmt: skip
        was_said = Q(key=notice.key) | Q(last_key=notice.key)
        has_grown = open_.exclude(was_said).update(
            count=F("count") + 1, last_key=notice.key, title=many, body=row.body, short=row.short, url=row.url,
            due_at=Greatest(F("due_at"), Value(now)),
        )  # fmt: skip
        if not has_grown and not Notification.objects.filter(was_said, user_id=row.user_id).exists():
            notify_all([notice], now=now)  # it was read a moment ago: this one opens the next


@transaction.atomic(savepoint=False)
def cancel(*, topic: str, kind: str | Sequence[str], now: datetime) -> int:
    """Take back what is not sent yet of ``kind`` about ``topic``. Returns the number of notifications taken back.

    Once this has committed nothing of it is sent: a worker that has one in its hands looks once more, in one
    statement, before it lets go of it. What it had let go of before is recorded as sent.
    """
    about = _about(topic, kind)
    waiting = Delivery.objects.filter(notification__in=about.values("pk"), state=DeliveryState.WAITING)
    locked = list(waiting.order_by("pk").select_for_update(of=("self",)).values_list("pk", flat=True))
    if locked:
        Delivery.objects.filter(pk__in=locked, state=DeliveryState.WAITING).update(state=DeliveryState.CANCELLED)
    return about.filter(cancelled_at__isnull=True, due_at__gt=now).update(cancelled_at=now)


@transaction.atomic
def move(
    *,
    topic: str,
    kind: str | Sequence[str],
    due_at: datetime,
    now: datetime,
    useless_after: datetime | None = None,
    title: str = "",
    body: str = "",
) -> int:
    """Give what has not been said yet of ``kind`` about ``topic`` another time. Returns how many were moved.

    A worker that has one in its hands does not send it: the lease is taken from it. ``useless_after``, ``title`` and
    ``body`` stay as they are where they are not given. What was said already is not said again: write a new one.
    """
    about = _about(topic, kind).filter(cancelled_at__isnull=True, due_at__gt=now)
    rows = list(about.order_by("pk"))
    if not rows:
        return 0
    people = preferences.reach({row.user_id for row in rows}, {row.kind for row in rows}, now=now)
    by_pk = {row.pk: row for row in rows}
    deliveries = Delivery.objects.filter(notification__in=by_pk, state=DeliveryState.WAITING)
    moved = list(deliveries.order_by("pk").select_for_update())
    for delivery in moved:
        row = by_pk[delivery.notification_id]
        reach = people[row.user_id]
        delivery.due_at = reach.quiet_until(kinds.get(row.kind), delivery.channel, due_at) or due_at
        delivery.leased_until = None
    Delivery.objects.bulk_update(moved, ["due_at", "leased_until"])
    changes = {"useless_after": useless_after, "title": _cut(title, TITLE_LENGTH), "body": body}
    return about.filter(pk__in=by_pk).update(due_at=due_at, **{name: new for name, new in changes.items() if new})


@transaction.atomic
def read(notification: Notification, *, now: datetime) -> Notification:
    """Mark one as read; the first time counts."""
    if Notification.objects.filter(pk=notification.pk, read_at__isnull=True).update(read_at=now):
        live.emit([notification.user_id], "badge", {})
    notification.refresh_from_db(fields=["read_at"])
    return notification


@transaction.atomic
def read_all(user: User, *, now: datetime) -> int:
    """Mark all that ``user`` can see as read. Returns how many were not."""
    number = _read(Notification.objects.visible_to(user, now=now), now)
    live.emit([user.pk] if number else [], "badge", {})
    return number


@transaction.atomic
def read_bundle(user: User, bundle: str, *, now: datetime) -> int:
    """Mark what is open of a bundle as read, because the person has seen what it tells of."""
    return _read(Notification.objects.filter(user=user, bundle=bundle), now)


def _read(rows: QuerySet[Notification], now: datetime) -> int:
    # Locked in one order: a writer that lets several bundles grow takes the same one.
    pks = list(rows.filter(read_at__isnull=True).order_by("pk").select_for_update().values_list("pk", flat=True))
    return Notification.objects.filter(pk__in=pks).update(read_at=now)


def _about(topic: str, kind: str | Sequence[str]) -> QuerySet[Notification]:
    return Notification.objects.filter(topic=topic, kind__in=[kind] if isinstance(kind, str) else kind)


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def forget_topics(topics: Sequence[str]) -> int:
    """Delete what anybody was told about these: it names somebody who is to be forgotten. Returns how many."""
    return Notification.objects.filter(topic__in=topics).delete()[0] if topics else 0
