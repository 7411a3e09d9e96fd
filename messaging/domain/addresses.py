"""Addresses and numbers that proved dead, or whose owner said stop: switched off, told about, and the way back."""

from datetime import datetime

from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from messaging.choices import PhoneState
from messaging.domain.notifications import notify
from messaging.models import ContactSettings

EMAIL_RETURNED = "email_returned"
TEXTS_STOPPED = "texts_stopped"


@transaction.atomic
def email_returned(email: str, *, reason: str, at: datetime, is_complaint: bool, now: datetime) -> bool:
    """Mail to ``email`` came back for good at ``at``, or its reader called it spam: nothing more is mailed there.

    Returns whether that switched it off now. A report about an address that its owner has changed since, or of a mail
    from before the owner asked to try again, changes nothing. Side effect: the person is told in the app.
    """
    user = User.objects.select_for_update(no_key=True).filter(email=User.objects.normalize_email(email)).first()
    if user is None or not user.is_active:
        return False
    contact = _contact_of(user)
    if contact.email_bounced_at is not None or (
        contact.email_retried_at is not None and at <= contact.email_retried_at
    ):
        return False
    contact.email_bounced_at = at
    contact.email_bounce_reason = reason[:300]
    contact.save(update_fields=["email_bounced_at", "email_bounce_reason"])
    if is_complaint:
        title = "We have stopped writing to your mailbox"
        body = (
            f"A mail of ours to {user.email} was marked as spam, so we send no more there. If that was a mistake, you "
            "can switch it on again."
        )
    else:
        title = "Our mail to you comes back"
        body = (
            f"The mailbox {user.email} does not take our mail, so we have stopped writing to it. Please check the "
            "address, or let us try again."
        )
    notify(
        user, EMAIL_RETURNED, key=f"{EMAIL_RETURNED}:{at.isoformat()}", title=title, body=body, now=now,
        url=reverse("messaging:address"),
    )  # fmt: skip
    return True


@transaction.atomic
def try_email_again(user: User, *, now: datetime) -> bool:
    """Let mail go to ``user`` again. Returns whether it was switched off."""
    contact = ContactSettings.objects.select_for_update().filter(user=user, email_bounced_at__isnull=False).first()
    if contact is None:
        return False
    contact.email_bounced_at = None
    contact.email_bounce_reason = ""
    contact.email_retried_at = now
    contact.save(update_fields=["email_bounced_at", "email_bounce_reason", "email_retried_at"])
    return True


@transaction.atomic
def texts_stopped(phone: str) -> int:
    """Somebody answered STOP: everybody with this number gets no more texts, and is told in the app.

    Who has them switched off is left as they are, so that a later START gives texts to those alone who had them.
    """
    now, count = timezone.now(), 0
    for user in _people_with(phone):
        contact = _contact_of(user)
        if not contact.texts_are_on:
            continue
        contact.texts_are_on = False
        contact.phone_state = PhoneState.STOPPED
        contact.save(update_fields=["texts_are_on", "phone_state"])
        notify(
            user, TEXTS_STOPPED, key=f"{TEXTS_STOPPED}:{now.isoformat()}", now=now,
            title="Text messages are switched off",
            body=f"A STOP came from {phone}, so we text it no more. Answer START from that phone to get texts again.",
            url=reverse("accounts:settings"),
        )  # fmt: skip
        count += 1
    return count


@transaction.atomic
def texts_started(phone: str) -> int:
    """Somebody answered START after a STOP. Who never asked for texts gets none by it."""
    count = 0
    for user in _people_with(phone):
        contact = _contact_of(user)
        if contact.phone_state == PhoneState.STOPPED:
            contact.texts_are_on = True
            contact.phone_state = PhoneState.WORKS
            contact.save(update_fields=["texts_are_on", "phone_state"])
            count += 1
    return count


def texts_unreachable(user: User) -> None:
    """The number takes no texts: a landline, or none at all."""
    _note_phone(user, PhoneState.UNREACHABLE)


def texts_work(user: User) -> None:
    _note_phone(user, PhoneState.WORKS)


@transaction.atomic
def _note_phone(user: User, state: PhoneState) -> None:
    contact = _contact_of(user)
    if contact.phone_state not in (state, PhoneState.STOPPED):
        contact.phone_state = state
        contact.save(update_fields=["phone_state"])


def _people_with(phone: str) -> list[User]:
    return list(User.objects.filter(phone=phone, is_active=True).order_by("pk")) if phone else []


def _contact_of(user: User) -> ContactSettings:
    ContactSettings.objects.bulk_create([ContactSettings(user=user)], ignore_conflicts=True)
    return ContactSettings.objects.select_for_update().get(user=user)
