"""What ends or mends a way to reach somebody: signing out, a new password, an address that was proven."""

from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.account.signals import email_changed, email_confirmed
from anymail.signals import AnymailTrackingEvent, tracking
from django.contrib.auth.signals import user_logged_out
from django.db.models.signals import post_save, pre_save
from django.utils import timezone

from accounts.domain.events import AccountEvent
from accounts.models import User
from messaging.choices import PhoneState
from messaging.domain import addresses, devices, reports
from messaging.models import ContactSettings

MAIL_EVENTS = {"delivered": "delivered", "bounced": "bounced", "rejected": "rejected", "complained": "complained"}
# SendGrid calls it a bounce too when a server did not take a mail for now, for example for the sender's name.
PASSING = ("blocked", "timed_out")


def connect() -> None:
    """Called once, when the app is ready."""
    user_logged_out.connect(_signed_out, dispatch_uid="messaging-signed-out")
    email_changed.connect(_address_changed, dispatch_uid="messaging-address-changed")
    email_confirmed.connect(_address_proven, dispatch_uid="messaging-address-proven")
    pre_save.connect(_phone_changes, sender=User, dispatch_uid="messaging-phone-changes")
    post_save.connect(_address_saved, sender=EmailAddress, dispatch_uid="messaging-address-saved")
    tracking.connect(_mail_reported, dispatch_uid="messaging-mail-reported")


def account_changed(user: User, event: AccountEvent, now: datetime, detail: str = "") -> None:
    """A changed password signs out every browser and app: they hear nothing more until they sign in again."""
    if event == AccountEvent.PASSWORD_CHANGED:
        devices.remove_all(user)


def forget(user: User, now: datetime) -> None:
    devices.remove_all(user)


def _signed_out(sender: Any, request: Any, **_: Any) -> None:
    key = getattr(getattr(request, "session", None), "session_key", None)
    if key:
        devices.sign_out(key)


def _address_changed(sender: Any, user: User, **_: Any) -> None:
    addresses.try_email_again(user, now=timezone.now())


def _address_proven(sender: Any, email_address: EmailAddress, **_: Any) -> None:
    if email_address.primary:
        addresses.try_email_again(email_address.user, now=timezone.now())


def _address_saved(sender: Any, instance: EmailAddress, **_: Any) -> None:
    """The API proves addresses without allauth's signals."""
    if instance.primary and instance.verified:
        addresses.try_email_again(instance.user, now=timezone.now())


def _phone_changes(sender: Any, instance: User, update_fields: Any = None, **_: Any) -> None:
    """What is known of a number does not hold for the next one. The row still has the old number here."""
    if instance.pk and update_fields and "phone" in update_fields:
        known = ContactSettings.objects.filter(user_id=instance.pk).exclude(phone_state=PhoneState.UNKNOWN)
        known.exclude(user__phone=instance.phone).update(phone_state=PhoneState.UNKNOWN)


def _mail_reported(sender: Any, event: AnymailTrackingEvent, esp_name: str, **_: Any) -> None:
    name = MAIL_EVENTS.get(event.event_type)
    kind = str((event.esp_event or {}).get("type", "")) if isinstance(event.esp_event, dict) else ""
    if name is None or not event.recipient or kind in PASSING or event.reject_reason in PASSING:
        return
    now = timezone.now()
    reports.mail(
        event.recipient,
        ref=event.message_id or "",
        event=name,
        reason=str(event.mta_response or event.description or event.reject_reason or name)[:300],
        at=event.timestamp or now,
        now=now,
    )
