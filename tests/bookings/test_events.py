"""Who is told what, when, and in which time zone."""

import datetime as dt

import pytest

from bookings import kinds
from bookings.domain import events, lifecycle, reschedule
from messaging.models import Delivery, Notification
from providers.domain import team
from tests.factories import NOW, UserFactory, make_booking, make_branch, make_resource, make_service, manager_of

pytestmark = pytest.mark.django_db

DAY = dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
AFTERNOON = NOW + DAY + 6 * HOUR
REMINDERS = (kinds.REMINDER, kinds.REMINDER_SOON)
LATER = (*REMINDERS, kinds.NUDGE, kinds.REVIEW_REQUEST)


def titles(user, kind=None):
    others = [*LATER, "invoice_issued"]
    found = user.notifications.filter(cancelled_at__isnull=True).exclude(kind__in=others).order_by("pk")
    return [one.title for one in (found.filter(kind=kind) if kind else found)]


def newest(user):
    return user.notifications.exclude(kind__in=LATER).latest("pk")


def reminders(booking):
    found = Notification.objects.filter(kind__in=REMINDERS, topic=f"booking:{booking.uid}", cancelled_at__isnull=True)
    return sorted((one.due_at, one.useless_after) for one in found)


def test_hold_is_told_to_nobody():
    make_booking(state="held")
    assert Notification.objects.filter(kind__startswith="booking").count() == 0


def test_both_sides_hear_of_a_request():
    booking = make_booking(state="pending")
    pet = booking.pets.get().name
    owner, manager = newest(booking.owner), newest(manager_of(booking))
    assert owner.title == "Request sent to Happy Paws"
    assert owner.url == booking.get_absolute_url()
    assert owner.body == (
        f"A walking service with Happy Paws for {pet}, Wed, Nov 18, 2026, 15:00 (Europe/Berlin)."
        " The provider has until Wed, Nov 18, 2026, 09:00 (Europe/Berlin) to answer."
    )
    assert manager.title == "New request: A walking service"
    assert manager.url == f"/provider/{booking.provider.slug}/bookings/{booking.reference}/"
    assert manager.body.startswith(f"{pet}, Wed, Nov 18, 2026, 15:00 (Europe/Berlin). A walking service for Person ")


def test_readers_abroad_read_their_own_time_too():
    owner = UserFactory(time_zone="America/New_York")
    booking = make_booking(make_service(is_instant=True), owner=owner)
    here, there = "Wed, Nov 18, 2026, 15:00 (Europe/Berlin)", "for you Wed, Nov 18, 2026, 09:00 (America/New_York)"
    assert f"{here}, {there}" in newest(owner).body
    assert "New_York" not in newest(manager_of(booking)).body


def test_every_step_is_told():
    booking = make_booking(state="completed", service=make_service())
    assert titles(booking.owner) == [
        "Request sent to Happy Paws",
        "Happy Paws accepted",
        "A walking service has started",
        "A walking service is done",
    ]
    assert titles(manager_of(booking), "team_accept") == ["Accepted: A walking service"]


def test_reason_of_a_decline_is_told():
    body = newest(make_booking(state="declined").owner).body
    assert body.endswith("The reason: No room. Nothing is to be paid.")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (NOW, "Cancelled by the owner. Nothing is to be paid."),
        (NOW + 4 * HOUR, "Cancelled by the owner. €12.50 is to be paid by the cancellation terms."),
    ],
)
def test_cancellation_says_what_is_owed(now, said):
    booking = make_booking()
    lifecycle.cancel(booking, by=booking.owner, now=now)
    assert newest(booking.owner).body.endswith(said)
    assert newest(manager_of(booking)).body.endswith(said)


@pytest.mark.parametrize(("state", "title"), [("held", None), ("pending", "Happy Paws did not answer in time")])
def test_expiry_is_told(state, title):
    booking = make_booking(state=state)
    lifecycle.expire(booking, now=booking.due_at)
    if title:
        assert newest(booking.owner).title == title
        assert newest(manager_of(booking)).title == "Request expired: A walking service"
    else:
        assert newest(booking.owner).title == "Your kept time has run out"
        assert titles(manager_of(booking), "team_hold_expired") == []


def test_giving_up_a_hold_is_told_to_nobody():
    booking = make_booking(state="held")
    lifecycle.cancel(booking, by=booking.owner, now=NOW)
    assert titles(booking.owner) == []


def test_no_show_says_what_is_owed():
    assert newest(make_booking(state="no_show").owner).body.endswith("€12.50 is to be paid by the cancellation terms.")


def test_move_says_the_old_and_the_new_time():
    booking = make_booking(make_service(is_instant=True))
    reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    said = newest(booking.owner)
    assert said.title == "Moved: A walking service"
    assert (
        "is now Thu, Nov 19, 2026, 15:00 (Europe/Berlin). It was Wed, Nov 18, 2026, 15:00 (Europe/Berlin)." in said.body
    )


def test_owner_who_moves_a_service_on_request_asks():
    booking = make_booking(make_service(), state="confirmed")
    reschedule.move(booking, by=booking.owner, starts_at=AFTERNOON + DAY, now=NOW)
    assert newest(booking.owner).title == "Move requested from Happy Paws"
    assert newest(manager_of(booking)).title == "Request to move: A walking service"


def test_team_is_the_managers_and_the_people_who_come():
    branch = make_branch()
    manager = branch.provider.memberships.get().user
    walker, idle = UserFactory(), UserFactory()
    for person in (walker, idle):
        team.add(branch.provider, email=person.email, role="staff", by=manager)
    anna = make_resource(branch, name="Anna", user=walker)
    booking = make_booking(make_service(branch, is_instant=True), resource=anna)
    assert list(events.team(booking)) == [manager, walker]
    assert titles(walker) == ["New booking: A walking service"]
    assert titles(idle) == []


def test_manager_who_books_at_home_hears_it_once():
    branch = make_branch()
    manager = branch.provider.memberships.get().user
    make_booking(make_service(branch, is_instant=True), owner=manager)
    assert titles(manager, "booking_booked") == ["Booked: A walking service"]


def test_each_is_carried_in_the_app_and_by_mail():
    booking = make_booking(state="pending")
    assert sorted(newest(booking.owner).deliveries.values_list("channel", flat=True)) == ["email", "in_app"]


class TestReminders:
    START = NOW + 6 * DAY + 6 * HOUR

    def confirmed(self, **fields):
        return make_booking(make_service(is_instant=True), starts_at=self.START, **fields)

    def due(self, start):
        return [(start - 48 * HOUR, start - 3 * HOUR), (start - 3 * HOUR, start)]

    def test_two_are_written_when_it_is_confirmed(self):
        booking = self.confirmed()
        assert reminders(booking) == self.due(self.START)
        assert Notification.objects.filter(kind__in=REMINDERS).first().user == booking.owner

    def test_none_for_a_request(self):
        assert reminders(make_booking(state="pending", starts_at=self.START)) == []

    def test_what_would_be_late_is_not_written(self):
        assert reminders(make_booking(make_service(is_instant=True))) == [(AFTERNOON - 3 * HOUR, AFTERNOON)]

    def test_they_move_with_the_booking(self):
        booking = self.confirmed()
        reschedule.move(booking, by=booking.owner, starts_at=self.START + DAY, now=NOW)
        assert reminders(booking) == self.due(self.START + DAY)

    @pytest.mark.parametrize("step", ["cancel", "start"])
    def test_they_end_with_the_booking(self, step):
        booking = self.confirmed()
        if step == "cancel":
            lifecycle.cancel(booking, by=booking.owner, now=NOW)
        else:
            reschedule.move(booking, by=manager_of(booking), starts_at=NOW + HOUR, now=NOW)
            lifecycle.start(booking, by=manager_of(booking), now=NOW)
        assert reminders(booking) == []
        waiting = Delivery.objects.filter(notification__kind__in=REMINDERS, state="waiting")
        assert waiting.count() == 0

    def test_they_wait_again_when_a_moved_request_is_accepted(self):
        booking = make_booking(make_service(), state="confirmed", starts_at=self.START)
        reschedule.move(booking, by=booking.owner, starts_at=self.START + DAY, now=NOW)
        assert reminders(booking) == []
        lifecycle.accept(booking, by=manager_of(booking), now=NOW)
        assert reminders(booking) == self.due(self.START + DAY)
