"""Making a message out of a notification at the moment it is sent, so that it tells what is true then."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from messaging import kinds, links, mails
from messaging.channels.base import Action, Attachment, Parcel
from messaging.choices import Channel
from messaging.models import Delivery, Device, Notification

SHORT_LENGTH = 160


@dataclass(frozen=True)
class Text:
    """The words of one message; ``context`` is what the kind's own templates get besides."""

    title: str
    body: str
    short: str = ""
    context: dict[str, Any] = field(default_factory=dict)


Attach = Callable[[Notification], list[Attachment]]
# None: there is nothing left to say, for example because everything was read meanwhile.
MakeText = Callable[[Notification], Text | None]
MakeAction = Callable[[Notification], Action | None]

_attachers: dict[str, Attach] = {}
_texts: dict[str, MakeText] = {}
_actions: dict[str, MakeAction] = {}


def register_attachments(kind: str, attach: Attach) -> None:
    """Let ``attach`` make the files of mails about notifications of ``kind``; called once, when an app is ready.

    They are made when the mail is sent, so nothing waits in the database twice, and a retry makes them again.
    """
    _attachers[kind] = attach


def register_text(kind: str, make: MakeText) -> None:
    """Let ``make`` write what is sent of ``kind``, from the state at that moment."""
    _texts[kind] = make


def register_action(verb: str, make: MakeAction) -> None:
    """Let ``make`` sign the one-tap link for ``verb``; None: it is not possible any more."""
    _actions[verb] = make


def text_of(notification: Notification) -> Text | None:
    """Return the words of ``notification`` as of now."""
    make = _texts.get(notification.kind)
    if make is not None:
        return make(notification)
    return Text(notification.title, notification.body, notification.short)


def actions_of(notification: Notification) -> tuple[Action, ...]:
    made = (_actions[verb](notification) for verb in notification.actions if verb in _actions)
    return tuple(action for action in made if action is not None)


def message_id(delivery: Delivery) -> str:
    """Return the same Message-ID for every attempt, so that a double can be recognized."""
    return f"<{delivery.uid}@{urlsplit(settings.SITE_URL).hostname or 'localhost'}>"


def parcel(delivery: Delivery, *, now: datetime) -> Parcel | None:
    """Render one delivery; None when there is nothing left to say. Line breaks in a title become spaces."""
    notification = delivery.notification
    kind = kinds.get(notification.kind)
    text = text_of(notification)
    if text is None:
        return None
    title = mails.one_line(text.title)
    is_mail = delivery.channel == Channel.EMAIL
    actions = actions_of(notification)
    unsubscribe_url = links.unsubscribe_url(notification.user, kind, now=now) if is_mail else ""
    url = links.absolute(notification.url)
    attach = _attachers.get(notification.kind) if is_mail else None
    mail = mails.Mail("", "", "")
    if is_mail:
        words = {
            "title": title,
            "body": text.body,
            "link": url,
            "name": notification.user.get_short_name(),
            "actions": actions,
            "unsubscribe_url": unsubscribe_url,
            **text.context,
        }
        mail = mails.render(kind, words)
    return Parcel(
        delivery_pk=delivery.pk,
        delivery_uid=delivery.uid,
        notification_uid=notification.uid,
        user=notification.user,
        kind=kind,
        title=mail.subject or title,
        body=text.body,
        short=text.short or _short(title, text.body),
        url=url,
        message_id=message_id(delivery),
        text=mail.text,
        html=mail.html,
        actions=actions,
        attachments=tuple(attach(notification)) if attach else (),
        unsubscribe_url=unsubscribe_url,
        devices=_devices(delivery, now),
        reached=frozenset(delivery.reached),
        bundle=notification.bundle,
        useless_after=notification.useless_after,
        context=text.context,
    )


def _devices(delivery: Delivery, now: datetime) -> tuple[Device, ...]:
    if delivery.channel != Channel.PUSH:
        return ()
    mine = Device.objects.reachable([delivery.notification.user_id], now)
    return tuple(device for device in mine if str(device.uid) not in delivery.reached)


def _short(title: str, body: str) -> str:
    line = " ".join(f"{title}. {body}".split())
    return line if len(line) <= SHORT_LENGTH else f"{line[: SHORT_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"
