"""Checks of papers: who looked, until when, what is switched off at the end, and back on."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from django.utils import timezone

from accounts.audit import AuditEntry
from messaging.models import Notification
from petplace.errors import DomainError, InvalidInput
from providers.domain import applications, branches, checks, documents, edits, resources, services
from providers.models import ProfileEdit, Provider, VerificationDocument
from tests.factories import (
    StaffFactory,
    UserFactory,
    a_manager,
    make_branch,
    make_provider,
    make_resource,
    make_service,
)

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
# The insurance is good through this day in Berlin, and so ends at 23:00 UTC.
LAST_DAY = date(2026, 12, 1)
END = datetime(2026, 12, 1, 23, tzinfo=UTC)


def paper(provider: Provider, kind: str = "insurance", **more: Any) -> VerificationDocument:
    file = ContentFile(b"%PDF-1.4", name="x.pdf")
    return documents.add(provider, kind=kind, file=file, **({"valid_until": LAST_DAY, "now": NOW} | more))


def accept(document: VerificationDocument, **more: Any) -> VerificationDocument:
    return documents.check(document, **({"by": StaffFactory(), "is_accepted": True, "now": NOW} | more))


@pytest.fixture
def provider() -> Provider:
    found = make_provider(name="Happy Tails")
    make_service(make_branch(found))
    return found


@pytest.fixture
def insured(provider: Provider, settings: Any) -> Provider:
    settings.REQUIRED_DOCUMENTS = {"sitter": ["insurance"]}
    accept(paper(provider))
    return provider


def state_of(provider: Provider) -> tuple[str, str, bool]:
    found = Provider.objects.get(pk=provider.pk)
    return found.state, found.suspended_for, found.branches.get().is_listed


def test_a_provider_is_hidden_at_the_midnight_after_the_last_day_where_it_is(insured: Provider) -> None:
    checks.sweep(END - timedelta(minutes=1))
    assert state_of(insured) == ("approved", "", True)
    assert checks.sweep(END) == 1
    assert state_of(insured) == ("suspended", "insurance", False)
    assert checks.sweep(END + timedelta(minutes=1)) == 0
    assert VerificationDocument.objects.get().check_state == "expired"


def test_the_badge_ends_at_that_instant_even_before_the_sweep(insured: Provider) -> None:
    found = Provider.objects.get(pk=insured.pk)
    assert [badge.kind for badge in found.badges(END - timedelta(seconds=1))] == ["insurance"]
    assert found.badges(END) == []


def test_the_suspension_is_lifted_when_a_new_paper_is_checked(insured: Provider) -> None:
    checks.sweep(END)
    later = END + timedelta(days=1)
    newer = paper(insured, valid_until=date(2027, 12, 1), now=later)
    assert state_of(insured)[0] == "suspended"
    accept(newer, now=later)
    assert state_of(insured) == ("approved", "", True)
    states = insured.events.order_by("pk").values_list("from_state", "to_state", "by")
    assert list(states)[-1] == ("suspended", "approved", None)


def test_a_newer_paper_in_time_means_that_nothing_happens(insured: Provider) -> None:
    accept(paper(insured, valid_until=date(2027, 12, 1)))
    checks.sweep(END)
    assert state_of(insured)[0] == "approved"


def test_what_people_suspended_is_not_lifted_by_a_paper(insured: Provider) -> None:
    checks.sweep(END)
    applications.suspend(insured, by=StaffFactory(), now=END, reason="A complaint.")
    accept(paper(insured, valid_until=None, now=END), now=END)
    assert state_of(insured) == ("suspended", "", False)


def test_staff_cannot_reinstate_while_the_paper_is_missing(insured: Provider) -> None:
    checks.sweep(END)
    with pytest.raises(DomainError) as error:
        applications.reinstate(insured, by=StaffFactory(), now=END)
    assert error.value.code == "documents_missing"


def test_refusing_an_accepted_paper_suspends_too(insured: Provider) -> None:
    documents.check(VerificationDocument.objects.get(), by=StaffFactory(), is_accepted=False, note="Forged.", now=NOW)
    assert state_of(insured) == ("suspended", "insurance", False)


def test_a_provider_from_before_the_rule_keeps_its_place(provider: Provider, settings: Any) -> None:
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity", "insurance"]}
    accept(paper(provider))
    assert state_of(provider)[0] == "approved"


def test_only_the_services_that_need_it_go_off_sale_and_come_back(provider: Provider, settings: Any) -> None:
    settings.REQUIRED_FOR_SERVICES = {"boarding": ["licence"]}
    accept(paper(provider, "licence"))
    boarding = make_service(provider.branches.get(), kind="boarding")
    walking = provider.services.exclude(pk=boarding.pk).get()
    checks.sweep(END)
    for service in (boarding, walking):
        service.refresh_from_db()
    assert (boarding.is_active, boarding.paused_for, walking.is_active) == (False, "licence", True)
    assert state_of(provider)[0] == "approved"
    with pytest.raises(DomainError) as error:
        services.update(boarding, is_active=True, now=END)
    assert error.value.code == "document_missing"
    accept(paper(provider, "licence", valid_until=None, now=END), now=END)
    boarding.refresh_from_db()
    assert (boarding.is_active, boarding.paused_for) == (True, "")


def test_only_the_person_without_a_certificate_cannot_be_booked(provider: Provider, settings: Any) -> None:
    settings.REQUIRED_OF_STAFF = {"sitter": ["first_aid"]}
    branch = provider.branches.get()
    ann, ben = make_resource(branch, name="Ann"), make_resource(branch, name="Ben")
    assert (ann.is_active, ann.paused_for) == (False, "first_aid")
    accept(paper(provider, "first_aid", resource=ann))
    for person in (ann, ben):
        person.refresh_from_db()
    assert (ann.is_active, ben.is_active) == (True, False)
    with pytest.raises(DomainError):
        resources.update(ben, is_active=True)
    checks.sweep(END)
    ann.refresh_from_db()
    assert (ann.is_active, ann.paused_for) == (False, "first_aid")


def test_reminders_come_30_7_and_1_days_before_once_each(insured: Provider) -> None:
    manager = a_manager(insured)
    for days in (40, 30, 20, 7, 7, 3, 1, 0.5):
        checks.sweep(END - timedelta(days=days))
    found = Notification.objects.filter(user=manager, kind="provider_document_expiring")
    assert found.count() == 3
    assert VerificationDocument.objects.get().reminded_days == 1


def test_no_reminder_when_the_next_paper_is_there(insured: Provider) -> None:
    paper(insured, valid_until=date(2027, 12, 1))
    checks.sweep(END - timedelta(days=5))
    assert not Notification.objects.filter(kind="provider_document_expiring").exists()


def test_a_check_says_who_when_and_until_when(provider: Provider) -> None:
    staff, document = StaffFactory(), paper(provider, valid_until=None)
    accept(document, by=staff, valid_until=LAST_DAY, note="Number 7.")
    document.refresh_from_db()
    assert (document.checked_by, document.checked_at, document.valid_until) == (staff, NOW, LAST_DAY)
    assert (document.expires_at, document.check_note) == (END, "Number 7.")
    entry = AuditEntry.objects.get(action="check_document")
    assert (entry.actor_uid, entry.after["valid_until"]) == (staff.uid, "2026-12-01")


def test_a_paper_that_has_run_out_cannot_be_accepted(provider: Provider) -> None:
    with pytest.raises(InvalidInput):
        accept(paper(provider), now=END)


def test_a_moved_zone_moves_the_end(insured: Provider) -> None:
    branches.update(insured.branches.get(), now=NOW, time_zone="America/New_York")
    assert VerificationDocument.objects.get().expires_at == datetime(2026, 12, 2, 5, tzinfo=UTC)
    assert "2026-12-02T05:00" in Provider.objects.get(pk=insured.pk).checked[0]["expires_at"]


def test_the_checklist_says_what_is_missing(insured: Provider, settings: Any) -> None:
    settings.REQUIRED_DOCUMENTS = {"sitter": ["identity", "insurance"]}
    lines = checks.checklist(Provider.objects.get(pk=insured.pk))
    assert [(line.kind, line.state) for line in lines] == [("identity", "missing"), ("insurance", "accepted")]


# --- Sensitive edits ----------------------------------------------------------------------------


def test_a_new_name_counts_at_once_and_waits_for_a_look(provider: Provider) -> None:
    applications.update(provider, by=a_manager(provider), now=NOW, name="Other Name")
    [edit] = ProfileEdit.objects.all()
    assert (edit.field, edit.before, edit.after, edit.is_open) == (
        "name", {"name": "Happy Tails"}, {"name": "Other Name"}, True,
    )  # fmt: skip
    assert state_of(provider)[0] == "approved"


def test_an_edit_can_be_kept_or_put_back_once(provider: Provider) -> None:
    applications.update(provider, by=a_manager(provider), now=NOW, name="Other Name")
    edit, staff = ProfileEdit.objects.get(), StaffFactory()
    with pytest.raises(InvalidInput):
        edits.decide(edit, by=staff, is_kept=False, now=NOW)
    edits.decide(edit, by=staff, is_kept=False, note="Taken by another.", now=NOW)
    assert Provider.objects.get(pk=provider.pk).name == "Happy Tails"
    assert Notification.objects.filter(kind="provider_edit_undone").count() == 1
    assert AuditEntry.objects.get(action="review_edit").after["restored"] is True
    with pytest.raises(DomainError):
        edits.decide(edit, by=staff, is_kept=True, now=NOW)


def test_an_address_is_put_back_with_its_point(provider: Provider) -> None:
    branch = provider.branches.get()
    old = (branch.address, branch.latitude, branch.approximate_latitude)
    branches.update(branch, now=NOW, address="Elsewhere 2", latitude=52.4)
    edits.decide(ProfileEdit.objects.get(), by=StaffFactory(), is_kept=False, note="Not there.", now=NOW)
    branch.refresh_from_db()
    assert (branch.address, branch.latitude, branch.approximate_latitude) == old


def test_what_was_changed_again_is_not_overwritten(provider: Provider) -> None:
    applications.update(provider, by=None, now=NOW, name="Second")
    applications.update(provider, by=None, now=NOW, name="Third")
    edits.decide(ProfileEdit.objects.earliest("pk"), by=StaffFactory(), is_kept=False, note="No.", now=NOW)
    assert Provider.objects.get(pk=provider.pk).name == "Third"


def test_a_document_after_approval_is_queued_and_decided_by_its_check(provider: Provider) -> None:
    document = paper(provider)
    edit = ProfileEdit.objects.get()
    with pytest.raises(DomainError):
        edits.decide(edit, by=StaffFactory(), is_kept=True, now=NOW)
    accept(document)
    edit.refresh_from_db()
    assert (edit.is_open, edit.is_kept) == (False, True)


# --- Looking at papers --------------------------------------------------------------------------


def views() -> int:
    return AuditEntry.objects.filter(action="view_document").count()


def test_a_paper_is_served_by_a_short_lived_address_to_its_person_and_each_view_is_recorded(
    client: Any, provider: Provider
) -> None:
    document, staff = paper(provider, now=timezone.now(), valid_until=None), StaffFactory()
    client.force_login(staff)
    answer = client.get(reverse("provider:document_file", args=[document.uid]))
    assert (answer.status_code, "no-store" in answer["Cache-Control"], views()) == (302, True, 0)
    served = client.get(answer.url)
    assert (served.status_code, "no-store" in served["Cache-Control"], views()) == (200, True, 1)
    for other in (UserFactory(), a_manager(make_provider()), StaffFactory()):
        client.force_login(other)
        assert client.get(answer.url).status_code == 404
    client.logout()
    assert client.get(answer.url).status_code == 404
    assert views() == 1


def test_the_address_dies_after_five_minutes(client: Any, provider: Provider, monkeypatch: Any) -> None:
    document, staff = paper(provider, now=timezone.now(), valid_until=None), StaffFactory()
    client.force_login(staff)
    url = client.get(reverse("provider:document_file", args=[document.uid])).url
    monkeypatch.setattr(documents, "LINK_LIFE", timedelta(seconds=-1))
    assert client.get(url).status_code == 404
    assert views() == 0


def test_a_link_of_the_api_opens_without_a_session_until_the_right_is_gone(client: Any, provider: Provider) -> None:
    document, manager = paper(provider), a_manager(provider)
    token = documents.link_token(document, user=manager, needs_session=False)
    url = reverse("provider:document_open", args=[token])
    assert client.get(url).status_code == 200
    assert client.get(f"{url[:-3]}x/").status_code == 404
    manager.memberships.all().delete()
    assert client.get(url).status_code == 404
    assert views() == 1


def test_the_queue_of_papers_is_decided_in_the_administration(client: Any, provider: Provider) -> None:
    document = paper(provider)
    client.force_login(StaffFactory())
    url = reverse("admin:providers_verificationdocument_change", args=[document.pk])
    assert client.get(reverse("admin:providers_verificationdocument_changelist")).status_code == 200
    client.post(url, {"decision": "True", "valid_until": "2030-01-31", "note_to_provider": "Good."})
    document.refresh_from_db()
    assert (document.check_state, document.valid_until, document.check_note) == ("accepted", date(2030, 1, 31), "Good.")


def test_the_queue_of_edits_is_decided_in_the_administration(client: Any, provider: Provider) -> None:
    applications.update(provider, by=None, now=NOW, name="Other Name")
    edit = ProfileEdit.objects.get()
    client.force_login(StaffFactory())
    assert b"Other Name" in client.get(reverse("admin:providers_profileedit_changelist")).content
    url = reverse("admin:providers_profileedit_change", args=[edit.pk])
    assert client.post(url, {"is_kept": "False", "note": ""}).status_code == 200
    client.post(url, {"is_kept": "False", "note": "Taken."})
    edit.refresh_from_db()
    assert (edit.is_kept, Provider.objects.get(pk=provider.pk).name) == (False, "Happy Tails")


def test_the_rules_and_the_figures_are_one_tap_away(client: Any, insured: Provider) -> None:
    page = client.get(insured.get_absolute_url()).content.decode()
    assert "Insured" in page
    assert "valid until Dec 1, 2026" in page
    assert "A liability policy" in page
    rules = client.get(reverse("trust")).content.decode()
    assert 'id="insurance"' in rules
    assert 'id="reliable"' in rules
