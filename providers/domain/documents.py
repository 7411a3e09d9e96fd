"""Papers and pictures of a provider. Files arrive here already checked and re-encoded (petplace.uploads)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.errors import DomainError, InvalidInput
from providers import permissions, validators
from providers.domain import applications, checks, listing, papers
from providers.models import ProfileEdit, Provider, ProviderEvent, ProviderPhoto, Resource, VerificationDocument
from providers.states import ProviderState

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
    resource: Resource | None = None,
    by: User | None = None,
    now: datetime,
) -> VerificationDocument:
    """Hand in a paper, of the provider or of one of its people; it waits to be checked.

    A file never changes: a better one is another document.
    """
    provider = Provider.objects.select_for_update(no_key=True).get(pk=provider.pk)
    if valid_until is not None and valid_until < now.date():
        raise InvalidInput(fields={"valid_until": ["This document has run out."]})
    if VerificationDocument.objects.filter(provider=provider).count() >= MAX_DOCUMENTS:
        raise DomainError(f"At most {MAX_DOCUMENTS} documents. Remove old ones first.", code="too_many")
    if resource is not None and resource.branch.provider_id != provider.pk:
        raise InvalidInput(fields={"resource": ["This person does not work here."]})
    document = VerificationDocument(provider=provider, resource=resource, kind=kind, note=note, valid_until=valid_until)
    validators.check(document, exclude={"provider", "resource", "file"})
    document.expires_at = papers.end_of(valid_until, papers.zone_of(provider))
    document.file.save(file.name or "document", file, save=False)
    document.save()
    what = f"Document handed in: {document.get_kind_display()}{f' of {resource.name}' if resource else ''}"
    applications.record_edit(provider, what, field="document", target_uid=document.uid, by=by, now=now)
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


UNCHANGED = object()


@transaction.atomic
def check(
    document: VerificationDocument,
    *,
    by: User,
    is_accepted: bool,
    note: str = "",
    valid_until: object = UNCHANGED,
    now: datetime,
) -> VerificationDocument:
    """Record that ``by`` looked at the paper and took it or not, and until when it is good as it says itself.

    Ends or begins what depends on it (``checks.enforce``). Locks the provider, then the paper.
    """
    provider = listing.lock(document.provider_id)
    document = VerificationDocument.objects.select_for_update().get(pk=document.pk)
    document.provider = provider
    before = {"accepted": document.is_accepted, "valid_until": document.valid_until}
    if valid_until is not UNCHANGED:
        assert valid_until is None or isinstance(valid_until, date)
        document.valid_until = valid_until
    document.expires_at = papers.end_of(document.valid_until, papers.zone_of(provider))
    document.check_note = note.strip()
    validators.check(document, exclude={"provider", "resource", "file"})
    if is_accepted and document.expires_at is not None and document.expires_at <= now:
        message = "This document has run out. Refuse it, or correct the date."
        raise InvalidInput(message, fields={"valid_until": [message]})
    document.checked_by, document.checked_at, document.is_accepted = by, now, is_accepted
    document.expired_at = document.reminded_days = None
    document.save(
        update_fields=[
            "checked_by", "checked_at", "is_accepted", "valid_until", "expires_at", "expired_at", "reminded_days",
            "check_note",
        ]
    )  # fmt: skip
    after = {
        "accepted": is_accepted,
        "valid_until": document.valid_until,
        "kind": document.kind,
        "provider": str(provider.uid),
    }
    audit.record(AuditAction.CHECK_DOCUMENT, by=by, target=document, before=before, after=after, now=now)
    ProfileEdit.objects.filter(provider=provider, target_uid=document.uid, decided_at__isnull=True).update(
        is_kept=is_accepted, decided_by=by, decided_at=now, note=document.check_note
    )
    checks.tell(document, checks.News.ACCEPTED if is_accepted else checks.News.REFUSED, now=now)
    checks.enforce(provider, now=now)
    return document


# --- Looking at a paper -------------------------------------------------------------------------

LINK_SALT = "providers.documents"
LINK_LIFE = timedelta(seconds=settings.DOCUMENT_LINK_SECONDS)


def may_see(document: VerificationDocument, user: User) -> bool:
    """Managers see the papers of their own provider, who checks them those of all."""
    return user.is_active and (permissions.can_check(user) or permissions.can_manage(user, document.provider))


def link_token(document: VerificationDocument, *, user: User, needs_session: bool) -> str:
    """Return the key in the address of a paper: for this person, for five minutes.

    ``needs_session``: it opens only while this person is signed in to the pages.
    """
    return signing.dumps([document.uid.hex, user.uid.hex, needs_session], salt=LINK_SALT)


def open_link(token: str, *, visitor: User | None, now: datetime) -> VerificationDocument | None:
    """Return the paper behind a key that still lives, and write down who looked; None when it leads nowhere.

    What the person may see is asked again. ``visitor`` is who is signed in: never somebody else than the key's person.
    """
    try:
        document_uid, user_uid, needs_session = signing.loads(token, salt=LINK_SALT, max_age=LINK_LIFE)
    except signing.BadSignature:
        return None
    found = VerificationDocument.objects.select_related("provider").filter(uid=UUID(document_uid)).first()
    user = User.objects.filter(uid=UUID(user_uid)).first()
    if found is None or user is None or (visitor != user if needs_session or visitor is not None else False):
        return None
    return found if look(found, by=user, now=now) else None


def look(document: VerificationDocument, *, by: User, now: datetime) -> bool:
    """Write down that ``by`` opens the paper. False, and nothing is written, when ``by`` may not see it."""
    if not may_see(document, by):
        return False
    after = {"kind": document.kind, "provider": str(document.provider.uid)}
    audit.record(AuditAction.VIEW_DOCUMENT, by=by, target=document, after=after, now=now)
    return True


@transaction.atomic
def remove(document: VerificationDocument) -> None:
    """Take a paper back. One that was checked stays, as the approval rests on it (``document_checked``)."""
    document = VerificationDocument.objects.select_for_update().get(pk=document.pk)
    _check_waiting(document)
    file, storage = str(document.file.name), document.file.storage
    ProfileEdit.objects.filter(target_uid=document.uid, decided_at__isnull=True).delete()
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


def delete_old(*, now: datetime) -> int:
    """Delete the papers of providers who were rejected, or whose team has left, ``RETAIN_DOCUMENT_DAYS`` ago.

    Whoever hands the application in again before that keeps them. Returns how many.
    """
    limit = now - timedelta(days=settings.RETAIN_DOCUMENT_DAYS)
    over = Q(provider__state=ProviderState.REJECTED) | Q(provider__memberships__isnull=True)
    lately = ProviderEvent.objects.filter(provider=OuterRef("provider"), at__gt=limit)
    old = VerificationDocument.objects.filter(over, ~Exists(lately), created_at__lte=limit).distinct()
    return sum(_delete(document) for document in old)


@transaction.atomic
def _delete(document: VerificationDocument) -> int:
    file, storage = str(document.file.name), document.file.storage
    gone, _ = document.delete()
    transaction.on_commit(lambda: storage.delete(file), robust=True)
    return min(gone, 1)
