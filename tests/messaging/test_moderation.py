"""Reports and staff's queue; what is left when an account is closed."""

import datetime as dt

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.domain import closing
from accounts.models import AuditEntry
from messaging.domain import moderation
from messaging.models import Block, Conversation, Message, Notification, Report, Seat, StaffLook
from petplace import invariants
from petplace.errors import DomainError, InvalidInput, NotAllowed
from petplace.uploads import clean_photo
from tests.factories import NOW, StaffFactory, UserFactory, a_manager, make_talk, write
from tests.uploads_corpus import photo

pytestmark = pytest.mark.django_db


@pytest.fixture
def talk() -> Conversation:
    return make_talk(now=timezone.now())


def report(talk: Conversation, **fields: object) -> Report:
    return moderation.report(talk, by=talk.owner, reason="rude", now=timezone.now(), **fields)  # type: ignore[arg-type]


def test_a_report_tells_staff_and_keeps_the_words(talk: Conversation) -> None:
    staff = StaffFactory()
    message = write(talk, a_manager(talk.provider), "You fool", now=timezone.now())
    made = report(talk, message=message, text="See above.")
    assert (made.quote, made.side) == ("You fool", "owner")
    assert Notification.objects.filter(user=staff, kind="conversation_report").count() == 1
    with pytest.raises(DomainError) as caught:
        report(talk)
    assert caught.value.code == "already_reported"


def test_what_cannot_be_reported(talk: Conversation) -> None:
    elsewhere = Message.objects.get(conversation=make_talk())
    for fields in ({"reason": "boredom"}, {"text": "x" * 2001}, {"message": elsewhere}):
        with pytest.raises(InvalidInput):
            moderation.report(talk, **({"by": talk.owner, "reason": "rude", "now": NOW} | fields))
    with pytest.raises(NotAllowed):
        moderation.report(talk, by=UserFactory(), reason="rude", now=NOW)
    with pytest.raises(NotAllowed):
        moderation.block(talk, by=UserFactory())


def test_staff_reads_a_reported_talk_for_an_hour_and_leaves_a_trace(talk: Conversation) -> None:
    write(talk, talk.owner, "A secret of ours", now=timezone.now())
    made, staff = report(talk), StaffFactory()
    client = Client()
    client.force_login(staff)
    listed = client.get(reverse("admin:messaging_report_changelist")).content.decode()
    assert "Waits" in listed
    assert (
        "A secret of ours" not in client.get(reverse("admin:messaging_report_change", args=[made.pk])).content.decode()
    )
    page = reverse("admin:messaging_report_conversation", args=[made.pk])
    assert client.get(page).status_code == 302
    assert client.get(reverse("admin:messaging_report_look", args=[made.pk])).status_code == 405
    assert client.post(reverse("admin:messaging_report_look", args=[made.pk]))["Location"] == page
    assert "A secret of ours" in client.get(page).content.decode()
    assert StaffLook.objects.get().by == staff
    StaffLook.objects.update(at=timezone.now() - dt.timedelta(minutes=61))
    assert client.get(page).status_code == 302
    assert client.get(reverse("admin:messaging_report_conversation", args=[made.pk + 1])).status_code == 404


def test_people_without_the_right_see_no_reports(talk: Conversation) -> None:
    made, helper = report(talk), UserFactory(is_staff=True)
    client = Client()
    client.force_login(helper)
    assert client.post(reverse("admin:messaging_report_look", args=[made.pk])).status_code == 403
    with pytest.raises(NotAllowed):
        moderation.look(made, by=talk.owner, now=NOW)
    with pytest.raises(NotAllowed):
        moderation.close(made, by=talk.owner, outcome="x", now=NOW)


def test_staff_closes_a_report_and_who_made_it_reads_what_was_done(talk: Conversation) -> None:
    made, staff = report(talk), StaffFactory()
    client = Client()
    client.force_login(staff)
    form = {"outcome": "We have talked to them.", "looks-TOTAL_FORMS": 0, "looks-INITIAL_FORMS": 0}
    assert client.post(reverse("admin:messaging_report_change", args=[made.pk]), form).status_code == 302
    made.refresh_from_db()
    assert (made.closed_by, made.outcome, made.is_open) == (staff, "We have talked to them.", False)
    note = Notification.objects.get(user=talk.owner, kind="conversation_report_closed")
    assert note.body == "We have talked to them."
    with pytest.raises(DomainError) as caught:
        moderation.close(made, by=staff, outcome="Again", now=NOW)
    assert caught.value.code == "already_closed"
    with pytest.raises(InvalidInput):
        moderation.close(report(talk), by=staff, outcome=" ", now=NOW)
    assert client.get(reverse("admin:messaging_report_change", args=[made.pk])).status_code == 200


def test_staff_takes_a_reported_message_out_and_its_words_stay_in_the_report(talk: Conversation) -> None:
    manager, staff = a_manager(talk.provider), StaffFactory()
    message = write(talk, manager, "You fool", now=timezone.now())
    made = report(talk, message=message)
    client = Client()
    client.force_login(staff)
    address = reverse("admin:messaging_report_change", args=[made.pk])
    assert "Remove the message" in client.get(address).content.decode()
    form = {"outcome": "Gone.", "removes_message": "on", "looks-TOTAL_FORMS": 0, "looks-INITIAL_FORMS": 0}
    assert client.post(address, form).status_code == 302
    made.refresh_from_db()
    message.refresh_from_db()
    assert (made.is_open, made.quote, message.text, message.is_removed) == (False, "You fool", "", True)
    assert AuditEntry.objects.get(action="resolve_report").after["message_removed"]
    client.force_login(manager)
    page = client.get(reverse("provider:conversation", args=[talk.provider.slug, talk.uid])).content.decode()
    assert "This message was removed." in page
    assert "You fool" not in page


def test_only_a_reported_message_can_be_taken_out(talk: Conversation) -> None:
    staff, made = StaffFactory(), report(talk)
    with pytest.raises(InvalidInput):
        moderation.close(made, by=staff, outcome="Gone.", removes_message=True, now=NOW)
    client = Client()
    client.force_login(staff)
    page = client.get(reverse("admin:messaging_report_change", args=[made.pk])).content.decode()
    assert "Remove the message" not in page


def test_a_closed_account_leaves_no_words(
    talk: Conversation, settings: object, tmp_path: object, django_capture_on_commit_callbacks: object
) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    owner, manager = talk.owner, a_manager(talk.provider)
    sent = write(talk, owner, "My words", photo=clean_photo(SimpleUploadedFile("a.jpg", photo())), now=timezone.now())
    write(talk, manager, "Theirs", now=timezone.now())
    moderation.block(talk, by=owner)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        closing.close(owner, now=timezone.now())
    kept = Message.objects.get(pk=sent.pk)
    assert (kept.text, bool(kept.photo), kept.is_removed) == ("", False, True)
    assert not sent.photo.storage.exists(sent.photo.name)
    talk.refresh_from_db()
    assert talk.is_closed(timezone.now())
    assert not Block.objects.exists()
    assert not Seat.objects.filter(user=owner).exists()
    client = Client()
    client.force_login(manager)
    page = client.get(reverse("provider:conversation", args=[talk.provider.slug, talk.uid])).content.decode()
    assert "This message was removed." in page
    assert "My words" not in page
    assert "Theirs" in page
    assert [str(finding) for finding in invariants.check() if not finding.is_ok and "wrote" in str(finding)] == []
