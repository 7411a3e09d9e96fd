"""How people want to be reached: switches, quiet hours, text messages, addresses that proved dead."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import JSONObject

from accounts.models import User
from messaging import kinds
from messaging.choices import OUTSIDE, Channel, PhoneState
from messaging.kinds import Kind
from messaging.models import ContactSettings, Device, Preference
from messaging.texts import zone_named
from petplace.errors import InvalidInput

OPTED_OUT = "Switched off by the reader."
MAIL_BOUNCED = "Mail to this address came back; it is off until the address is confirmed."
TEXTS_OFF = "Text messages are switched off."
NO_PHONE = "There is no phone number."
PHONE_OFF = "The phone number does not take our text messages."
NO_DEVICE = "No browser or phone is registered."


@dataclass(frozen=True)
class Reach:
    """One person's wishes and addresses, as far as sending needs them."""

    zone: ZoneInfo
    has_phone: bool = False
    has_device: bool = False
    texts_are_on: bool = False
    phone_state: str = PhoneState.UNKNOWN
    is_bounced: bool = False
    quiet: tuple[time, time] | None = (ContactSettings.QUIET_FROM, ContactSettings.QUIET_TO)
    chosen: Mapping[tuple[str, str], bool] = field(default_factory=dict)

    def wants(self, kind: Kind, channel: str) -> bool:
        return kind.is_on(channel, self.chosen.get((kind.name, channel)))

    def refuses(self, kind: Kind, channel: str) -> bool:
        """Say whether the person switched it off (not only left it at a default that is off)."""
        return kind.can_switch(channel) and self.chosen.get((kind.name, channel)) is False

    def obstacle(self, channel: str) -> str:
        """Say why nothing can reach the person on ``channel``, or ''."""
        if channel == Channel.EMAIL:
            return MAIL_BOUNCED if self.is_bounced else ""
        if channel == Channel.PUSH:
            return "" if self.has_device else NO_DEVICE
        if channel == Channel.SMS:
            if not self.texts_are_on:
                return TEXTS_OFF
            if not self.has_phone:
                return NO_PHONE
            return PHONE_OFF if self.phone_state in (PhoneState.STOPPED, PhoneState.UNREACHABLE) else ""
        return ""

    def quiet_until(self, kind: Kind, channel: str, instant: datetime) -> datetime | None:
        """Return when ``kind`` may go out on ``channel`` if it may not at ``instant``."""
        if kind.is_urgent or channel not in OUTSIDE or self.quiet is None:
            return None
        return quiet_end(instant, self.zone, *self.quiet)


def quiet_end(instant: datetime, zone: ZoneInfo, start: time, end: time) -> datetime | None:
    """Return the end (UTC) of the quiet hours that hold ``instant`` on the clock of ``zone``, or None outside them.

    They may go over midnight; none when both ends are the same. Where the clock jumps over the end, they end with the
    jump; where it shows the end twice, in each of the two rounds for itself.
    """
    local = instant.astimezone(zone)
    at = local.time()
    is_quiet = start <= at < end if start <= end else at >= start or at < end
    if not is_quiet:
        return None
    day = local.date() if at < end else local.date() + timedelta(days=1)
    wall = datetime.combine(day, end, tzinfo=zone).replace(fold=local.fold)
    # There and back: a time that the clock jumps over becomes the same distance after the jump.
    found = wall.astimezone(ZoneInfo("UTC"))
    if found.astimezone(zone).replace(tzinfo=None, fold=0) != wall.replace(tzinfo=None, fold=0):
        found = _end_of_gap(wall, zone)
    return found


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which the clock jumps over ``wall``."""
    utc = ZoneInfo("UTC")
    low, high = (wall.replace(fold=fold).astimezone(utc) for fold in (1, 0))
    offset = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == offset else (low, middle)
    return high.replace(microsecond=0)


def reach(user_ids: Iterable[int], names: Iterable[str], *, now: datetime) -> dict[int, Reach]:
    """Return what sending notifications of the kinds ``names`` to these people must know, in one statement."""
    chosen = Preference.objects.filter(user=OuterRef("pk"), kind__in=set(names)).order_by()
    rows = (
        User.objects.filter(pk__in=set(user_ids))
        .annotate(
            has_device=Exists(Device.objects.signed_in(now).filter(user=OuterRef("pk"))),
            chosen=ArraySubquery(chosen.values(row=JSONObject(kind="kind", channel="channel", is_on="is_on"))),
            contact_id=F("contact__user_id"), is_quiet=F("contact__quiet_is_on"), start=F("contact__quiet_from"),
            end=F("contact__quiet_to"), texts=F("contact__texts_are_on"), phone_state=F("contact__phone_state"),
            bounced_at=F("contact__email_bounced_at"),
        )
        .values(
            "pk", "time_zone", "phone", "has_device", "chosen", "contact_id", "is_quiet", "start", "end", "texts",
            "phone_state", "bounced_at",
        )
    )  # fmt: skip
    return {row["pk"]: _reach(row) for row in rows}


def _reach(row: Mapping[str, Any]) -> Reach:
    found = {
        "zone": zone_named(row["time_zone"]),
        "has_phone": bool(row["phone"]),
        "has_device": row["has_device"],
        "chosen": {(one["kind"], one["channel"]): one["is_on"] for one in row["chosen"]},
    }
    if row["contact_id"] is not None:
        found |= {
            "texts_are_on": row["texts"],
            "phone_state": row["phone_state"],
            "is_bounced": row["bounced_at"] is not None,
            "quiet": (row["start"], row["end"]) if row["is_quiet"] else None,
        }
    return Reach(**found)


def contact_of(user: User) -> ContactSettings:
    """Return the person's settings; unsaved defaults where nothing was ever changed."""
    return ContactSettings.objects.filter(user=user).first() or ContactSettings(user=user)


def kinds_for(user: User) -> list[Kind]:
    """Return the kinds whose switches ``user`` is shown: staff's only to staff, those of a business to its people."""
    hidden = set()
    if not user.is_staff:
        hidden.add("staff")
    if not user.memberships.exists():
        hidden.add("business")
    return [kind for kind in kinds.all() if kind.group not in hidden]


def chosen_by(user: User) -> dict[tuple[str, str], bool]:
    rows = Preference.objects.filter(user=user).values_list("kind", "channel", "is_on")
    return {(kind, channel): is_on for kind, channel, is_on in rows}


@dataclass(frozen=True)
class Switch:
    """One kind on one channel."""

    kind: str
    channel: str
    is_on: bool


@transaction.atomic
def choose(user: User, switches: Iterable[Switch]) -> None:
    """Set switches. What equals the kind's default is forgotten, so that a better default reaches it later.

    Raises InvalidInput for a kind or channel that is not to be switched.
    """
    known = {kind.name: kind for kind in kinds_for(user)}
    back, other = Q(pk__in=[]), []
    for switch in {(one.kind, one.channel): one for one in switches}.values():
        kind = known.get(switch.kind)
        if kind is None or not kind.can_switch(switch.channel):
            raise InvalidInput(f"{switch.kind} on {switch.channel} cannot be switched.", code="not_switchable")
        if switch.is_on == kind.is_on(switch.channel, None):
            back |= Q(kind=switch.kind, channel=switch.channel)
        else:
            other.append(Preference(user=user, kind=switch.kind, channel=switch.channel, is_on=switch.is_on))
    Preference.objects.filter(back, user=user).delete()
    _store(other)


def _store(rows: list[Preference]) -> None:
    Preference.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["user", "kind", "channel"], update_fields=["is_on"]
    )


@transaction.atomic
def change(user: User, *, switches: Iterable[Switch] = (), **changes: Any) -> ContactSettings:
    """Set switches, quiet hours or texts (``quiet_is_on, quiet_from, quiet_to, texts_are_on``), all or nothing.

    Raises InvalidInput when texts are switched on without a phone number, or for one that answered STOP.
    """
    choose(user, switches)
    contact, _ = ContactSettings.objects.select_for_update().get_or_create(user=user)
    if changes.get("texts_are_on"):
        if not user.phone:
            raise InvalidInput(
                "Add a phone number first.", code="no_phone", fields={"texts_are_on": ["There is no phone number."]}
            )
        if contact.phone_state == PhoneState.STOPPED:
            raise InvalidInput(
                "Text START to our number first: you had answered STOP.",
                code="phone_stopped",
                fields={"texts_are_on": ["The number is stopped."]},
            )
    for name, value in changes.items():
        setattr(contact, name, value)
    if changes:
        contact.save(update_fields=list(changes))
    return contact


def switch_off(user: User, names: Iterable[str], channel: str = Channel.EMAIL) -> list[str]:
    """Switch those kinds off on one channel, as a link in a mail does. Returns the names that can be switched."""
    able = [name for name in names if kinds.get(name).can_switch(channel)]
    _store([Preference(user=user, kind=name, channel=channel, is_on=False) for name in able])
    return able
