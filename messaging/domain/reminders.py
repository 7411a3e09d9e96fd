"""Vaccines that run out: told 30, 7 and 1 days before, at nine in the morning of the owner's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, QuerySet

from messaging import texts
from messaging.domain.notifications import Notice, notify_all
from messaging.models import Notification
from pets.kinds import VACCINE
from pets.models import Vaccination

MORNING = time(9)
BATCH = 500


@dataclass(frozen=True)
class Step:
    """Told ``days`` before, or up to ``late`` days later where nobody looked on the day itself."""

    days: int
    late: int


STEPS = (Step(30, 5), Step(7, 3), Step(1, 1))


def tell_of_vaccines(now: datetime) -> int:
    """Write what is to be said today. Returns how much was new; safe to run at any moment and twice.

    Not for archived pets, closed accounts, or where a dose that lasts longer is in the passport. A vaccination that was
    written down after the day of a step is not told of at once: the owner has just seen its date.
    """
    today = now.date()
    rows = (
        _current()
        .filter(valid_until__range=(today - timedelta(days=2), today + timedelta(days=STEPS[0].days + 1)))
        .select_related("pet__owner")
        .order_by("valid_until", "pk")
    )
    told = 0
    waiting: list[Notice] = []
    for vaccination in rows.iterator(chunk_size=BATCH):
        waiting += _due(vaccination, now)
        if len(waiting) >= BATCH:
            told += _tell(waiting, now)
            waiting = []
    return told + _tell(waiting, now)


def still_counts(notification: Notification) -> bool:
    """Say whether what a notification tells of is still so: asked when it is sent."""
    uid = notification.topic.removeprefix("vaccination:")
    return _current().filter(uid=uid).exists()


def _current() -> QuerySet[Vaccination]:
    longer = Vaccination.objects.filter(
        pet=OuterRef("pet"), vaccine=OuterRef("vaccine"), valid_until__gt=OuterRef("valid_until")
    )
    return Vaccination.objects.filter(~Exists(longer), pet__archived_at__isnull=True, pet__owner__is_active=True)


def _due(vaccination: Vaccination, now: datetime) -> Iterator[Notice]:
    zone = texts.zone_of(vaccination.pet.owner)
    today = now.astimezone(zone).date()
    for step in STEPS:
        first = vaccination.valid_until - timedelta(days=step.days)
        due_at = _morning(first, zone)
        useless_after = _morning(first + timedelta(days=step.late + 1), zone)
        left = (vaccination.valid_until - today).days
        if due_at <= now < useless_after and left >= 0 and vaccination.created_at < due_at:
            yield _notice(vaccination, step, left, useless_after)


def _notice(vaccination: Vaccination, step: Step, left: int, useless_after: datetime) -> Notice:
    pet, owner = vaccination.pet, vaccination.pet.owner
    vaccine, until = vaccination.get_vaccine_display(), texts.day(vaccination.valid_until, owner)
    when = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days")
    return Notice(
        owner,
        VACCINE,
        key=f"vaccination:{vaccination.uid}:{vaccination.valid_until}:{step.days}",
        topic=f"vaccination:{vaccination.uid}",
        title=f"{pet.name}: {vaccine} runs out {when}",
        body=f"The {vaccine} vaccination of {pet.name} is valid until {until}. Many providers ask for it. When the new "
        "one is done, write it into the passport.",
        short=texts.short(f"{pet.name}: the {vaccine} vaccination is valid until {until}."),
        url=pet.get_absolute_url(),
        useless_after=useless_after,
    )


def _tell(notices: list[Notice], now: datetime) -> int:
    """Write those that are not there yet: a sweep comes each hour, and asks before it tries."""
    there = set(
        Notification.objects.filter(kind=VACCINE, key__in=[one.key for one in notices]).values_list("user_id", "key")
    )
    return len(notify_all([one for one in notices if (one.user.pk, one.key) not in there], now=now))


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, MORNING, zone)
