"""Bundles that grow, mails that tell of what is still unread, reminders that move."""

import datetime as dt

import pytest
from django.core import mail

from messaging import kinds
from messaging.channels.base import Action, Attachment
from messaging.choices import Channel, DeliveryState
from messaging.domain import cancel, move, notify, outbox, read, read_all, read_bundle, rendering
from messaging.domain.rendering import Text
from messaging.kinds import Kind, Urgency
from messaging.models import Delivery, Notification
from tests.bursts import burst
from tests.factories import UserFactory

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
BY_MAIL = (Channel.IN_APP, Channel.EMAIL)


@pytest.fixture(autouse=True)
def _chat(_kinds, monkeypatch):
    chat = Kind("chat", "Chat", "messages", BY_MAIL, digest_minutes=5)
    calm = Kind("calm", "Calm", "bookings", BY_MAIL)
    now = Kind("now", "Now", "bookings", BY_MAIL, urgency=Urgency.URGENT)
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, "chat": chat, "calm": calm, "now": now})


def say(user, key, now=NOW, **options):
    options = {"title": f"Anna: {key}", "title_many": "{count} messages from Anna", "body": key} | options
    return notify(user, "chat", key=key, bundle="conversation:1", now=now, **options)


def only(user):
    return Notification.objects.get(user=user)


# --- Bundles ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_comes_while_one_is_unread_joins_it():
    user = UserFactory(time_zone="UTC")
    say(user, "a")

    assert say(user, "b", NOW + MINUTE) is None
    assert say(user, "c", NOW + 2 * MINUTE, url="/messages/1/") is None

    one = only(user)
    assert (one.count, one.title, one.body, one.url, one.due_at) == (
        3, "3 messages from Anna", "c", "/messages/1/", NOW + 2 * MINUTE,
    )  # fmt: skip
    assert dict(one.deliveries.values_list("channel", "due_at")) == {"in_app": NOW, "email": NOW + 5 * MINUTE}


@pytest.mark.django_db
def test_the_same_key_again_changes_nothing():
    user = UserFactory()
    for key in ("a", "a", "b", "b"):
        say(user, key)

    assert only(user).count == 2


@pytest.mark.django_db
def test_what_comes_after_reading_opens_the_next():
    user = UserFactory()
    first = say(user, "a")
    read(first, now=NOW)

    second = say(user, "b")

    assert (second.count, second.title) == (1, "Anna: b")
    assert Notification.objects.filter(user=user).count() == 2


@pytest.mark.django_db
def test_bundles_of_others_are_others():
    first, second = UserFactory(), UserFactory()
    say(first, "a")
    say(second, "a")
    notify(first, "chat", key="z", bundle="conversation:2", title="x", body="y", now=NOW)

    assert sorted(Notification.objects.values_list("user", "count")) == sorted(
        [(first.pk, 1), (first.pk, 1), (second.pk, 1)]
    )


@pytest.mark.django_db
def test_one_mail_tells_of_all_and_none_of_what_was_read():
    reader, busy = UserFactory(time_zone="UTC"), UserFactory(time_zone="UTC")
    for user in (reader, busy):
        say(user, "a")
        say(user, "b")
    read_bundle(reader, "conversation:1", now=NOW + MINUTE)

    outbox.deliver_due(now=NOW + 5 * MINUTE)

    assert [(one.to, one.subject) for one in mail.outbox] == [([busy.email], "2 messages from Anna")]
    skipped = Delivery.objects.get(notification__user=reader, channel="email")
    assert (skipped.state, skipped.last_error) == (DeliveryState.SKIPPED, "Read in the app before it was sent.")


@pytest.mark.django_db
def test_reading_marks_only_the_own_bundle():
    user, other = UserFactory(), UserFactory()
    say(user, "a")
    say(other, "a")

    assert read_bundle(user, "conversation:1", now=NOW) == 1
    assert read_bundle(user, "conversation:1", now=NOW) == 0
    assert only(other).read_at is None


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_one_notification_that_counts_them_all():
    users = [UserFactory() for _ in range(4)]

    def write(number):
        for user in users if number % 2 else reversed(users):
            say(user, f"k{number}")

    burst(8, write)

    assert sorted(Notification.objects.values_list("user", "count")) == [(user.pk, 8) for user in users]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_between_reading_and_writing():
    user = UserFactory()

    def act(number):
        if number % 4 == 3:
            return read_all(user, now=NOW + HOUR) and 0
        say(user, f"k{number}")
        return 1

    said = sum(sum(burst(8, act)) for act in [act])

    assert sum(Notification.objects.filter(user=user).values_list("count", flat=True)) == said == 6


# --- Texts at the moment of sending -------------------------------------------------------------


@pytest.fixture
def hooks(monkeypatch):
    for name in ("_texts", "_actions", "_attachers"):
        monkeypatch.setattr(rendering, name, {})


@pytest.mark.django_db
def test_text_links_and_files_are_made_when_it_is_sent(hooks, settings):
    settings.SITE_URL = "https://pets.example.test"
    rendering.register_text("test", lambda one: Text(f"Now: {one.title}", "As of\nnow.", context={"name": "Everybody"}))
    rendering.register_action("accept", lambda one: Action("Accept", "https://pets.example.test/l/1", "accept"))
    rendering.register_action("decline", lambda one: None)
    rendering.register_attachments("test", lambda one: [Attachment("visit.ics", b"BEGIN:VCALENDAR", "text/calendar")])
    notify(
        UserFactory(), "test", key="k", title="A\nvisit", body="-", actions=("accept", "decline", "strange"), now=NOW
    )

    outbox.deliver_due(now=NOW)

    [sent] = mail.outbox
    assert sent.subject == "Now: A visit"
    assert "As of\nnow." in sent.body
    assert "Hello Everybody," in sent.body
    assert [(file.filename, file.mimetype) for file in sent.attachments] == [("visit.ics", "text/calendar")]
    assert sent.extra_headers["List-Unsubscribe"].startswith("<https://pets.example.test/")
    assert sent.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.django_db
def test_a_text_that_has_nothing_left_to_say_is_not_sent(hooks):
    rendering.register_text("test", lambda one: None)
    notify(UserFactory(), "test", key="k", title="A", body="B", now=NOW)

    assert outbox.deliver_due(now=NOW).skipped == 1
    assert mail.outbox == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("options", "short"),
    [
        ({"title": "Rex", "body": "is  here"}, "Rex. is here"),
        ({"title": "Rex", "body": "x" * 300}, f"Rex. {'x' * 154}…"),
        ({"title": "Rex", "body": "-", "short": "y" * 200}, f"{'y' * 159}…"),
    ],
)
def test_a_short_text_has_160_characters_at_most(options, short):
    one = notify(UserFactory(), "test", key="k", now=NOW, **options)

    parcel = rendering.parcel(one.deliveries.select_related("notification__user").get(channel="email"), now=NOW)

    assert parcel.short == short


# --- Moving -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_moved_reminder_is_said_at_its_new_time_with_its_new_words():
    user = UserFactory(time_zone="UTC")
    notify(
        user,
        "now",
        key="k",
        topic="t:1",
        title="At 9",
        body="-",
        now=NOW,
        due_at=NOW + HOUR,
        useless_after=NOW + 2 * HOUR,
    )

    moved = move(
        topic="t:1",
        kind=("now", "calm"),
        due_at=NOW + 5 * HOUR,
        useless_after=NOW + 6 * HOUR,
        title="At 14",
        body="b",
        now=NOW,
    )

    assert moved == 1
    assert outbox.deliver_due(now=NOW + 3 * HOUR) == outbox.Outcome()
    outbox.deliver_due(now=NOW + 5 * HOUR)
    assert [one.subject for one in mail.outbox] == ["At 14"]


@pytest.mark.django_db
def test_moving_into_the_night_waits_for_the_morning_and_keeps_what_is_not_named():
    user = UserFactory(time_zone="UTC")
    one = notify(user, "calm", key="k", topic="t:1", title="A", body="B", now=NOW, due_at=NOW + HOUR)

    move(topic="t:1", kind="calm", due_at=NOW + 11 * HOUR, now=NOW)

    one.refresh_from_db()
    assert (one.title, one.body, one.useless_after, one.due_at) == ("A", "B", None, NOW + 11 * HOUR)
    assert dict(one.deliveries.values_list("channel", "due_at")) == {
        "in_app": NOW + 11 * HOUR, "email": NOW + 20 * HOUR,
    }  # fmt: skip


@pytest.mark.django_db
def test_what_was_said_or_taken_back_is_not_moved():
    user = UserFactory()
    notify(user, "calm", key="said", topic="t:1", title="A", body="B", now=NOW)
    notify(user, "calm", key="back", topic="t:1", title="A", body="B", now=NOW, due_at=NOW + HOUR)
    cancel(topic="t:1", kind="calm", now=NOW)

    assert move(topic="t:1", kind="calm", due_at=NOW + 9 * HOUR, now=NOW) == 0
