"""What a provider must have been checked for, and what becomes of it when a paper runs out.

Three settings say what is needed: ``REQUIRED_DOCUMENTS`` of a kind of provider (without: suspended),
``REQUIRED_FOR_SERVICES`` of a kind of service (without: those services are off sale), ``REQUIRED_OF_STAFF`` of each
person of a kind of provider (without: this person cannot be booked). What was switched off for that carries the reason
(``suspended_for``, ``paused_for``) and comes back by itself when the paper is there; what people switched off does not.

Search and reservations read the same columns as ever (the provider's state, ``is_active``), so they know nothing of it.

``listeners`` are called with the paper, what became of it and when, in the same transaction.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from petplace.errors import DomainError
from providers.choices import DocumentKind, ResourceKind
from providers.domain import applications, listing, papers
from providers.models import Provider, ProviderEvent, Resource, Service, VerificationDocument
from providers.states import ProviderState

logger = logging.getLogger(__name__)

REMIND_DAYS = (1, 7, 30)


class News(StrEnum):
    """What becomes of a paper."""

    EXPIRING = "expiring"
    EXPIRED = "expired"
    ACCEPTED = "accepted"
    REFUSED = "refused"


listeners: list[Callable[[VerificationDocument, News, datetime], None]] = []


def tell(document: VerificationDocument, news: News, *, now: datetime) -> None:
    for listener in listeners:
        listener(document, news, now)


# --- What is needed, and what is missing --------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One line of a provider's checklist: what is needed of whom, and the paper that says most about it."""

    kind: DocumentKind
    of: str  # a person's name; empty for the provider itself
    effect: str
    document: VerificationDocument | None

    @property
    def state(self) -> str:
        return self.document.check_state if self.document else "missing"


def checklist(provider: Provider) -> list[Line]:
    """Return what is needed of this provider and how each stands: for its own page and for staff."""
    known: dict[tuple[str, int | None], VerificationDocument] = {}
    weight = {"accepted": 3, "waiting": 2, "expired": 1, "refused": 0}
    for paper in provider.documents.select_related("checked_by").order_by("pk"):
        best = known.get((paper.kind, paper.resource_id))
        if best is None or weight[paper.check_state] >= weight[best.check_state]:
            known[paper.kind, paper.resource_id] = paper
    lines = [
        Line(DocumentKind(kind), "", "Without it nobody can find or book you.", known.get((kind, None)))
        for kind in settings.REQUIRED_DOCUMENTS.get(provider.kind, [])
    ]
    if settings.REQUIRED_FOR_SERVICES:
        kinds = provider.services.order_by().values_list("kind", flat=True).distinct()
        needed = {kind for service in kinds for kind in settings.REQUIRED_FOR_SERVICES.get(service, [])}
        lines += [
            Line(DocumentKind(kind), "", "Without it the services that need it are off sale.", known.get((kind, None)))
            for kind in sorted(needed - {line.kind for line in lines})
        ]
    if staff_kinds := settings.REQUIRED_OF_STAFF.get(provider.kind, []):
        lines += [
            Line(
                DocumentKind(kind),
                person.name,
                "Without it this person cannot be booked.",
                known.get((kind, person.pk)),
            )
            for person in _people(provider).filter(Q(is_active=True) | ~Q(paused_for="")).order_by("name", "pk")
            for kind in staff_kinds
        ]
    return lines


def _people(provider: Provider) -> QuerySet[Resource]:
    return Resource.objects.filter(branch__provider=provider, kind=ResourceKind.PERSON)


def names_of(kinds: Iterable[str]) -> str:
    """Return the kinds as words: "insurance and licence"."""
    words = [str(DocumentKind(kind).label).lower() for kind in kinds]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


# --- Switching off and on -----------------------------------------------------------------------


@transaction.atomic
def enforce(provider: Provider, *, now: datetime, is_strict: bool = False) -> None:
    """Switch off what lacks a paper that ran out or was refused, and on again what was off only for that.

    ``is_strict``: also what never had it (at the approval, and for new people and services). A provider that was
    approved before a paper became a rule keeps its place until staff ask for it. Locks the provider.
    """
    provider = listing.lock(provider.pk)
    if provider.state not in (ProviderState.APPROVED, ProviderState.SUSPENDED):
        papers.refresh(provider)
        return
    have: set[tuple[str, int | None]] = set(papers.good(provider).values_list("kind", "resource_id"))
    lost: set[tuple[str, int | None]] = set(
        VerificationDocument.objects.filter(provider=provider)
        .filter(Q(is_accepted=False) | Q(expired_at__isnull=False))
        .values_list("kind", "resource_id")
    )
    held = _Papers(have, lost, is_strict)
    _enforce_services(provider, held)
    _enforce_people(provider, held)
    papers.refresh(provider)
    listing.refresh(provider)
    _enforce_provider(provider, held, now=now)


@dataclass(frozen=True)
class _Papers:
    """``have`` and ``lost`` hold kinds of papers with the person they are of (None: the provider)."""

    have: set[tuple[str, int | None]]
    lost: set[tuple[str, int | None]]
    is_strict: bool

    def missing(self, kinds: Iterable[str], of: int | None = None) -> list[str]:
        return [kind for kind in kinds if (kind, of) not in self.have]

    def is_off(self, missing: list[str], of: int | None = None) -> bool:
        """Say whether what lacks them must be switched off now."""
        return any(self.is_strict or (kind, of) in self.lost for kind in missing)


def _enforce_provider(provider: Provider, held: _Papers, *, now: datetime) -> None:
    missing = held.missing(settings.REQUIRED_DOCUMENTS.get(provider.kind, []))
    if provider.is_public and held.is_off(missing):
        reason = f"Needed and not there any more: {names_of(missing)}. Hand it in under Documents; once it is "
        applications.suspend_for(
            provider, missing, reason=f"{reason}checked, you are back without anything else to do.", now=now
        )
    elif provider.is_suspended and provider.suspended_for and not missing:
        applications.lift(provider, now=now)


def _enforce_services(provider: Provider, held: _Papers) -> None:
    services = Service.objects.select_for_update(no_key=True).filter(provider=provider).order_by("pk")
    for service in services:
        missing = held.missing(settings.REQUIRED_FOR_SERVICES.get(service.kind, []))
        _switch(service, missing, is_off=held.is_off(missing))


def _enforce_people(provider: Provider, held: _Papers) -> None:
    needed = settings.REQUIRED_OF_STAFF.get(provider.kind, [])
    for person in _people(provider).select_for_update(no_key=True, of=("self",)).order_by("pk"):
        missing = held.missing(needed, person.pk)
        _switch(person, missing, is_off=held.is_off(missing, person.pk))


def _switch(row: Service | Resource, missing: list[str], *, is_off: bool) -> None:
    if is_off and row.is_active:
        row.is_active, row.paused_for = False, ",".join(missing)
    elif row.paused_for and not missing:
        row.is_active, row.paused_for = True, ""
    else:
        return
    row.save(update_fields=["is_active", "paused_for"])


def recheck(row: Service | Resource) -> None:
    """Switch a service or person off that lacks its papers, and on when it was off only for that. One read, or none.

    For what is new or becomes something else; the provider must be saved with it. Nothing happens before the approval.
    """
    provider = row.provider if isinstance(row, Service) else row.branch.provider
    of = None if isinstance(row, Service) else row.pk
    if isinstance(row, Service):
        needed = settings.REQUIRED_FOR_SERVICES.get(row.kind, [])
    else:
        needed = settings.REQUIRED_OF_STAFF.get(provider.kind, []) if row.kind == ResourceKind.PERSON else []
    if provider.approved_at is None or not (needed or row.paused_for):
        return
    whose = Q(resource__isnull=True) if of is None else Q(resource_id=of)
    have = set(papers.good(provider).filter(whose).values_list("kind", flat=True))
    missing = [kind for kind in needed if kind not in have]
    _switch(row, missing, is_off=bool(missing))


def refuse_switching_on(row: Service | Resource) -> None:
    """Refuse to switch on what is off because papers are missing (``document_missing``)."""
    if row.is_active and row.paused_for:
        message = f"First this is needed: {names_of(row.paused_for.split(','))}. Hand it in under Documents."
        raise DomainError(message, code="document_missing", fields={"is_active": [message]})


def at_approval(provider: Provider, event: ProviderEvent) -> None:
    """Listen to applications: with an approval, people and services without their papers are switched off."""
    if (event.from_state, event.to_state) == (ProviderState.SUBMITTED, ProviderState.APPROVED):
        enforce(provider, now=event.at, is_strict=True)


# --- The clock ----------------------------------------------------------------------------------


def sweep(now: datetime) -> int:
    """End the papers whose time has come and remind of those that end soon. Each provider in its own transaction.

    Safe to run at any time and twice. Returns how many papers have ended.
    """
    due = VerificationDocument.objects.filter(is_accepted=True, expired_at__isnull=True)
    over = due.filter(expires_at__lte=now).values_list("provider_id", flat=True)
    ended = 0
    for provider_id in sorted(set(over)):
        try:
            ended += _expire(provider_id, now)
        except Exception:  # one provider must not stop the others
            logger.exception("The papers of provider %s could not be ended", provider_id)
    for document in due.filter(_reminder_due(now)).select_related("provider", "resource").order_by("expires_at", "pk"):
        _remind(document, now)
    return ended


@transaction.atomic
def _expire(provider_id: int, now: datetime) -> int:
    provider = listing.lock(provider_id)
    found = VerificationDocument.objects.select_for_update().filter(
        provider=provider, is_accepted=True, expired_at__isnull=True, expires_at__lte=now
    )
    over = list(found.order_by("pk"))
    for paper in over:
        paper.expired_at = now
        paper.save(update_fields=["expired_at"])
        paper.provider = provider
        tell(paper, News.EXPIRED, now=now)
    enforce(provider, now=now)
    return len(over)


def _reminder_due(now: datetime) -> Q:
    found = Q(pk__in=[])
    for days in REMIND_DAYS:
        found |= Q(expires_at__gt=now, expires_at__lte=now + timedelta(days=days)) & (
            Q(reminded_days__isnull=True) | Q(reminded_days__gt=days)
        )
    return found


@transaction.atomic
def _remind(document: VerificationDocument, now: datetime) -> None:
    """Remind once at each distance, unless a later paper of the kind is there or waits."""
    assert document.expires_at is not None
    left = document.expires_at - now
    days = next(days for days in REMIND_DAYS if left <= timedelta(days=days))
    mine = VerificationDocument.objects.filter(pk=document.pk).filter(
        Q(reminded_days__isnull=True) | Q(reminded_days__gt=days)
    )
    if not mine.update(reminded_days=days):
        return
    others = VerificationDocument.objects.filter(
        provider=document.provider, kind=document.kind, resource=document.resource_id, expired_at__isnull=True
    ).exclude(Q(pk=document.pk) | Q(is_accepted=False))
    if not others.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=document.expires_at)).exists():
        tell(document, News.EXPIRING, now=now)
