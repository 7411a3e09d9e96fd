"""The life of a provider: applying, being approved, and what the approvers must hear of later.

``listeners`` are called with the provider and the event in the same transaction (messaging writes notifications).
"""

import secrets
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.domain import audit
from accounts.models import User
from accounts.permissions import has_verified_email
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from providers import validators
from providers.choices import DocumentKind, MembershipRole, ProviderKind
from providers.domain import listing, papers, places
from providers.models import Membership, ProfileEdit, Provider, ProviderEvent, Service, VerificationDocument
from providers.states import TRANSITIONS, ProviderState

CHANGEABLE = frozenset(
    {
        "name",
        "kind",
        "bio",
        "currency",
        "cancellation_policy",
        "appointment_policy",
        "avatar",
        "tax_rate_bp",
        "is_tax_inclusive",
        "tax_id",
    }
)
MAX_REASON = 1000

listeners: list[Callable[[Provider, ProviderEvent], None]] = []


def _check(provider: Provider) -> None:
    extra: dict[str, list[str]] = {}
    if provider.currency not in places.currencies():
        extra["currency"] = ["Use an ISO 4217 code such as EUR."]
    if not provider.name.strip():
        extra["name"] = ["Enter a name."]
    validators.check(provider, exclude={"slug"}, extra=extra)


def _save_with_slug(provider: Provider) -> None:
    """Save a new provider under a free slug made from its name."""
    base = slugify(provider.name)[:120] or str(provider.kind)
    provider.slug = base
    while True:
        try:
            with transaction.atomic():
                provider.save()
        except IntegrityError:
            if not Provider.objects.filter(slug=provider.slug).exists():
                raise
            provider.slug = f"{base}-{secrets.token_hex(3)}"
        else:
            return


def _record(provider: Provider, *, from_state: str, by: User | None, reason: str, now: datetime) -> ProviderEvent:
    event = ProviderEvent.objects.create(
        provider=provider, from_state=from_state, to_state=provider.state, by=by, reason=reason, at=now
    )
    for listener in listeners:
        listener(provider, event)
    return event


@transaction.atomic
def start(user: User, *, name: str, kind: str, currency: str, bio: str = "", now: datetime, **fields: Any) -> Provider:
    """Begin an application in state ``draft``; ``user`` becomes its manager. ``fields``: others of ``CHANGEABLE``."""
    provider = Provider(name=name.strip(), kind=kind, currency=currency.upper(), bio=bio)
    validators.apply(provider, fields, CHANGEABLE)
    _check(provider)
    _save_with_slug(provider)
    Membership.objects.create(provider=provider, user=user, role=MembershipRole.MANAGER)
    _record(provider, from_state=provider.state, by=user, reason="", now=now)
    return provider


@transaction.atomic
def update(provider: Provider, *, by: User | None, now: datetime, **changes: Any) -> Provider:
    """Change the profile fields named in ``CHANGEABLE``.

    The currency is fixed once a service has a price in it. A new name or kind after approval is recorded as an event,
    so that the approvers can look again.
    """
    provider = listing.lock(provider.pk)
    if "currency" in changes:
        changes["currency"] = str(changes["currency"]).upper()
    before = {"name": provider.name, "kind": provider.kind}
    changed = validators.apply(provider, changes, CHANGEABLE)
    if not changed:
        return provider
    _check(provider)
    if "currency" in changed and Service.objects.filter(provider=provider).exists():
        raise DomainError(
            "The currency cannot change any more: services have prices in it.",
            code="currency_fixed",
            fields={"currency": ["The currency is fixed once a service exists."]},
        )
    provider.save(update_fields=changed)
    if "name" in changed:
        names = {"name": before["name"]}, {"name": provider.name}
        what = f"Name: {before['name']} → {provider.name}"
        record_edit(provider, what, field="name", before=names[0], after=names[1], by=by, now=now)
    if "kind" in changed:
        old, new = ProviderKind(before["kind"]).label, ProviderKind(provider.kind).label
        kinds = {"kind": before["kind"]}, {"kind": provider.kind}
        record_edit(provider, f"Kind: {old} → {new}", field="kind", before=kinds[0], after=kinds[1], by=by, now=now)
    return provider


def record_edit(
    provider: Provider,
    what: str,
    *,
    field: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    target_uid: UUID | None = None,
    by: User | None,
    now: datetime,
) -> None:
    """Record a sensitive edit of an approved or suspended provider: an event that keeps the state, and work for staff.

    The edit counts at once and the provider stays visible; ``edits.decide`` keeps it or puts ``before`` back.
    """
    if provider.state in (ProviderState.APPROVED, ProviderState.SUSPENDED):
        _record(provider, from_state=provider.state, by=by, reason=what[:MAX_REASON], now=now)
        ProfileEdit.objects.create(
            provider=provider,
            field=field,
            what=what[:MAX_REASON],
            target_uid=target_uid,
            before=before or {},
            after=after or {},
            by=by,
            at=now,
        )


def _move(provider: Provider, action: str, *, by: User | None, reason: str, now: datetime) -> Provider:
    """Take ``action`` from the table on a locked provider: state, event, listing."""
    sources, target = TRANSITIONS[action]
    if provider.state not in sources:
        label = ProviderState(provider.state).label.lower()
        raise InvalidTransition(f"This provider is {label}: to {action} it is not possible now.")
    if len(reason) > MAX_REASON:
        raise InvalidInput(fields={"reason": [f"Use at most {MAX_REASON} characters."]})
    from_state, provider.state, provider.state_reason = provider.state, target, reason
    provider.save(update_fields=["state", "state_reason", "suspended_for", "submitted_at", "approved_at"])
    _record(provider, from_state=from_state, by=by, reason=reason, now=now)
    audit.record(
        f"{action}_provider",
        by=by,
        target=provider,
        before={"state": from_state},
        after={"state": provider.state},
        reason=reason,
        now=now,
    )
    listing.refresh(provider)
    return provider


def missing_documents(provider: Provider, *, now: datetime) -> list[DocumentKind]:
    """Return the papers that a provider of this kind must hand in and that are not there, refused or run out."""
    required = settings.REQUIRED_DOCUMENTS.get(provider.kind, [])
    there = set(
        VerificationDocument.objects.filter(provider=provider, resource__isnull=True, expired_at__isnull=True)
        .exclude(is_accepted=False)
        .exclude(valid_until__lt=now.date())
        .values_list("kind", flat=True)
    )
    return [DocumentKind(kind) for kind in required if kind not in there]


def _need_documents(provider: Provider, now: datetime) -> None:
    if missing := missing_documents(provider, now=now):
        names = ", ".join(str(kind.label).lower() for kind in missing)
        raise DomainError(
            f"These documents are missing: {names}.",
            code="documents_missing",
            extra={"missing": [str(kind.value) for kind in missing]},
        )


@transaction.atomic
def submit(provider: Provider, *, by: User | None, now: datetime, reason: str = "") -> Provider:
    """Hand the application in, or in again after a rejection.

    Needs the documents that the kind must show and, where the site asks for it, a verified e-mail address.
    """
    provider = listing.lock(provider.pk)
    if by is not None and not has_verified_email(by):
        raise NotAllowed("Verify your e-mail address first.", code="email_not_verified")
    if provider.state in TRANSITIONS["submit"][0]:
        _need_documents(provider, now)
        provider.submitted_at = now
    return _move(provider, "submit", by=by, reason=reason, now=now)


@transaction.atomic
def approve(
    provider: Provider, *, by: User | None, now: datetime, reason: str = "", seen: Collection[UUID] | None = None
) -> Provider:
    """Let the provider be found and booked, and accept its waiting documents.

    ``seen`` are the uids of the documents that the approver looked at; when they are no longer exactly those that are
    there, nothing is approved (``documents_changed``). Uploaded files never change, a new one is a new row.
    """
    provider = listing.lock(provider.pk)
    documents = VerificationDocument.objects.select_for_update().filter(provider=provider).order_by("pk")
    present = {document.uid for document in documents}
    if provider.state in TRANSITIONS["approve"][0]:
        if seen is not None and set(seen) != present:
            raise DomainError("The documents changed while you looked. Look again.", code="documents_changed")
        _need_documents(provider, now)
        provider.approved_at = now
        VerificationDocument.objects.filter(provider=provider, is_accepted__isnull=True).update(
            is_accepted=True, checked_by=by, checked_at=now
        )
    provider = _move(provider, "approve", by=by, reason=reason, now=now)
    papers.refresh(provider)
    return provider


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("Say why: the provider reads it.", fields={"reason": ["Say why: the provider reads it."]})


@transaction.atomic
def reject(provider: Provider, *, by: User | None, now: datetime, reason: str = "") -> Provider:
    """Turn the application down with a reason. It can be corrected and handed in again."""
    _need_reason(reason)
    return _move(listing.lock(provider.pk), "reject", by=by, reason=reason, now=now)


@transaction.atomic
def suspend(provider: Provider, *, by: User | None, now: datetime, reason: str = "") -> Provider:
    """Take an approved provider out of search and booking, with a reason. Bookings that exist go on.

    One that was suspended for a paper stays so from now on until staff reinstate it, whatever is handed in.
    """
    _need_reason(reason)
    provider = listing.lock(provider.pk)
    if by is not None and provider.is_suspended and provider.suspended_for:
        before = {"state": provider.state, "for": provider.suspended_for}
        provider.suspended_for, provider.state_reason = "", reason[:MAX_REASON]
        provider.save(update_fields=["suspended_for", "state_reason"])
        after = {"state": provider.state}
        audit.record("suspend_provider", by=by, target=provider, before=before, after=after, reason=reason, now=now)
        return provider
    return _move(provider, "suspend", by=by, reason=reason, now=now)


def suspend_for(provider: Provider, kinds: list[str], *, reason: str, now: datetime) -> Provider:
    """Suspend a locked provider because those papers are missing (``checks.enforce``); ``lift`` ends it."""
    provider.suspended_for = ",".join(kinds)
    return _move(provider, "suspend", by=None, reason=reason, now=now)


def lift(provider: Provider, *, now: datetime) -> Provider:
    """End what ``suspend_for`` began, on a locked provider."""
    provider.suspended_for = ""
    return _move(provider, "reinstate", by=None, reason="The missing documents are there and checked.", now=now)


@transaction.atomic
def reinstate(provider: Provider, *, by: User | None, now: datetime, reason: str = "") -> Provider:
    """End a suspension. Refused while papers are missing that every provider of the kind must have."""
    provider = listing.lock(provider.pk)
    if provider.is_suspended and provider.suspended_for:
        _need_documents(provider, now)
    provider.suspended_for = ""
    return _move(provider, "reinstate", by=by, reason=reason, now=now)
