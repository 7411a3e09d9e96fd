"""Each side reads under a booking's story what was sent to them, and nobody reads that of others."""

import datetime as dt

import pytest
import time_machine

from messaging.domain import outbox, told
from messaging.models import Delivery
from tests.bookings.doors import api_of, client_of
from tests.factories import NOW, StaffFactory, make_booking, make_service, manager_of
from tests.queries import assert_constant

pytestmark = pytest.mark.django_db

HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def _clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def booking():
    made = make_booking(make_service(), state="confirmed", starts_at=NOW + dt.timedelta(days=6, hours=6))
    outbox.deliver_due(now=NOW)
    return made


def texts_of(user, booking):
    topic = f"booking:{booking.uid}"
    return [(one.text, one.title) for one in told.about(user, [topic]).get(topic, []) if one.at <= NOW]


def page(user, url):
    return client_of(user).get(url).content.decode()


def test_each_side_reads_its_own(booking):
    owner, manager = booking.owner, manager_of(booking)
    assert ("E-mail sent", "Happy Paws accepted") in texts_of(owner, booking)
    assert ("E-mail sent", "New request: A walking service") in texts_of(manager, booking)
    assert not set(texts_of(owner, booking)) & set(texts_of(manager, booking))

    shown = page(owner, booking.get_absolute_url())
    assert "E-mail sent" in shown
    assert "Happy Paws accepted" in shown
    assert "New request" not in shown
    theirs = page(manager, f"/provider/{booking.provider.slug}/bookings/{booking.reference}/")
    assert "New request: A walking service" in theirs
    assert "Happy Paws accepted" not in theirs


def test_api_says_the_same_to_its_caller_alone(booking):
    url = f"/api/v1/bookings/{booking.reference}/"
    mine = api_of(booking.owner).get(url).json()["deliveries"]
    first = mine[0]
    assert (first["at"], first["channel"], first["state"], first["kind"]) == (
        "2026-11-17T08:00:00Z", "email", "sent", "booking_requested",
    )  # fmt: skip
    assert {one["kind"] for one in mine if one["state"] == "waiting"} == {"booking_reminder", "booking_reminder_soon"}
    theirs = api_of(manager_of(booking)).get(url).json()["deliveries"]
    assert {one["kind"][:5] for one in theirs} == {"team_"}
    assert api_of(StaffFactory()).get(url).json()["deliveries"] == []


@pytest.mark.parametrize(
    ("state", "error", "text", "reason"),
    [
        ("delivered", "", "E-mail delivered", ""),
        ("dead", "SMTPException: mx7.internal refused", "E-mail could not be sent", ""),
        ("skipped", "Switched off by the reader.", "E-mail not sent", "Switched off by the reader."),
        ("late", "Too late to be of use.", "E-mail not sent: it was too late", ""),
        ("outbox", "", "E-mail written, but not sent: this site keeps it in its outbox", ""),
        ("waiting", "ConnectionError: 10.0.0.7", "E-mail planned", ""),
    ],
)
def test_every_end_has_its_words_and_no_servers_words(booking, state, error, text, reason):
    Delivery.objects.filter(notification__kind="booking_accept", channel="email").update(state=state, last_error=error)
    topic = f"booking:{booking.uid}"
    [one] = [one for one in told.about(booking.owner, [topic])[topic] if one.kind == "booking_accept"]
    assert (one.text, one.reason) == (text, reason)
    shown = page(booking.owner, booking.get_absolute_url())
    assert text in shown
    assert "mx7.internal" not in shown
    assert "10.0.0.7" not in shown


def test_what_was_taken_back_or_never_set_up_is_left_out(booking):
    rows = Delivery.objects.filter(notification__kind="booking_accept", channel="email")
    rows.update(state="cancelled")
    assert ("E-mail planned", "Happy Paws accepted") not in texts_of(booking.owner, booking)
    rows.update(state="skipped", last_error="No browser or phone is registered.")
    assert [text for text, title in texts_of(booking.owner, booking) if title == "Happy Paws accepted"] == []


def test_a_list_asks_once_for_all(booking):
    client = api_of(booking.owner)
    assert_constant(
        lambda: client.get("/api/v1/bookings/"),
        lambda: make_booking(booking.service, owner=booking.owner, starts_at=booking.starts_at + 24 * HOUR),
    )
