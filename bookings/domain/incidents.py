"""Safety reports: made by either side of a booking or by staff, followed by staff until they are resolved."""

from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse

from accounts.audit import AuditAction
from accounts.domain import audit
from accounts.models import User
from bookings import permissions
from bookings.models import Booking, Incident, IncidentNote
from bookings.models.incident import IncidentKind, IncidentState, Severity
from bookings.states import Side
from messaging import domain as messaging
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from petplace.roles import Right, may
from providers.models import Provider

TEXT_LENGTH = 4000
NOTE_LENGTH = 2000
PER_DAY = 5
# How severe a report counts until somebody of the staff has looked at it.
FIRST_SEVERITY = {
    IncidentKind.INJURY: Severity.HIGH,
    IncidentKind.LOST_PET: Severity.CRITICAL,
    IncidentKind.NEGLECT: Severity.HIGH,
    IncidentKind.THREAT: Severity.CRITICAL,
    IncidentKind.FRAUD: Severity.HIGH,
}


def _clean(text: str, field: str, limit: int) -> str:
    text = text.strip()
    if not text or "\0" in text:
        raise InvalidInput(fields={field: ["Say in a few words what happened."]})
    if len(text) > limit:
        raise InvalidInput(fields={field: [f"Use at most {limit} characters."]})
    return text


@transaction.atomic
def report(booking: Booking, *, kind: str, text: str, by: User, now: datetime) -> Incident:
    """Report a safety problem of a booking: by its owner about the provider, by the team about the owner.

    Raises NotAllowed for anybody else, and DomainError ``too_many`` after five in a day. Staff are told at once.
    """
    sides = set(permissions.sides_of(by, booking))
    if not sides & {Side.OWNER, Side.PROVIDER}:
        raise NotAllowed
    User.objects.select_for_update(no_key=True).get(pk=by.pk)  # so that a burst is counted
    if Incident.objects.filter(by=by, made_at__gt=now - timedelta(days=1)).count() >= PER_DAY:
        raise DomainError("You have told us a lot today. Please call us if it is urgent.", code="too_many")
    is_owner = Side.OWNER in sides
    return _open(
        kind=kind,
        text=text,
        by=by,
        side=Side.OWNER if is_owner else Side.PROVIDER,
        booking=booking,
        provider=booking.provider if is_owner else None,
        person=None if is_owner else booking.owner,
        now=now,
    )


@transaction.atomic
def report_by_staff(
    *,
    kind: str,
    text: str,
    by: User,
    provider: Provider | None = None,
    person: User | None = None,
    booking: Booking | None = None,
    severity: int | None = None,
    now: datetime,
) -> Incident:
    """Write down what staff heard of in another way, about a provider, a person, or both."""
    if not may(by, Right.COMPLAINTS):
        raise NotAllowed
    if provider is None and person is None:
        raise InvalidInput(fields={"provider": ["Say whom it is about: a provider or a person."]})
    incident = _open(
        kind=kind, text=text, by=by, side=Side.STAFF, booking=booking, provider=provider, person=person, now=now
    )
    return follow(incident, by=by, severity=severity, now=now) if severity else incident


def _open(*, kind: str, text: str, by: User, side: Side, now: datetime, **about: object) -> Incident:
    if kind not in IncidentKind.values:
        raise InvalidInput(fields={"kind": ["Choose one of the list."]})
    incident = Incident.objects.create(
        kind=kind,
        text=_clean(text, "text", TEXT_LENGTH),
        severity=FIRST_SEVERITY.get(IncidentKind(kind), Severity.MEDIUM),
        by=by,
        side=side,
        made_at=now,
        **about,
    )
    url = reverse("admin:bookings_incident_change", args=[incident.pk])
    title = f"Safety report: {incident.get_kind_display()}"
    body = f"About {incident.provider or 'an owner'}. Severity: {incident.get_severity_display().lower()}."
    staff = User.objects.who_may(Right.COMPLAINTS)
    notices = [
        messaging.Notice(one, "incident_reported", key=f"incident:{incident.uid}", title=title, body=body, url=url)
        for one in staff
    ]
    messaging.notify_all(notices, now=now)
    return incident


@transaction.atomic
def follow(
    incident: Incident,
    *,
    by: User,
    severity: int | None = None,
    assigned_to: User | None = None,
    note: str = "",
    now: datetime,
) -> Incident:
    """Give a report to somebody of the staff, weigh it anew, or add a note. What is not given stays."""
    incident = _locked(incident, by)
    before = _facts(incident)
    if severity is not None:
        incident.severity = Severity(severity)
    if assigned_to is not None:
        if not may(assigned_to, Right.COMPLAINTS):
            raise InvalidInput(fields={"assigned_to": ["Choose somebody of the staff who works on reports."]})
        incident.assigned_to, incident.state = assigned_to, IncidentState.IN_PROGRESS
    if note.strip():
        IncidentNote.objects.create(incident=incident, by=by, text=_clean(note, "note", NOTE_LENGTH), at=now)
    incident.save(update_fields=["severity", "assigned_to", "state"])
    after = {**_facts(incident), "note": bool(note.strip())}
    audit.record(AuditAction.CHANGE_INCIDENT, by=by, target=incident, before=before, after=after, now=now)
    return incident


@transaction.atomic
def resolve(incident: Incident, *, by: User, resolution: str, now: datetime) -> Incident:
    """Close a report with what was decided. Who reported it reads that."""
    incident = _locked(incident, by)
    before = _facts(incident)
    incident.resolution = _clean(resolution, "resolution", NOTE_LENGTH)
    incident.state, incident.resolved_by, incident.resolved_at = IncidentState.RESOLVED, by, now
    incident.save(update_fields=["resolution", "state", "resolved_by", "resolved_at"])
    audit.record(AuditAction.RESOLVE_INCIDENT, by=by, target=incident, before=before, after=_facts(incident), now=now)
    if incident.by_id != by.pk:
        messaging.notify(
            incident.by,
            "incident_resolved",
            key=f"incident:{incident.uid}:resolved",
            title="We have looked at your safety report",
            body=incident.resolution,
            now=now,
        )
    return incident


def _locked(incident: Incident, by: User) -> Incident:
    if not may(by, Right.COMPLAINTS):
        raise NotAllowed
    incident = Incident.objects.select_for_update(no_key=True).get(pk=incident.pk)
    if not incident.is_open:
        raise InvalidTransition("This report is resolved already.")
    return incident


def _facts(incident: Incident) -> dict[str, object]:
    assigned = str(incident.assigned_to.uid) if incident.assigned_to else None
    return {"state": incident.state, "severity": incident.severity, "assigned_to": assigned}
