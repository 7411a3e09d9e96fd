"""Papers and pictures of a provider. Files arrive here already checked and re-encoded (petplace.uploads)."""

from __future__ import annotations

from datetime import date, datetime

from django.core.files.base import ContentFile
from django.db import transaction

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.errors import DomainError, InvalidInput
from providers import validators
from providers.models import Provider, ProviderPhoto, VerificationDocument

MAX_DOCUMENTS = 40
MAX_PHOTOS = 20


@transaction.atomic
def add(
    provider: Provider,
    *,
    kind: str,
    file: ContentFile[bytes],
    note: str = "",
    valid_until: date | None = None,
    now: datetime,
) -> VerificationDocument:
    """Hand in a paper; it waits to be checked. A file never changes: a better one is another document."""
    provider = Provider.objects.select_for_update(no_key=True).get(pk=provider.pk)
    if valid_until is not None and valid_until < now.date():
        raise InvalidInput(fields={"valid_until": ["This document has run out."]})
    if VerificationDocument.objects.filter(provider=provider).count() >= MAX_DOCUMENTS:
        raise DomainError(f"At most {MAX_DOCUMENTS} documents. Remove old ones first.", code="too_many")
    document = VerificationDocument(provider=provider, kind=kind, note=note, valid_until=valid_until)
    validators.check(document, exclude={"provider", "file"})
    document.file.save(file.name or "document", file, save=False)
    document.save()
    return document


@transaction.atomic
def annotate(document: VerificationDocument, *, note: str) -> VerificationDocument:
    """Change the note of a paper that nobody has checked yet (``document_checked``)."""
    document = VerificationDocument.objects.select_for_update().get(pk=document.pk)
    _check_waiting(document)
    document.note = note
    validators.check(document, exclude={"provider", "file"})
    document.save(update_fields=["note"])
    return document


def _check_waiting(document: VerificationDocument) -> None:
    if not document.is_waiting:
        raise DomainError("This document has been checked and must stay on record.", code="document_checked")


@transaction.atomic
def check(document: VerificationDocument, *, by: User, is_accepted: bool, now: datetime) -> VerificationDocument:
    """Record that ``by`` looked at the paper and took it or not."""
    document = VerificationDocument.objects.select_for_update().get(pk=document.pk)
    before = {"accepted": document.is_accepted}
    document.checked_by, document.checked_at, document.is_accepted = by, now, is_accepted
    document.save(update_fields=["checked_by", "checked_at", "is_accepted"])
    after = {"accepted": is_accepted, "kind": document.kind, "provider": str(document.provider.uid)}
    audit.record(AuditAction.CHECK_DOCUMENT, by=by, target=document, before=before, after=after, now=now)
    return document


@transaction.atomic
def remove(document: VerificationDocument) -> None:
    """Take a paper back. One that was checked stays, as the approval rests on it (``document_checked``)."""
    document = VerificationDocument.objects.select_for_update().get(pk=document.pk)
    _check_waiting(document)
    file, storage = str(document.file.name), document.file.storage
    document.delete()
    transaction.on_commit(lambda: storage.delete(file))


@transaction.atomic
def set_avatar(provider: Provider, file: ContentFile[bytes] | None) -> Provider:
    """Replace the picture of the provider, or take it away."""
    provider = Provider.objects.select_for_update(no_key=True).get(pk=provider.pk)
    old, storage = provider.avatar.name, provider.avatar.storage
    if file is None:
        provider.avatar = ""
    else:
        provider.avatar.save(file.name or "avatar", file, save=False)
    provider.save(update_fields=["avatar"])
    if old:
        transaction.on_commit(lambda: storage.delete(old))
    return provider


@transaction.atomic
def add_photo(provider: Provider, file: ContentFile[bytes], *, caption: str = "") -> ProviderPhoto:
    """Add a picture to the profile, after the others."""
    provider = Provider.objects.select_for_update(no_key=True).get(pk=provider.pk)
    count = ProviderPhoto.objects.filter(provider=provider).count()
    if count >= MAX_PHOTOS:
        raise DomainError(f"At most {MAX_PHOTOS} photos. Remove one first.", code="too_many")
    photo = ProviderPhoto(provider=provider, caption=caption, position=count)
    validators.check(photo, exclude={"provider", "image"})
    photo.image.save(file.name or "photo", file, save=False)
    photo.save()
    return photo


@transaction.atomic
def remove_photo(photo: ProviderPhoto) -> None:
    file, storage = str(photo.image.name), photo.image.storage
    photo.delete()
    transaction.on_commit(lambda: storage.delete(file))
