"""What managers are told of their papers and edits: listeners of ``checks`` and ``edits``."""

from datetime import datetime

from django.urls import reverse

from accounts.models import User
from messaging.domain import Notice, notify_all
from providers.choices import MembershipRole
from providers.domain import checks, edits
from providers.domain.checks import News
from providers.models import ProfileEdit, Provider, VerificationDocument


def connect() -> None:
    checks.listeners.append(tell_of_paper)
    edits.listeners.append(tell_of_edit)


def tell_of_paper(document: VerificationDocument, news: News, now: datetime) -> None:
    paper = str(document.get_kind_display()) + (f" of {document.resource.name}" if document.resource else "")
    until = (
        f"{document.valid_until:%b} {document.valid_until.day}, {document.valid_until.year}"
        if document.valid_until
        else ""
    )
    note = f" {document.check_note}" if document.check_note else ""
    title, body = {
        News.EXPIRING: (
            f"{paper}: valid until {until}",
            "Hand in the next one now, so that we can check it in time. What needs it is switched off when it ends, "
            "and comes back by itself once the new one is checked.",
        ),
        News.EXPIRED: (
            f"{paper} has run out",
            f"It was valid until {until}. Its badge is gone, and what needs it is switched off until a new one is "
            "handed in and checked. Bookings that exist go on.",
        ),
        News.ACCEPTED: (f"{paper}: checked", f"Thank you. It counts{f' until {until}' if until else ''}.{note}"),
        News.REFUSED: (f"{paper}: not accepted", f"Please hand in another one.{note}"),
    }[news]
    key = f"document:{document.uid}:{news}:{document.reminded_days or now.isoformat()}"
    _tell(document.provider, f"provider_document_{news}", key, title, body, now)


def tell_of_edit(edit: ProfileEdit, now: datetime) -> None:
    if edit.is_kept:
        return
    body = f"{edit.what}\n\nWe could not leave it so: {edit.note}"
    _tell(edit.provider, "provider_edit_undone", f"edit:{edit.uid}", "A change of your profile was undone", body, now)


def _tell(provider: Provider, kind: str, key: str, title: str, body: str, now: datetime) -> None:
    managers = User.objects.filter(
        memberships__provider=provider, memberships__role=MembershipRole.MANAGER, is_active=True
    )
    url = reverse("provider:documents", args=[provider.slug])
    topic = f"provider:{provider.uid}"
    notices = [Notice(person, kind, key=key, title=title, body=body, url=url, topic=topic) for person in managers]
    notify_all(notices, now=now)
