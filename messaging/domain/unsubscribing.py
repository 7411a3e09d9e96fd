"""Switching e-mails off from a mail itself, and on again."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts.models import User
from messaging import kinds
from messaging.kinds import Kind
from messaging.models import Channel, Delivery, DeliveryState, Notification, Preference

SWITCHED_OFF = "You switched these e-mails off."


def choices(kind: Kind) -> list[Kind]:
    """Return the kinds of the same group whose e-mail can be switched off."""
    return [one for one in kinds.all() if one.group == kind.group and one.can_switch(Channel.EMAIL)]


def still_on(user: User, among: Iterable[Kind]) -> list[Kind]:
    """Return those of ``among`` that ``user`` still gets by e-mail."""
    among = list(among)
    chosen = Preference.objects.filter(user=user, channel=Channel.EMAIL, kind__in=[kind.name for kind in among])
    switches = dict(chosen.values_list("kind", "is_on"))
    return [kind for kind in among if kind.is_on(Channel.EMAIL, switches.get(kind.name))]


@transaction.atomic
def switch(user: User, chosen: Iterable[Kind], *, is_on: bool, now: datetime) -> None:
    """Switch e-mails of ``chosen`` on or off; twice is once. What waits to be mailed is not sent any more.

    Kinds whose e-mail cannot be switched off are left alone.
    """
    names = [kind.name for kind in chosen if kind.can_switch(Channel.EMAIL)]
    Preference.objects.bulk_create(
        [Preference(user=user, kind=name, channel=Channel.EMAIL, is_on=is_on) for name in names],
        update_conflicts=True,
        unique_fields=["user", "kind", "channel"],
        update_fields=["is_on"],
    )
    if not is_on:
        # No join: the state must be asked again after a wait for a sender that has the row.
        theirs = Notification.objects.filter(user=user, kind__in=names)
        waiting = Delivery.objects.filter(notification__in=theirs, channel=Channel.EMAIL, state=DeliveryState.WAITING)
        waiting.update(state=DeliveryState.SKIPPED, last_error=SWITCHED_OFF)
