"""What the platform's staff decide about sensitive edits after the approval."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.errors import DomainError, InvalidInput, InvalidTransition
from providers.domain import branches, listing
from providers.models import Branch, ProfileEdit, Provider

Field = ProfileEdit.Field


@transaction.atomic
def decide(edit: ProfileEdit, *, by: User, is_kept: bool, note: str = "", now: datetime) -> ProfileEdit:
    """Keep an edit, or put back what stood there before, with a note that the provider's managers read.

    What was changed again since is left as it is: that change has a line of its own. A document is decided by its check
    (``documents.check``). Locks the provider.
    """
    if not is_kept and not note.strip():
        raise InvalidInput(fields={"note": ["Say why: the provider reads it."]})
    provider = listing.lock(edit.provider_id)
    edit = ProfileEdit.objects.select_for_update().get(pk=edit.pk)
    if not edit.is_open:
        raise InvalidTransition("Somebody has decided this already.")
    if edit.field == Field.DOCUMENT:
        raise DomainError("Open the document and check it: that decides this too.", code="check_the_document")
    restored = not is_kept and _put_back(edit, provider, now=now)
    edit.is_kept, edit.note, edit.decided_by, edit.decided_at = is_kept, note.strip()[:300], by, now
    edit.save(update_fields=["is_kept", "note", "decided_by", "decided_at"])
    after: dict[str, Any] = {"field": edit.field, "kept": is_kept, "restored": restored}
    after["provider"] = str(provider.uid)
    audit.record(AuditAction.REVIEW_EDIT, by=by, target=edit, after=after, now=now)
    for listener in listeners:
        listener(edit, now)
    return edit


listeners: list[Any] = []


def _put_back(edit: ProfileEdit, provider: Provider, *, now: datetime) -> bool:
    """Write ``before`` over ``after``, unless something else stands there by now. It is no edit of its own."""
    if edit.field == Field.ADDRESS:
        assert edit.target_uid is not None
        branch = Branch.objects.select_for_update(no_key=True).filter(uid=edit.target_uid, provider=provider).first()
        if branch is None or any(getattr(branch, name) != value for name, value in edit.after.items()):
            return False
        branches.put_back(branch, edit.before)
        return True
    if any(getattr(provider, name) != value for name, value in edit.after.items()):
        return False
    return bool(Provider.objects.filter(pk=provider.pk).update(**edit.before))
