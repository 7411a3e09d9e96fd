"""Acting on a booking from a message: only after a confirming POST, once, as the person who was written to."""

import datetime as dt
import re

import pytest
import time_machine
from django.core import mail
from django.test import Client

from accounts.domain import credentials
from bookings import kinds
from bookings.domain import lifecycle, one_tap, reschedule
from bookings.models import Booking
from messaging import links
from messaging.domain import outbox
from messaging.models import Delivery
from petplace.errors import InvalidTransition, NotAllowed
from providers.models import Membership
from tests.factories import NOW, UserFactory, make_booking, make_service, manager_of

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


def path(user, verb, booking, **fields):
    options = {"stamp": booking.sequence, "expires_at": one_tap.expires_at(booking)} | fields
    return f"/bookings/link/{links.make(user, verb, f'booking:{booking.uid}', **options)}/"


def strict():
    """A mail program's browser: no session, no cookies, and it would refuse a form without a token."""
    return Client(enforce_csrf_checks=True)


def state(booking):
    found = Booking.objects.get(pk=booking.pk)
    return found.state, found.sequence, found.events.count()


def page(answer):
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def asked():
    return make_booking(make_service(), state="pending", starts_at=NOW + 6 * DAY + 6 * HOUR)


def test_looking_changes_nothing_whoever_looks(asked):
    before = state(asked)
    manager = manager_of(asked)
    for verb in ("accept", "decline"):
        url = path(manager, verb, asked)
        for call in (strict().get, strict().head):
            answer = call(url, headers={"Sec-Purpose": "prefetch", "Purpose": "prefetch", "X-Moz": "prefetch"})
            assert (answer.status_code, answer["Referrer-Policy"]) == (200, "no-referrer")
            assert "no-store" in answer["Cache-Control"]
            assert "noindex" in answer["X-Robots-Tag"]
        assert strict().put(url).status_code == strict().delete(url).status_code == 405
    assert state(asked) == before


def test_the_page_says_what_will_happen_and_for_whom(asked):
    text = page(strict().get(path(manager_of(asked), "accept", asked)))
    assert "Accept this request?" in text
    assert "Mon, Nov 23, 2026, 15:00 to 15:30 (Europe/Berlin)" in text
    assert f"You act as {manager_of(asked).get_full_name()} ({manager_of(asked).email})." in text


def test_accept_by_one_tap_once(asked):
    manager = manager_of(asked)
    url = path(manager, "accept", asked)

    first, second = strict().post(url), strict().post(url)

    assert (first.status_code, first.headers["Location"]) == (302, url)
    assert second.status_code == 409
    assert "Nothing is left to confirm here" in page(second)
    booking = Booking.objects.get(pk=asked.pk)
    assert (booking.state, booking.events.filter(action="accept").count()) == ("confirmed", 1)
    assert booking.events.get(action="accept").by == manager
    assert "Confirmed" in page(strict().get(url))


def test_decline_needs_a_reason(asked):
    url = path(manager_of(asked), "decline", asked)
    refused = strict().post(url)
    assert (refused.status_code, state(asked)[0]) == (400, "pending")
    assert "Tell the owner in a sentence why you cannot." in page(refused)
    assert strict().post(url, {"reason": "No room."}).status_code == 302
    assert state(asked)[0] == "declined"


def test_cancel_shows_the_refund_first_and_keeps_its_word():
    booking = make_booking(starts_at=NOW + 2 * DAY + 6 * HOUR)
    url = path(booking.owner, "cancel", booking)
    shown = page(strict().get(url))
    assert "Nothing is to be paid, and what you paid comes back." in shown
    promised = re.search(r'name="refund" value="(\d+)"', shown)[1]

    broken = strict().post(url, {"refund": int(promised) + 1})
    assert (broken.status_code, state(booking)[0]) == (409, "confirmed")
    assert "What comes back has changed meanwhile" in page(broken)

    with time_machine.travel(booking.starts_at - HOUR, tick=False):
        shown = page(strict().get(url))
        assert "You get €12.50 back." in shown
        assert strict().post(url, {"refund": promised}).status_code == 409  # looked at it before the deadline
        assert strict().post(url, {"refund": re.search(r'name="refund" value="(\d+)"', shown)[1]}).status_code == 302
    assert state(booking)[0] == "cancelled"


def test_owner_says_that_they_will_come_once():
    booking = make_booking(starts_at=NOW + DAY + 6 * HOUR)
    before = state(booking)
    url = path(booking.owner, "coming", booking)
    assert [strict().post(url).status_code for _ in range(2)] == [302, 302]
    after = state(booking)
    assert after == (before[0], before[1], before[2] + 1)
    told = manager_of(booking).notifications.get(kind="team_coming")
    assert told.title == f"{booking.owner.get_full_name()} will come"
    assert booking.owner.notifications.filter(kind=kinds.REMINDER_SOON, cancelled_at__isnull=True).count() == 1


def test_coming_is_for_the_last_two_days_and_for_the_owner():
    booking = make_booking(starts_at=NOW + 6 * DAY + 6 * HOUR)
    assert strict().post(path(booking.owner, "coming", booking)).status_code == 409
    with pytest.raises(NotAllowed):
        lifecycle.say_coming(booking, by=manager_of(booking), now=NOW)


def test_a_moved_booking_is_not_accepted_at_a_time_that_nobody_read(asked):
    url = path(manager_of(asked), "accept", asked)
    reschedule.move(asked, by=asked.owner, starts_at=asked.starts_at + DAY, now=NOW)

    answer = strict().post(url)

    assert (answer.status_code, state(asked)[0]) == (409, "pending")
    assert "has changed since" in page(answer)
    assert "Tue, Nov 24, 2026, 15:00" in page(answer)  # the way on shows what is true now


def test_the_check_of_the_version_is_made_under_the_lock(asked):
    with pytest.raises(InvalidTransition) as error:
        one_tap.act(asked.uid, "accept", stamp=asked.sequence + 1, by=manager_of(asked), now=NOW)
    assert error.value.code == "link_changed"


@pytest.mark.parametrize("verb", ["accept", "decline", "coming", "cancel"])
def test_a_link_in_a_strangers_name_does_nothing(asked, verb):
    before = state(asked)
    answer = strict().post(path(UserFactory(), verb, asked), {"reason": "x"})
    assert (answer.status_code, state(asked)) == (410, before)


def test_the_owner_cannot_accept_the_own_request(asked):
    before = state(asked)
    assert strict().post(path(asked.owner, "accept", asked)).status_code == 403
    assert state(asked) == before


def test_a_former_member_of_the_team_can_do_nothing(asked):
    manager = manager_of(asked)
    url = path(manager, "accept", asked)
    Membership.objects.filter(user=manager).delete()
    assert (strict().post(url).status_code, state(asked)[0]) == (410, "pending")


def test_a_link_dies_with_its_time_and_with_the_password(asked):
    manager = manager_of(asked)
    url = path(manager, "accept", asked)
    with time_machine.travel(asked.due_at, tick=False):
        assert strict().post(url).status_code == 410
    credentials.set_password(manager, "another-good-password-2", now=NOW)
    answer = strict().post(url)
    assert (answer.status_code, state(asked)[0]) == (410, "pending")
    assert "The password was changed" in page(answer)


def test_who_is_signed_in_does_not_matter_and_is_told(asked):
    other, manager = UserFactory(), manager_of(asked)
    client = strict()
    client.force_login(other)
    url = path(manager, "accept", asked)
    assert "Another account is signed in here" in page(client.get(url))
    assert client.post(url).status_code == 302
    assert Booking.objects.get(pk=asked.pk).events.get(action="accept").by == manager


def test_nobody_is_signed_in_by_a_link(asked):
    client = strict()
    client.post(path(manager_of(asked), "accept", asked))
    assert "sessionid" not in client.cookies
    assert client.get("/bookings/").status_code == 302


# --- what the messages offer ------------------------------------------------------------------------


def mails_to(user):
    return {one.subject: one for one in mail.outbox if one.to == [user.email]}


def links_in(message):
    return re.findall(r"http://localhost:8000(/bookings/link/\S+)", message.body)


def test_a_request_is_accepted_straight_from_its_mail(asked):
    outbox.deliver_due(now=NOW)
    [request] = [m for s, m in mails_to(manager_of(asked)).items() if s.startswith("New request")]
    accept, decline = links_in(request)
    assert accept in request.alternatives[0].content
    assert decline in request.alternatives[0].content
    assert strict().post(accept).status_code == 302
    assert state(asked)[0] == "confirmed"


def test_a_mail_that_goes_out_late_offers_only_what_is_still_possible(asked):
    Delivery.objects.filter(notification__kind="team_requested").update(due_at=NOW + HOUR)
    lifecycle.accept(asked, by=manager_of(asked), now=NOW)
    outbox.deliver_due(now=NOW + HOUR)
    [request] = [m for s, m in mails_to(manager_of(asked)).items() if s.startswith("New request")]
    assert links_in(request) == []
    assert "State: Confirmed" in request.body


def test_the_reminder_asks_whether_the_owner_will_come():
    booking = make_booking(starts_at=NOW + 6 * DAY + 6 * HOUR)
    moment = booking.starts_at - 48 * HOUR
    with time_machine.travel(moment, tick=False):
        outbox.deliver_due(now=moment)
        [reminder] = [m for s, m in mails_to(booking.owner).items() if s.startswith("Coming up")]
        coming, cancel = links_in(reminder)
        assert f"/bookings/{booking.reference}/move/" in reminder.body
        assert strict().post(coming).status_code == 302
        assert "Cancel this booking?" in page(strict().get(cancel))
    assert state(booking)[0] == "confirmed"
