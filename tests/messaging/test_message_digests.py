"""Mails about talks: one for a burst, written from what is unread when it goes out, to nobody who may not read it."""

import datetime as dt

import pytest
from django.core import mail

from messaging.choices import Side
from messaging.domain import conversations, moderation, outbox
from messaging.models import Notification
from providers.domain import team
from tests.factories import NOW, UserFactory, a_manager, make_talk, write

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)
SENDS = NOW + 5 * MINUTE


@pytest.fixture
def talk():
    talk = make_talk()
    a_manager(talk.provider)
    return talk


def mails(now=SENDS):
    outbox.deliver_due(now=now)
    return [message for message in mail.outbox if "wrote" in message.subject or "messages from" in message.subject]


def test_a_burst_is_one_notification_and_one_mail_with_all_of_it(talk):
    for number in range(7):
        write(talk, talk.owner, f"Line {number}", now=NOW + number * dt.timedelta(seconds=1))

    told = Notification.objects.get(kind="message")
    assert (told.count, told.title) == (7, f"7 messages from {talk.owner.get_full_name()}")
    [sent] = mails()
    assert sent.subject == told.title
    assert "The newest 5 of 7:" in sent.body
    assert [f"Line {number}" in sent.body for number in range(7)] == [False, False, *[True] * 5]


def test_one_message_is_told_as_it_is(talk):
    write(talk, a_manager(talk.provider), "Bring his blanket")

    [sent] = mails()
    assert sent.subject.endswith(f"of {talk.provider.name} wrote to you")
    assert (sent.to, "Bring his blanket" in sent.body) == ([talk.owner.email], True)


def test_nothing_is_mailed_of_what_was_read_meanwhile(talk):
    write(talk, a_manager(talk.provider), "Bring his blanket")
    conversations.read(talk, by=talk.owner, upto=9, now=NOW + MINUTE)

    assert mails() == []


def test_former_members_and_the_blocked_get_no_mail_of_what_was_said_before(talk):
    member = UserFactory()
    membership = team.add(talk.provider, email=member.email, by=None)
    write(talk, talk.owner, "For the team")
    team.remove(membership, by=None)
    assert [sent.to for sent in mails()] == [[a_manager(talk.provider).email]]

    mail.outbox.clear()
    write(talk, a_manager(talk.provider), "For the owner", now=SENDS)
    moderation.block(talk, by=a_manager(talk.provider), side=Side.PROVIDER)
    assert mails(SENDS + 5 * MINUTE) == []
