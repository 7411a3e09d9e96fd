"""What a member of staff may do, and that every change of it is on record."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import F

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from petplace.roles import GROUPS, codenames

NONE: dict[str, Any] = {"staff": False, "superuser": False, "groups": [], "permissions": []}


def of(user: User) -> dict[str, Any]:
    """Return the rights of ``user`` as plain values."""
    return {
        "staff": user.is_staff,
        "superuser": user.is_superuser,
        "groups": sorted(user.groups.values_list("name", flat=True)),
        "permissions": sorted(user.user_permissions.values_list("codename", flat=True)),
    }


def record_change(user: User, *, before: Mapping[str, Any], by: User | None, now: datetime) -> None:
    """Write down what changed since ``before``; nothing when nothing did."""
    after = of(user)
    changed = {name for name in after if after[name] != before[name]}
    if changed:
        audit.record(
            AuditAction.ROLE_CHANGE,
            by=by,
            target=user,
            before={name: before[name] for name in sorted(changed)},
            after={name: after[name] for name in sorted(changed)},
            now=now,
        )


@transaction.atomic
def sync_groups() -> None:
    """Give the groups of ``petplace.roles`` exactly the permissions that stand there. Other groups are left alone."""
    labelled = Permission.objects.annotate(app=F("content_type__app_label")).values_list("pk", "app", "codename")
    known = {f"{app}.{codename}": pk for pk, app, codename in labelled}
    for role, name in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        wanted = {known[codename] for codename in codenames(role) if codename in known}
        if set(group.permissions.values_list("pk", flat=True)) != wanted:
            group.permissions.set(wanted)
