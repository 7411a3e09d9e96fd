"""Writing, taking back and reading notifications."""

import datetime as dt

import pytest
from django.db import transaction

from messaging.domain import cancel, notify, read, read_all
from messaging.models import Channel, Delivery, DeliveryState, Notification
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def tell(user, key="k", **options):
    options = {"title": "Hello", "body": "There", "now": NOW} | options
    return notify(user, options.pop("kind", "test"), key=key, **options)


def states(notification):
    return dict(notification.deliveries.values_list("channel", "state"))


def test_notify_writes_one_row_for_each_channel_due_now():
    notification = tell(UserFactory(), url="/x/", topic="t:1")

    assert (notification.due_at, notification.url, notification.topic) == (NOW, "/x/", "t:1")
    assert sorted(notification.deliveries.values_list("channel", "due_at", "state")) == [
        ("email", NOW, "waiting"),
        ("in_app", NOW, "waiting"),
    ]


def test_notify_in_the_future_is_due_then():
    notification = tell(UserFactory(), due_at=NOW + HOUR)

    assert set(notification.deliveries.values_list("due_at", flat=True)) == {NOW + HOUR}


def test_notify_on_one_channel_only():
    assert states(tell(UserFactory(), channels=(Channel.IN_APP,))) == {"in_app": "waiting"}


def test_notify_says_a_thing_once_to_each_person():
    first, second = UserFactory(), UserFactory()
    tell(first)

    assert tell(first, title="Again") is None
    assert tell(second).user == second
    assert Delivery.objects.count() == 4


def test_notify_is_undone_with_its_transaction():
    with transaction.atomic():
        tell(UserFactory())
        transaction.set_rollback(True)

    assert not Notification.objects.exists()


def test_notify_makes_one_line_of_a_title_and_cuts_a_long_one():
    user = UserFactory()

    assert tell(user, "a", title="Rex\r\nBcc: x@example.test").title == "Rex Bcc: x@example.test"
    long = tell(user, "b", title="x" * 300).title
    assert (len(long), long[-1]) == (200, "…")


def test_cancel_takes_back_what_is_not_due_yet():
    reminder = tell(UserFactory(), kind="reminder", topic="t:1", due_at=NOW + HOUR)
    other = tell(reminder.user, "k2", kind="reminder", topic="t:2", due_at=NOW + HOUR)

    assert cancel(topic="t:1", kind="reminder", now=NOW) == 1

    reminder.refresh_from_db()
    assert reminder.cancelled_at == NOW
    assert states(reminder) == {"email": "cancelled", "in_app": "cancelled"}
    assert states(other) == {"email": "waiting", "in_app": "waiting"}


def test_cancel_leaves_what_was_seen_but_stops_its_mail():
    told = tell(UserFactory(), topic="t:1", kind="x")
    told.deliveries.filter(channel="in_app").update(state=DeliveryState.SENT, sent_at=NOW)

    assert cancel(topic="t:1", kind="x", now=NOW + HOUR) == 0

    told.refresh_from_db()
    assert told.cancelled_at is None
    assert states(told) == {"email": "cancelled", "in_app": "sent"}


def test_visible_are_the_due_ones_of_the_person_that_were_not_taken_back():
    user = UserFactory()
    due = tell(user, "due")
    tell(user, "later", due_at=NOW + HOUR)
    tell(user, "back", kind="x", topic="t", due_at=NOW + HOUR)
    cancel(topic="t", kind="x", now=NOW)
    tell(UserFactory(), "foreign")

    assert list(Notification.objects.visible_to(user, now=NOW)) == [due]


def test_read_keeps_the_first_time():
    notification = tell(UserFactory())

    read(notification, now=NOW)
    read(Notification.objects.get(), now=NOW + HOUR)

    assert Notification.objects.get().read_at == NOW


def test_read_all_marks_only_what_the_person_can_see():
    user = UserFactory()
    tell(user, "a")
    tell(user, "b")
    tell(user, "later", due_at=NOW + HOUR)
    tell(UserFactory(), "foreign")

    assert read_all(user, now=NOW) == 2
    assert read_all(user, now=NOW) == 0
    assert Notification.objects.unread().count() == 2
