"""Safety reports: who may make them, how staff follow them, and what stays on record."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.audit import AuditEntry
from bookings.domain import incidents
from bookings.models import Booking, Incident
from messaging.models import Notification
from petplace.errors import DomainError, InvalidInput, InvalidTransition, NotAllowed
from tests.factories import NOW, StaffFactory, UserFactory, make_booking, manager_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def booking() -> Booking:
    return make_booking()


def made(booking: Booking, **more: Any) -> Incident:
    given = {"kind": "injury", "text": "The dog was bitten.", "by": booking.owner, "now": NOW}
    return incidents.report(booking, **(given | more))


def test_the_owner_reports_the_provider_and_the_team_the_owner(booking: Booking) -> None:
    mine, theirs = made(booking), made(booking, by=manager_of(booking), kind="other")
    assert (mine.side, mine.provider, mine.person, mine.severity) == ("owner", booking.provider, None, 3)
    assert (theirs.side, theirs.provider, theirs.person, theirs.severity) == ("provider", None, booking.owner, 2)
    with pytest.raises(NotAllowed):
        made(booking, by=UserFactory())


def test_staff_are_told_at_once_and_see_the_most_severe_first(booking: Booking) -> None:
    staff = StaffFactory()
    made(booking, kind="other")
    made(booking, kind="lost_pet", now=NOW + timedelta(hours=1))
    assert Notification.objects.filter(user=staff, kind="incident_reported").count() == 2
    assert [one.kind for one in Incident.objects.waiting()] == ["lost_pet", "other"]


def test_nobody_reports_more_than_five_times_a_day(booking: Booking) -> None:
    for _ in range(incidents.PER_DAY):
        made(booking)
    with pytest.raises(DomainError) as error:
        made(booking)
    assert error.value.code == "too_many"
    made(booking, now=NOW + timedelta(days=1, seconds=1))


def test_staff_take_it_note_it_and_resolve_it_once(booking: Booking) -> None:
    incident, staff = made(booking), StaffFactory()
    incidents.follow(incident, by=staff, assigned_to=staff, severity=4, note="Called both.", now=NOW)
    incident.refresh_from_db()
    assert (incident.state, incident.severity, incident.notes.get().text) == ("in_progress", 4, "Called both.")
    incidents.resolve(incident, by=staff, resolution="The provider left us.", now=NOW)
    told = Notification.objects.get(user=booking.owner, kind="incident_resolved")
    assert told.body == "The provider left us."
    entries = AuditEntry.objects.filter(action__endswith="_incident").order_by("pk")
    assert list(entries.values_list("action", flat=True)) == [
        "change_incident", "resolve_incident",
    ]  # fmt: skip
    with pytest.raises(InvalidTransition):
        incidents.resolve(incident, by=staff, resolution="Again.", now=NOW)


def test_only_staff_follow_and_are_given_reports(booking: Booking) -> None:
    incident = made(booking)
    with pytest.raises(NotAllowed):
        incidents.follow(incident, by=booking.owner, note="Me.", now=NOW)
    with pytest.raises(InvalidInput):
        incidents.follow(incident, by=StaffFactory(), assigned_to=booking.owner, now=NOW)
    with pytest.raises(NotAllowed):
        incidents.report_by_staff(kind="other", text="x", by=booking.owner, provider=booking.provider, now=NOW)
    with pytest.raises(InvalidInput):
        incidents.report_by_staff(kind="other", text="x", by=StaffFactory(), now=NOW)


@pytest.mark.parametrize("wrong", [{"kind": "nonsense"}, {"text": "  "}, {"text": "x" * 4001}])
def test_nonsense_is_named(booking: Booking, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as error:
        made(booking, **wrong)
    assert list(error.value.fields) == list(wrong)


def test_the_database_wants_somebody_and_a_resolver(booking: Booking) -> None:
    incident = made(booking)
    for wrong in ({"provider": None}, {"state": "resolved"}, {"severity": 9}, {"text": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Incident.objects.filter(pk=incident.pk).update(**wrong)


def test_the_page_serves_both_sides_and_nobody_else(client: Any, booking: Booking) -> None:
    url = reverse("bookings:incident", args=[booking.reference])
    for person in (booking.owner, manager_of(booking)):
        client.force_login(person)
        assert client.get(url).status_code == 200
        assert client.post(url, {"kind": "other", "text": "It went wrong."}).status_code == 302
    assert client.post(url, {"kind": "other", "text": ""}).status_code == 200
    client.force_login(UserFactory())
    assert client.post(url, {"kind": "other", "text": "Not mine."}).status_code == 404
    assert Incident.objects.count() == 2


def test_the_queue_in_the_administration(client: Any, booking: Booking) -> None:
    incident, staff = made(booking), StaffFactory()
    client.force_login(staff)
    assert b"was hurt" in client.get(reverse("admin:bookings_incident_changelist")).content
    url = reverse("admin:bookings_incident_change", args=[incident.pk])
    assert client.get(url).status_code == 200
    notes = {"notes-TOTAL_FORMS": "0", "notes-INITIAL_FORMS": "0"}
    answer = {"severity": "4", "assigned_to": staff.pk, "note": "Called.", "resolution": "Settled."}
    assert client.post(url, answer | notes).status_code == 302
    incident.refresh_from_db()
    assert (incident.state, incident.severity, incident.resolved_by) == ("resolved", 4, staff)
    assert client.get(url).status_code == 200
    new = {"kind": "fraud", "severity": "2", "provider": booking.provider_id, "text": "By telephone."}
    assert client.post(reverse("admin:bookings_incident_add"), new | notes).status_code == 302
    assert Incident.objects.get(kind="fraud").side == "staff"
