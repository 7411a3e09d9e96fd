"""Mails: harmless whatever people call themselves, whole as plain text, and every declared kind has its texts."""

import datetime as dt
import email
from email.policy import default as modern
from html.parser import HTMLParser

import pytest
import time_machine
from django.conf import settings
from django.core import mail
from django.template.loader import get_template

from bookings import mails as booking_mails
from bookings.domain import lifecycle, reschedule
from bookings.models import Booking
from messaging import kind_table, kinds, mails
from messaging.channels.base import Action
from messaging.domain import notify, outbox
from messaging.models import Channel
from pets.models import Pet
from providers.models import Provider, Service
from tests.factories import NOW, UserFactory, make_booking, make_service, manager_of
from tests.messaging.conftest import TESTED

HOUR = dt.timedelta(hours=1)
PAYLOADS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>', "'><b onclick=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>", "</td></table><iframe src=//x>", "</title><style>*{display:none}</style>",
    "{{ settings.SECRET_KEY }}", "{% debug %}", "javascript:alert(1)", "<!--", "]]><x>", "&lt;script&gt;",
    "<base href=//x>",
]  # fmt: skip
BREAKS = [
    "A\r\nBcc: all@evil.test",
    "A\nSubject: B",
    "A\r\n\r\n<html>",
    "A\x0bB",
    "A\u2028B",
    "A\x85B",
    "A\x00B",
    "A\tB",
]
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "a", "span", "h1", "p", "br",
}  # fmt: skip


class Seen(HTMLParser):
    """Which elements, handlers and addresses a mail really has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.bad: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("href", "src") and not (value or "").startswith("http://localhost")):
                self.bad.append(f"{tag} {name}={value}")


def sent_for(user, moment=NOW):
    with time_machine.travel(moment, tick=False):
        outbox.deliver_due(now=moment)
    return [one for one in mail.outbox if one.to == [user.email]]


@pytest.mark.django_db
@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_people_type_is_inert_in_every_mail_of_a_booking(payload):
    booking = make_booking(make_service(), state="pending", note=payload)
    type(booking.owner).objects.filter(pk=booking.owner_id).update(full_name=payload)
    Pet.objects.update(name=payload)
    Provider.objects.update(name=payload)
    Service.objects.update(name=payload)
    booking = Booking.objects.get(pk=booking.pk)
    lifecycle.accept(booking, by=manager_of(booking), now=NOW)
    lifecycle.cancel(booking, by=manager_of(booking), reason=payload, now=NOW)

    for user in (booking.owner, manager_of(booking)):
        for one in sent_for(user):
            seen = Seen(one.alternatives[0].content)
            assert seen.tags <= ALLOWED
            assert seen.bad == []
    cancelled = [one for one in mail.outbox if one.subject.startswith("Cancelled")]
    assert len(cancelled) == 2
    assert all(payload in one.body for one in cancelled)  # plain text says it as it was typed
    assert settings.SECRET_KEY not in "".join(one.body + one.alternatives[0].content for one in mail.outbox)


@pytest.mark.django_db
@pytest.mark.parametrize("name", BREAKS)
def test_a_line_break_in_a_name_adds_no_header(name):
    user = UserFactory(full_name=name.replace("\x00", ""))
    title = f"{name} asks".replace("\x00", "\x07")  # the database takes no NUL
    notify(user, "review_written", key="k", title=title, body=title, now=NOW, channels=(Channel.EMAIL,))

    [one] = sent_for(user)

    got = email.message_from_bytes(one.message().as_bytes(), policy=modern)
    assert got["Bcc"] is None
    assert len(got.get_all("Subject")) == 1
    assert got["Subject"].split()[-1] == "asks"
    assert got["To"] == user.email
    assert {part.get_content_type() for part in got.iter_parts()} == {"text/plain", "text/html"}


def test_control_characters_leave_one_line():
    assert mails.one_line("A\r\nB\x00C\u2028D\x1b[0m  E") == "A B C D [0m E"


@pytest.mark.parametrize("kind", kinds.all(), ids=lambda kind: kind.name)
def test_every_kind_has_its_texts(kind):
    words = {
        "title": "A title", "body": "A body.", "name": "Anna", "link": "http://localhost:8000/x/",
        "actions": [Action("Do it", "http://localhost:8000/y/", "do")], "unsubscribe_url": "http://localhost:8000/z/",
        "facts": [("When", "tomorrow")], "lines": [("In all", "€5.00", True)], "note": "A note.",
    }  # fmt: skip
    made = mails.render(kind, words)
    assert made.subject.startswith("A title")
    for whole in (made.text, made.html):
        for part in ("A body.", "Anna", "/x/", "Do it", "/y/", "tomorrow", "€5.00", "A note.", "/z/"):
            assert part in whole, (kind.name, part)
    assert "<" not in made.text
    assert len([line for line in made.html.splitlines() if len(line) > 998]) == 0  # RFC 5322, 2.1.1


def test_every_folder_of_texts_is_whole_and_used():
    folders = {kind.template for kind in kinds.all()} | {""}
    for folder in folders:
        for name in mails.FILES:
            get_template(f"{mails.FOLDER}/{folder or mails.GENERIC}/{name}")
    there = {path.name for path in (settings.BASE_DIR / "templates" / mails.FOLDER).iterdir() if path.is_dir()}
    assert there == {folder or mails.GENERIC for folder in folders}


def test_the_table_in_the_documentation_is_true(monkeypatch):
    monkeypatch.setattr(kinds, "_kinds", {name: kind for name, kind in kinds._kinds.items() if name not in TESTED})
    document = (settings.BASE_DIR / "docs" / "notifications.md").read_text()
    assert document == kind_table.put_into(document), "run: manage.py notification_kinds --write"


@pytest.mark.django_db
def test_a_confirmed_booking_comes_with_facts_price_and_calendar_file(time_machine):
    time_machine.move_to(NOW)
    booking = make_booking(make_service(is_instant=True))
    [one] = [one for one in sent_for(booking.owner) if one.subject.startswith("Booked")]
    assert one.subject == "Booked: A walking service, Wed, Nov 18, 15:00 (Europe/Berlin)"
    for part in (booking.reference, "In all: €25.00", "If plans change: ", booking.service.branch.address, "Move it:"):
        assert part in one.body
    [(name, content, kind)] = one.attachments
    assert (name, kind) == (f"{booking.reference}.ics", "text/calendar")
    assert f"UID:{booking.uid}@bookings.petplace" in content
    assert "STATUS:CONFIRMED" in content


@pytest.mark.django_db
def test_a_cancelled_booking_is_struck_out_of_the_calendar_and_says_what_stays():
    booking = make_booking(make_service(is_instant=True))
    lifecycle.cancel(booking, by=booking.owner, now=NOW + 4 * HOUR)
    [one] = [one for one in sent_for(booking.owner, NOW + 4 * HOUR) if one.subject.startswith("Cancelled")]
    assert "By the cancellation terms stays: €12.50" in one.body
    assert "STATUS:CANCELLED" in one.attachments[0][1]
    assert "/bookings/link/" not in one.body


@pytest.mark.django_db
def test_the_exact_address_is_not_told_before_it_is_agreed():
    booking = make_booking(make_service(), state="pending")
    for one in sent_for(booking.owner):
        assert booking.service.branch.address not in one.body + one.alternatives[0].content


@pytest.mark.django_db
def test_buttons_are_those_of_the_time_that_the_message_speaks_of():
    booking = make_booking(make_service(), state="pending")
    old = manager_of(booking).notifications.get(kind="team_requested")
    with time_machine.travel(NOW, tick=False):
        assert booking_mails.button("accept", old) is not None
        reschedule.move(booking, by=booking.owner, starts_at=booking.starts_at + 24 * HOUR, now=NOW)
        old = manager_of(booking).notifications.get(kind="team_requested")
        assert booking_mails.button("accept", old) is None
