"""Several channels in one pass: turns, outages of one alone, channels without credentials, the developer's outbox."""

import datetime as dt
import json
import os
import time

import pytest
from django.urls import reverse

from messaging import kinds
from messaging.channels import registry
from messaging.channels.base import ChannelAwayError, NoAddressError, Receipt, RefusedError, SendingError
from messaging.channels.email import EmailAdapter
from messaging.choices import Channel, DeliveryState
from messaging.domain import notify, outbox
from messaging.kinds import PEOPLE, Kind, Urgency
from messaging.models import ContactSettings, Delivery, Device, OutboxMessage
from petplace.invariants import registered
from tests.factories import StaffFactory, UserFactory

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
ALL = (*PEOPLE, Channel.SMS)
D = DeliveryState


@pytest.fixture(autouse=True)
def _kind(_kinds, monkeypatch):
    loud = Kind("loud", "Loud", "bookings", ALL, urgency=Urgency.URGENT)
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, "loud": loud})


class Fake:
    """A channel that does what a test says: ``fault`` is raised, ``seconds`` is how long one message takes."""

    def __init__(self, channel):
        self.channel, self.sent, self.fault, self.seconds, self.opened = channel, [], None, 0.0, 0
        self.is_away = False

    def is_ready(self):
        return True

    def open(self):
        self.opened += 1
        if self.is_away:
            raise ChannelAwayError("no answer")

    def close(self):
        self.opened -= 1

    def send(self, parcel):
        time.sleep(self.seconds)
        if self.fault is not None:
            raise self.fault
        self.sent.append(parcel)
        return Receipt(ref=f"ref-{len(self.sent)}", reached=tuple(str(one.uid) for one in parcel.devices))


@pytest.fixture
def ways(monkeypatch):
    fakes = {channel: Fake(channel) for channel in (Channel.EMAIL, Channel.SMS, Channel.PUSH)}
    monkeypatch.setattr(registry, "adapter", fakes.get)
    return fakes


@pytest.fixture
def user(db):
    user = UserFactory(phone="+4930123456", time_zone="UTC")
    ContactSettings.objects.create(user=user, texts_are_on=True)
    Device.objects.create(user=user, kind="fcm", address="token", last_seen_at=NOW)
    return user


def tell(user, key="k", **options):
    return notify(user, "loud", **{"key": key, "title": "Rex", "body": "is here", "now": NOW} | options)


def states(notification):
    return dict(notification.deliveries.exclude(channel="in_app").values_list("channel", "state"))


def of(notification, channel):
    return notification.deliveries.get(channel=channel)


def test_one_notification_goes_out_once_on_each_channel(ways, user):
    told = tell(user)

    for _ in range(3):
        outbox.deliver_due(now=NOW)

    assert {channel: len(fake.sent) for channel, fake in ways.items()} == dict.fromkeys(ways, 1)
    assert states(told) == dict.fromkeys(("email", "sms", "push"), "sent")
    assert of(told, "push").reached == [str(Device.objects.get().uid)]
    assert {of(told, channel).ref for channel in ways} == {"ref-1"}
    assert all(fake.opened == 0 for fake in ways.values())


def test_a_channel_that_is_away_stops_itself_alone(ways, user):
    ways[Channel.SMS].is_away = True
    told = [tell(user, f"k{n}") for n in range(5)]

    outcome = outbox.deliver_due(now=NOW)

    assert (outcome.sent, outcome.failed) == (5 + 10, 1)  # five in the app
    assert [len(fake.sent) for fake in ways.values()] == [5, 0, 5]
    assert [of(one, "sms").attempts for one in told] == [1, 0, 0, 0, 0]


def test_a_channel_that_is_away_is_left_alone_for_some_seconds(ways, user):
    ways[Channel.SMS].is_away = True
    told = [tell(user, f"k{n}") for n in range(3)]
    outbox.deliver_due(now=NOW)

    outbox.deliver_due(now=NOW + 9 * SECOND)
    assert [of(one, "sms").attempts for one in told] == [1, 0, 0]
    outbox.deliver_due(now=NOW + 10 * SECOND)
    assert [of(one, "sms").attempts for one in told] == [1, 1, 0]


def test_a_long_outage_kills_no_row_and_all_leave_within_five_minutes_of_its_end(ways, user):
    ways[Channel.EMAIL].is_away = True
    told = [tell(user, f"k{n}") for n in range(3)]
    now = NOW
    while now < NOW + 6 * HOUR:
        outbox.deliver_due(now=now)
        now += 120 * SECOND
    rows = Delivery.objects.filter(channel="email")
    assert {row.state for row in rows} == {D.WAITING}
    assert min(row.attempts for row in rows) > outbox.MAX_ATTEMPTS
    assert {row.attempts - row.outages for row in rows} == {0}

    ways[Channel.EMAIL].is_away = False
    for _ in range(10):
        outbox.deliver_due(now=now)
        now += 30 * SECOND

    assert {states(one)["email"] for one in told} == {"sent"}


def test_after_three_days_of_outage_a_row_is_given_up(ways, user):
    ways[Channel.EMAIL].is_away = True
    told = tell(user)

    outbox.deliver_due(now=NOW + dt.timedelta(days=3, seconds=1))

    assert states(told)["email"] == "dead"


def test_slow_mail_does_not_starve_pushes(ways, user):
    ways[Channel.EMAIL].seconds = 0.12
    for number in range(8):
        tell(user, f"k{number}")

    outbox.deliver_due(now=NOW, seconds=0.3)

    assert 1 <= len(ways[Channel.EMAIL].sent) <= 4
    assert len(ways[Channel.PUSH].sent) >= len(ways[Channel.EMAIL].sent)


@pytest.mark.parametrize(
    ("fault", "state", "why"),
    [
        (RefusedError("no such number"), D.DEAD, "RefusedError: no such number"),
        (NoAddressError("There is no phone number."), D.SKIPPED, "There is no phone number."),
        (ZeroDivisionError("poison"), D.WAITING, "ZeroDivisionError: poison"),
    ],
)
def test_how_a_message_can_fail(ways, user, fault, state, why):
    told = tell(user)
    ways[Channel.SMS].fault = fault

    outbox.deliver_due(now=NOW)

    row = of(told, "sms")
    assert (row.state, row.last_error, row.leased_until) == (state, why, None)
    assert (states(told)["email"], states(told)["push"]) == ("sent", "sent")


def test_devices_that_were_reached_are_remembered_when_others_fail(ways, user):
    told = tell(user)
    first = str(Device.objects.get().uid)
    ways[Channel.PUSH].fault = SendingError("the other one is away", reached=(first,))
    outbox.deliver_due(now=NOW)
    assert of(told, "push").reached == [first]
    second = Device.objects.create(user=user, kind="fcm", address="token-2", last_seen_at=NOW)
    ways[Channel.PUSH].fault = None

    outbox.deliver_due(now=NOW + HOUR)

    [parcel] = ways[Channel.PUSH].sent
    assert [device.uid for device in parcel.devices] == [second.uid]
    assert parcel.reached == {first}
    assert of(told, "push").reached == [first, str(second.uid)]


def test_what_was_given_up_is_a_line_of_json_without_the_address(ways, user, caplog):
    ways[Channel.EMAIL].fault = RefusedError(f"550 {user.email}")
    told = tell(user)

    outbox.deliver_due(now=NOW)

    [line] = [record.getMessage() for record in caplog.records if record.name == "messaging.dead"]
    assert json.loads(line) == {
        "event": "delivery_dead", "delivery": str(of(told, "email").uid), "channel": "email", "kind": "loud",
        "attempts": 1, "error": "RefusedError",
    }  # fmt: skip


def test_one_poisoned_row_among_many_is_parked_and_the_others_move(ways, db):
    """RELIABILITY J08, on one channel."""
    people = [UserFactory(), UserFactory()]
    count = 1000 if os.environ.get("PETPLACE_FAULTS") == "full" else 60
    rows = [notify(people[n % 2], "test", key=f"k{n}", title=str(n), body="-", now=NOW) for n in range(count)]
    poison = rows[37]

    def send(parcel):
        if parcel.title == "37":
            raise ValueError("poison")
        return Receipt()

    ways[Channel.EMAIL].send = send
    now, passes = NOW, 0
    while Delivery.objects.filter(channel="email", state=D.WAITING).exists():
        outbox.deliver_due(now=now, seconds=60, limit=2000)
        now += HOUR * 3
        passes += 1

    assert (of(poison, "email").state, of(poison, "email").attempts) == (D.DEAD, outbox.MAX_ATTEMPTS)
    assert Delivery.objects.filter(channel="email", state=D.SENT, attempts=1).count() == count - 1
    assert passes == outbox.MAX_ATTEMPTS


# --- Without credentials ------------------------------------------------------------------------


def test_in_production_a_channel_without_credentials_is_not_sent_and_says_so(user, settings, monkeypatch):
    settings.DEMO, settings.IS_PRODUCTION = False, True
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    monkeypatch.setattr(registry, "ADAPTERS", {Channel.EMAIL: registry.ADAPTERS[Channel.EMAIL]})
    told = tell(user)

    outcome = outbox.deliver_due(now=NOW)

    assert (outcome.skipped, outcome.sent) == (3, 1)
    assert states(told) == dict.fromkeys(("email", "sms", "push"), "skipped")
    assert of(told, "sms").last_error == "This channel is not set up."
    assert not OutboxMessage.objects.exists()


@pytest.fixture
def kept(user, settings, monkeypatch):
    """One notification, kept for the developer on all three channels."""
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.SITE_URL = "https://pets.example.test"
    monkeypatch.setattr(registry, "ADAPTERS", {Channel.EMAIL: registry.ADAPTERS[Channel.EMAIL]})
    told = tell(user, url="/bookings/BK-1/", body="<b>is</b> here")
    assert outbox.deliver_due(now=NOW).kept == 3
    return told


def test_outside_production_it_is_kept_and_never_called_sent(kept):
    assert states(kept) == dict.fromkeys(("email", "sms", "push"), "outbox")
    assert set(kept.deliveries.exclude(channel="in_app").values_list("sent_at", flat=True)) == {None}
    texts = dict(OutboxMessage.objects.values_list("channel", "text"))
    assert texts["sms"] == "Rex. <b>is</b> here https://pets.example.test/bookings/BK-1/"
    assert "https://pets.example.test/bookings/BK-1/" in texts["email"]


def test_what_was_kept_goes_after_two_weeks(kept):
    OutboxMessage.objects.filter(channel="sms").update(created_at=NOW - dt.timedelta(days=14, seconds=1))
    OutboxMessage.objects.exclude(channel="sms").update(created_at=NOW - dt.timedelta(days=14))

    assert outbox.delete_kept(now=NOW) == 1
    assert sorted(OutboxMessage.objects.values_list("channel", flat=True)) == ["email", "push"]


@pytest.mark.parametrize("backend", ["filebased", "console", "dummy"])
def test_backends_that_only_keep_mail_are_not_ready(settings, backend):
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"

    assert not EmailAdapter().is_ready()


def test_staff_see_the_outbox_as_readers_would(kept, client, user):
    client.force_login(StaffFactory())
    mails = client.get(reverse("dev:outbox"), {"channel": "email"}).context["page_obj"].object_list
    all_of_them = client.get(reverse("dev:outbox")).context["page_obj"].object_list
    assert ([one.channel for one in mails], len(all_of_them)) == (["email"], 3)

    pages = {one.channel: client.get(reverse("dev:outbox_message", args=[one.uid])) for one in all_of_them}
    html = client.get(reverse("dev:outbox_html", args=[mails[0].uid]))

    assert {page.status_code for page in pages.values()} == {200}
    assert '<a href="https://pets.example.test/bookings/BK-1/"' in pages["sms"].content.decode()
    assert "&lt;b&gt;is&lt;/b&gt; here" in html.content.decode()
    assert {"default-src 'none'", "script-src 'none'"} <= set(html["Content-Security-Policy"].split("; "))
    assert html["X-Frame-Options"] == "SAMEORIGIN"
    text = next(one for one in all_of_them if one.channel == "sms")
    assert client.get(reverse("dev:outbox_html", args=[text.uid])).status_code == 404


def test_others_find_no_outbox(kept, client, user):
    one = OutboxMessage.objects.first()
    addresses = [
        reverse("dev:outbox"),
        reverse("dev:outbox_message", args=[one.uid]),
        reverse("dev:outbox_html", args=[one.uid]),
    ]
    assert {client.get(address).status_code for address in addresses} == {302}
    client.force_login(user)
    assert {client.get(address).status_code for address in addresses} == {404}


# --- Invariants ---------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"sent_at": NOW, "state": D.WAITING}, "a delivery is sent exactly when it says so"),
        ({"sent_at": NOW, "state": D.SENT}, "nothing leaves the system without its point of no return"),
        (
            {"sent_at": NOW, "state": D.SENT, "handed_at": NOW + 2 * HOUR},
            "nothing leaves the system after it has become useless",
        ),
        ({"leased_until": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)}, "no delivery is in somebody's hands for long"),
        ({"state": D.WAITING}, "nothing that was taken back still waits"),
    ],
)
def test_invariants_find_what_must_not_be(changes, name):
    from django.db import connection

    told = notify(UserFactory(), "test", key="k", title="A", body="B", now=NOW, useless_after=NOW + HOUR)
    [invariant] = [one for one in registered() if one.name == name]

    def found():
        with connection.cursor() as cursor:
            cursor.execute(invariant.sql)
            return len(cursor.fetchall())

    assert found() == 0
    if "taken back" in name:
        type(told).objects.update(cancelled_at=NOW)
    told.deliveries.filter(channel="email").update(**changes)
    assert found() > 0
