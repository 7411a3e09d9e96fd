"""Writing down who did what. Domain functions call it in their transaction: no act without its row."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from accounts.audit import AuditAction, AuditEntry
from accounts.models import User
from petplace import request_context

SYSTEM = "Pet Place"


def record(
    action: str,
    *,
    by: User | None,
    target: models.Model,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    now: datetime | None = None,
) -> AuditEntry:
    """Write down that ``by`` (None: the system) did ``action`` to ``target``, with the request that it came from.

    ``before`` and ``after`` are JSON values of what changed, without personal data: the row can never be changed or
    removed. Raises ValueError for an action that is not in :class:`AuditAction`.
    """
    context = request_context.current()
    return AuditEntry.objects.create(
        at=now or timezone.now(),
        actor=by,
        actor_uid=by.uid if by is not None else None,
        actor_label=_label(by)[:200] if by is not None else SYSTEM,
        action=AuditAction(action).value,
        target_kind=target._meta.label_lower,
        target_uid=str(getattr(target, "uid", target.pk)),
        target_label=_label(target)[:200],
        before=dict(before) if before is not None else None,
        after=dict(after) if after is not None else None,
        reason=reason.replace("\0", "")[:1000],
        request_id=context.request_id,
        ip=context.ip,
    )


def _label(row: models.Model) -> str:
    """Name a row for later readers, without what may have to be forgotten: only staff stand there by their address.

    A model whose rows have a number of their own, that tells nothing about anybody, names it in ``AUDIT_LABEL``.
    """
    if isinstance(row, User):
        return row.email if row.is_staff else f"Person {str(row.uid)[:8]}"
    own = getattr(row, getattr(row, "AUDIT_LABEL", ""), "") or str(getattr(row, "uid", row.pk))[:8]
    return f"{str(row._meta.verbose_name).capitalize()} {own}"
