"""Texts that a provider's team sends often."""

from typing import Any

from django.db import IntegrityError, transaction

from messaging.domain.conversations import clean_text
from messaging.models import QuickReply
from petplace.errors import DomainError, InvalidInput
from providers.models import Provider

MOST = 30
TITLE_LENGTH = 40


def add(provider: Provider, *, title: str, text: str) -> QuickReply:
    """Add one. Raises InvalidInput, DomainError ``too_many``."""
    if QuickReply.objects.filter(provider=provider).count() >= MOST:
        raise DomainError(f"A team has at most {MOST} quick replies.", code="too_many")
    return _save(QuickReply(provider=provider), title=title, text=text)


def change(reply: QuickReply, **fields: str) -> QuickReply:
    """Change ``title``, ``text`` or both."""
    return _save(reply, **{"title": reply.title, "text": reply.text, **fields})


def remove(reply: QuickReply) -> None:
    reply.delete()


def _save(reply: QuickReply, *, title: str, text: str) -> QuickReply:
    reply.title, reply.text = " ".join(title.replace("\0", "").split()), clean_text(text)
    errors: dict[str, Any] = {}
    if not reply.title or len(reply.title) > TITLE_LENGTH:
        errors["title"] = [f"A short name of at most {TITLE_LENGTH} characters."]
    if errors:
        raise InvalidInput(fields=errors)
    try:
        with transaction.atomic():
            reply.save()
    except IntegrityError as error:
        raise InvalidInput(fields={"title": ["There is one with this name."]}) from error
    return reply
