"""What is said later follows the booking: never an old time, never too late, never to who has done it already."""

import datetime as dt

import pytest
import time_machine
from django.core import mail

from bookings import kinds
from bookings.domain import aftercare, lifecycle, reminders, reschedule
from messaging.domain import outbox
from messaging.models import Delivery, Notification
from reviews import domain as reviews
from tests.factories import NOW, UserFactory, make_booking, make_branch, make_provider, make_service, manager_of

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
START = NOW + 6 * DAY + 6 * HOUR
REMINDERS = (kinds.REMINDER, kinds.REMINDER_SOON)


def confirmed(**fields):
    return make_booking(make_service(is_instant=True), **({"starts_at": START} | fields))


def asked(**fields):
    return make_booking(make_service(), state="pending", **({"starts_at": START} | fields))


def waiting(*names):
    found = Notification.objects.filter(kind__in=names, cancelled_at__isnull=True)
    return [(one.kind, one.due_at) for one in found.order_by("due_at", "pk")]


def deliver(moment):
    """Let the sender run at ``moment`` and return the subjects of what it sent."""
    mail.outbox.clear()
    with time_machine.travel(moment, tick=False):
        outbox.deliver_due(now=moment)
    return [one.subject for one in mail.outbox]


def steps():
    """Every way in which a confirmed booking leaves its time."""

    def by_owner(booking, now):
        reschedule.move(booking, by=booking.owner, starts_at=START + 2 * DAY, now=now)

    def by_team(booking, now):
        reschedule.move(booking, by=manager_of(booking), starts_at=START + 2 * DAY, now=now)

    def cancelled_by_owner(booking, now):
        lifecycle.cancel(booking, by=booking.owner, now=now)

    def cancelled_by_team(booking, now):
        lifecycle.cancel(booking, by=manager_of(booking), now=now)

    def earlier(booking, now):
        reschedule.move(booking, by=manager_of(booking), starts_at=START - HOUR, now=now)

    return [by_owner, by_team, cancelled_by_owner, cancelled_by_team, earlier]


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.__name__)
@pytest.mark.parametrize("before", [48 * HOUR, 3 * HOUR])
def test_an_old_reminder_is_never_sent_even_a_second_before_it_was_due(step, before):
    booking = confirmed()
    due = START - before
    if before == 3 * HOUR:
        deliver(START - 48 * HOUR)
    step(booking, due - dt.timedelta(seconds=1))
    old = [subject for subject in deliver(due) + deliver(due + HOUR) if "Nov 23" in subject and "Coming up" in subject]
    assert old == []
    rows = Delivery.objects.filter(notification__kind__in=REMINDERS, notification__due_at=due)
    assert set(rows.values_list("state", flat=True)) == {"cancelled"}


def test_a_moved_booking_gets_the_new_times():
    booking = confirmed()
    reschedule.move(booking, by=booking.owner, starts_at=START + 2 * DAY, now=NOW)
    new = START + 2 * DAY
    assert waiting(*REMINDERS) == [(kinds.REMINDER, new - 48 * HOUR), (kinds.REMINDER_SOON, new - 3 * HOUR)]
    [subject] = [one for one in deliver(new - 48 * HOUR) if "Coming up" in one]
    assert subject == "Coming up: A walking service, Wed, Nov 25, 15:00 (Europe/Berlin)"


@pytest.mark.parametrize(("hours", "expected"), [(47, [kinds.REMINDER_SOON]), (49, list(REMINDERS)), (3, []), (2, [])])
def test_a_booking_made_late_gets_no_stale_reminder(hours, expected):
    confirmed(starts_at=NOW + hours * HOUR) if hours >= 47 else None
    if hours < 47:
        booking = confirmed()
        reschedule.move(booking, by=manager_of(booking), starts_at=NOW + hours * HOUR, now=NOW)
    assert [kind for kind, _ in waiting(*REMINDERS)] == expected


@pytest.mark.parametrize(
    ("before", "sent", "late"),
    [
        (4 * HOUR, [kinds.REMINDER], []),
        (2 * HOUR, [kinds.REMINDER_SOON], [kinds.REMINDER]),
        (0 * HOUR, [], [*REMINDERS]),
        (-5 * HOUR, [], [*REMINDERS]),
    ],
)
def test_a_sender_that_was_away_says_one_thing_and_marks_the_rest_as_too_late(before, sent, late):
    confirmed()
    deliver(START - before)
    rows = Delivery.objects.filter(channel="email", notification__kind__in=REMINDERS)
    assert [row.notification.kind for row in rows.filter(state="sent").order_by("pk")] == sent
    assert [row.notification.kind for row in rows.filter(state="late").order_by("pk")] == late


# --- the nudge ------------------------------------------------------------------------------------


def test_the_team_is_nudged_at_half_of_its_time():
    booking = asked()
    assert booking.due_at == NOW + 24 * HOUR
    assert waiting(kinds.NUDGE) == [(kinds.NUDGE, NOW + 12 * HOUR)]
    nudge = Notification.objects.get(kind=kinds.NUDGE)
    assert (nudge.user, nudge.actions, nudge.useless_after) == (
        manager_of(booking), ["accept", "decline"], booking.due_at,
    )  # fmt: skip
    assert "Please answer until Wed, Nov 18, 2026, 09:00 (Europe/Berlin)" in nudge.body


@pytest.mark.parametrize("end", ["accept", "decline", "cancel", "expire"])
def test_a_request_that_is_answered_is_not_nudged(end):
    booking = asked()
    moment = booking.due_at if end == "expire" else NOW + HOUR
    if end == "accept":
        lifecycle.accept(booking, by=manager_of(booking), now=moment)
    elif end == "decline":
        lifecycle.decline(booking, by=manager_of(booking), now=moment, reason="No room.")
    elif end == "cancel":
        lifecycle.cancel(booking, by=booking.owner, now=moment)
    else:
        Delivery.objects.filter(notification__kind=kinds.NUDGE).update(due_at=moment)
        lifecycle.expire(booking, now=moment)
    assert [one for one in deliver(NOW + 30 * HOUR) if one.startswith("Still waiting")] == []


def test_a_request_that_is_moved_is_nudged_anew():
    booking = asked()
    later = NOW + 4 * HOUR
    reschedule.move(booking, by=booking.owner, starts_at=START + DAY, now=later)
    assert waiting(kinds.NUDGE) == [(kinds.NUDGE, later + 12 * HOUR)]


def test_nobody_is_nudged_who_was_only_just_asked():
    booking = asked()
    reschedule.move(booking, by=manager_of(booking), starts_at=NOW + 80 * dt.timedelta(minutes=1), now=NOW)
    assert waiting(kinds.NUDGE) == []


# --- asking for a review ----------------------------------------------------------------------------


@pytest.fixture
def done():
    return make_booking(make_service(), state="completed")


def test_a_review_is_asked_for_twice_inside_its_time(done):
    end = done.ends_at
    assert [due for _, due in waiting(kinds.REVIEW_REQUEST)] == [end + 2 * HOUR, end + 7 * DAY]
    last = Notification.objects.filter(kind=kinds.REVIEW_REQUEST).latest("due_at")
    assert last.useless_after == end + reminders.REVIEW_FOR


def test_who_has_written_it_is_not_asked(done):
    reviews.write(done, by=done.owner, rating=5, now=done.ends_at + HOUR)
    assert waiting(kinds.REVIEW_REQUEST) == []
    assert [one for one in deliver(done.ends_at + 7 * DAY) if "How was" in one or "A word" in one] == []


def test_who_complains_is_not_asked(done):
    aftercare.complain(done, text="Rex came back wet.", by=done.owner, now=done.ends_at + HOUR)
    assert waiting(kinds.REVIEW_REQUEST) == []


def test_a_visit_that_nobody_closed_for_long_is_asked_about_once():
    booking = make_booking(make_service(), state="in_progress")
    lifecycle.complete(booking, by=manager_of(booking), now=booking.ends_at + 10 * DAY)
    assert [due for _, due in waiting(kinds.REVIEW_REQUEST)] == [booking.ends_at + 10 * DAY + 2 * HOUR]


# --- clocks -------------------------------------------------------------------------------------------


def test_owner_and_provider_in_two_zones_each_read_their_own_time():
    provider = make_provider(UserFactory(time_zone="Asia/Tokyo"))
    branch = make_branch(provider)
    owner = UserFactory(time_zone="America/New_York", locale="en-gb")
    booking = make_booking(make_service(branch, is_instant=True), owner=owner, starts_at=START)
    deliver(NOW)
    mails = {one.to[0]: one for one in mail.outbox if "ooked" in one.subject or "booking" in one.subject}
    place = "Mon, Nov 23, 2026, 15:00 to 15:30 (Europe/Berlin)"
    assert "Mon 23 Nov 2026, 15:00 to 15:30 (Europe/Berlin), for you" in mails[owner.email].body
    assert "for you Mon 23 Nov 2026, 09:00 to 09:30 (America/New_York)" in mails[owner.email].body
    theirs = mails[manager_of(booking).email].body
    assert f"{place}, for you Mon, Nov 23, 2026, 23:00 to 23:30 (Asia/Tokyo)" in theirs


def test_the_statements_of_a_step_do_not_grow_with_what_is_said_later(django_assert_max_num_queries):
    booking = asked()
    with django_assert_max_num_queries(60) as caught:
        lifecycle.accept(booking, by=manager_of(booking), now=NOW + HOUR)
    written = [one["sql"] for one in caught.captured_queries if 'INSERT INTO "messaging_notification"' in one["sql"]]
    assert len(written) == 1
