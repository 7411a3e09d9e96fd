"""What people hear about their own account, and what is forgotten with it."""

from datetime import datetime

from django.urls import reverse

from accounts.domain.events import AccountEvent
from accounts.models import User
from messaging.choices import Channel
from messaging.domain import notify
from messaging.kinds import PEOPLE, Kind, Urgency
from messaging.models import ContactSettings, LiveEvent, Notification, Preference

TEXTS = {
    AccountEvent.TOKEN_REUSED: (
        "An app was signed out to protect your account",
        "A sign-in of one of your apps was used from two places, so we ended it. If that was not you, change your "
        "password; otherwise just sign in to the app again.",
    ),
    AccountEvent.PASSWORD_CHANGED: (
        "Your password was changed",
        "Every app and browser was signed out. If that was not you, set a new password with the link on the sign-in "
        "page and write to us.",
    ),
    AccountEvent.NEW_DEVICE: (
        "A new sign-in to your account",
        "Somebody signed in from a device that we have not seen before. If that was you, there is nothing to do. If "
        "not, sign out everywhere under Settings, Browsers, and set a new password.",
    ),
    AccountEvent.EXPORT_READY: (
        "Your copy of your data is ready",
        "You can download it from your settings for a week. If you did not ask for it, change your password.",
    ),
}
PAGES = {AccountEvent.EXPORT_READY: "accounts:privacy"}
KINDS = tuple(
    Kind(f"account_{event}", label, "account", PEOPLE, offered=(Channel.SMS,), urgency=Urgency.URGENT, is_mutable=False)
    for event, label in (
        (AccountEvent.TOKEN_REUSED, "An app was signed out to protect you"),
        (AccountEvent.PASSWORD_CHANGED, "Your password was changed"),
        (AccountEvent.NEW_DEVICE, "A sign-in from a new device"),
        (AccountEvent.EXPORT_READY, "The copy of your data is ready"),
    )
)


def tell(user: User, event: AccountEvent, now: datetime, detail: str = "") -> None:
    """Write the notification of ``event``, in its transaction."""
    title, body = TEXTS[event]
    if detail:
        body = f"{body} The device: {detail}."
    key = f"account:{event}:{now.isoformat()}"
    notify(
        user,
        f"account_{event}",
        key=key,
        title=title,
        body=body,
        now=now,
        url=reverse(PAGES.get(event, "accounts:settings")),
    )


def forget(user: User, now: datetime) -> None:
    """Nothing more is sent to someone who closed the account."""
    for model in (Notification, Preference, ContactSettings, LiveEvent):
        model.objects.filter(user=user).delete()
