"""Carrying notifications: at least once, recorded once, whatever breaks on the way."""

import datetime as dt
import smtplib
import socket
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default as modern

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from django.db import OperationalError, connection

from messaging import tasks
from messaging.channels.email import EmailAdapter
from messaging.domain import cancel, notify, outbox, rendering
from messaging.models import Channel, Delivery, DeliveryState
from petplace.errors import InvalidTransition
from tests.factories import UserFactory

NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)


def tell(user=None, key="k", channels=(Channel.EMAIL,), **options):
    options = {"title": "Booked", "body": "Rex is coming.", "now": NOW} | options
    notification = notify(user or UserFactory(), "test", key=key, channels=channels, **options)
    return notification.deliveries.first()


def fresh(delivery):
    return Delivery.objects.get(pk=delivery.pk)


class Sink:
    """A mail server on this machine that keeps what it gets and can refuse."""

    def __init__(self) -> None:
        self.mails: list = []
        self.answer = "250 OK"
        self.asked = 0
        self.later_each = 0  # each so manieth recipient is put off
        self.port = free_port()
        self.controller: Controller | None = None

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        self.asked += 1
        answer = self.answer
        if address.startswith("nobody"):
            answer = "550 no such user"
        elif self.later_each and self.asked % self.later_each == 0:
            answer = "451 try later"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=modern))
        return "250 OK"

    def start(self) -> None:
        self.controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self.controller.start()

    def stop(self) -> None:
        if self.controller:
            self.controller.stop()
            self.controller = None


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture
def sink(settings) -> Iterator[Sink]:
    sink = Sink()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
    sink.start()
    yield sink
    sink.stop()


@pytest.mark.django_db
def test_mail_reaches_a_real_server_as_text_and_html(sink, settings):
    settings.SITE_URL = "https://pets.example.test"
    user = UserFactory(email="anna@example.test", full_name="Anna Smith")
    delivery = tell(user, title="Rex <b>is</b> & booked", body="One.\n\nTwo.", url="/bookings/BK-1/")

    outcome = outbox.deliver_due(now=NOW)

    assert str(outcome) == "1 sent, 0 kept, 0 failed, 0 dead, 0 skipped, 0 too_late"
    [got] = sink.mails
    assert (got["To"], got["Subject"], got["Auto-Submitted"]) == (
        "anna@example.test",
        "Rex <b>is</b> & booked",
        "auto-generated",
    )
    assert got["Message-ID"] == f"<{delivery.uid}@pets.example.test>"
    text, html = (part.get_content() for part in got.iter_parts())
    assert "Hello Anna," in text
    assert "See it here: https://pets.example.test/bookings/BK-1/" in text
    assert "Rex <b>is</b> & booked" in text
    assert ">Rex &lt;b&gt;is&lt;/b&gt; &amp; booked</h1>" in html
    assert "<p>One.</p>" in html
    assert 'href="https://pets.example.test/bookings/BK-1/"' in html
    row = fresh(delivery)
    assert (row.state, row.sent_at, row.attempts, row.leased_until) == (DeliveryState.SENT, NOW, 1, None)


@pytest.mark.django_db
def test_mail_without_an_address_has_no_button():
    tell(url="")

    outbox.deliver_due(now=NOW)

    assert "See it" not in mail.outbox[0].body + mail.outbox[0].alternatives[0].content


@pytest.mark.django_db
def test_braces_in_names_stay_text():
    tell(title="{{7*7}} {% load x %} {0.__class__} %s", body="{{ settings.SECRET_KEY }}")

    outbox.deliver_due(now=NOW)

    assert mail.outbox[0].subject == "{{7*7}} {% load x %} {0.__class__} %s"
    assert "{{ settings.SECRET_KEY }}" in mail.outbox[0].body


@pytest.mark.django_db
def test_what_is_not_due_waits():
    delivery = tell(due_at=NOW + SECOND)

    assert outbox.deliver_due(now=NOW) == outbox.Outcome()
    assert outbox.deliver_due(now=NOW + SECOND).sent == 1
    assert fresh(delivery).state == DeliveryState.SENT


@pytest.mark.django_db
def test_in_the_app_it_is_only_marked():
    delivery = tell(channels=(Channel.IN_APP,))

    assert outbox.deliver_due(now=NOW).sent == 1

    assert mail.outbox == []
    assert (fresh(delivery).state, fresh(delivery).attempts) == (DeliveryState.SENT, 1)


@pytest.mark.django_db
def test_what_was_taken_back_is_not_sent():
    delivery = tell(topic="t:1", due_at=NOW + SECOND)
    cancel(topic="t:1", kind="test", now=NOW)

    assert outbox.deliver_due(now=NOW + HOUR) == outbox.Outcome()
    assert fresh(delivery).state == DeliveryState.CANCELLED


@pytest.mark.django_db
def test_what_would_come_too_late_is_dropped_and_says_so():
    late = tell(useless_after=NOW + HOUR)
    in_time = tell(late.notification.user, "k2", useless_after=NOW + 3 * HOUR)

    outcome = outbox.deliver_due(now=NOW + 2 * HOUR)

    assert (outcome.too_late, outcome.sent) == (1, 1)
    assert (fresh(late).state, fresh(late).last_error) == (DeliveryState.LATE, "Too late to be of use.")
    assert fresh(in_time).state == DeliveryState.SENT


@pytest.mark.django_db
def test_a_closed_account_gets_nothing():
    delivery = tell(UserFactory(is_active=False))

    outbox.deliver_due(now=NOW)

    assert mail.outbox == []
    assert (fresh(delivery).state, fresh(delivery).last_error) == (DeliveryState.CANCELLED, "The account is closed.")


@pytest.mark.django_db
def test_server_away_costs_one_attempt_and_all_go_out_when_it_is_back(sink):
    user = UserFactory()
    rows = [tell(user, f"k{number}") for number in range(5)]
    sink.stop()

    assert outbox.deliver_due(now=NOW) == outbox.Outcome(failed=1)

    assert [fresh(row).attempts for row in rows] == [1, 0, 0, 0, 0]
    first = fresh(rows[0])
    assert (first.due_at, first.leased_until) == (NOW + 15 * SECOND, None)
    assert first.last_error.startswith("ChannelAwayError: ConnectionRefusedError: ")

    sink.start()
    assert outbox.deliver_due(now=NOW + 15 * SECOND).sent == 5
    assert len(sink.mails) == 5
    assert {fresh(row).state for row in rows} == {DeliveryState.SENT}


@pytest.mark.django_db
def test_half_an_hour_away_and_then_every_tenth_put_off(sink):
    """All who can be reached have their mail a quarter of an hour after the server is back, each once."""
    minute = dt.timedelta(minutes=1)
    rows = [tell(UserFactory(), f"k{number}") for number in range(60)]
    bad = [tell(UserFactory(email=f"nobody{number}@example.test"), f"bad{number}") for number in range(3)]
    sink.stop()
    sink.later_each = 10
    for number in range(30):
        outbox.deliver_due(now=NOW + number * minute)
    assert sink.mails == []
    sink.start()
    for number in range(30, 46):
        outbox.deliver_due(now=NOW + number * minute)

    assert {fresh(row).state for row in rows} == {DeliveryState.SENT}
    assert {fresh(row).state for row in bad} == {DeliveryState.DEAD}
    ids = [one["Message-ID"] for one in sink.mails]
    assert (len(ids), len(set(ids))) == (60, 60)
    assert sink.asked > 66  # some were put off, and asked for again


@pytest.mark.django_db
def test_waits_double_and_the_row_is_given_up_and_may_be_sent_again(sink):
    delivery = tell()
    sink.answer = "451 try later"
    now, waits = NOW, []
    for _ in range(outbox.MAX_ATTEMPTS - 1):
        outbox.deliver_due(now=now)
        waits.append(int((fresh(delivery).due_at - now).total_seconds()))
        now = fresh(delivery).due_at

    assert waits == [15, 30, 60, 120, 240, 480, 960, 1920, 3840, 7200, 7200]
    assert outbox.deliver_due(now=now) == outbox.Outcome(dead=1)
    assert fresh(delivery).state == DeliveryState.DEAD
    assert "451" in fresh(delivery).last_error
    assert outbox.deliver_due(now=now + HOUR * 24) == outbox.Outcome()

    sink.answer = "250 OK"
    outbox.send_again(delivery, now=now)
    assert outbox.deliver_due(now=now).sent == 1
    assert (fresh(delivery).attempts, fresh(delivery).last_error) == (1, "")


@pytest.mark.django_db
def test_address_refused_for_good_is_given_up_at_once(sink):
    delivery = tell()
    sink.answer = "550 no such user"

    assert outbox.deliver_due(now=NOW) == outbox.Outcome(dead=1)
    assert fresh(delivery).state == DeliveryState.DEAD


@pytest.mark.django_db
@pytest.mark.parametrize("state", [s for s in DeliveryState if s != DeliveryState.DEAD])
def test_only_a_dead_delivery_can_be_sent_again(state):
    delivery = tell()
    Delivery.objects.update(state=state, sent_at=NOW)

    with pytest.raises(InvalidTransition) as caught:
        outbox.send_again(delivery, now=NOW)
    assert caught.value.code == "invalid_transition"


@pytest.mark.django_db
def test_one_poisoned_row_does_not_stop_the_others(monkeypatch):
    user = UserFactory()
    poisoned = tell(user, "bad")
    good = [tell(user, f"good{number}") for number in range(20)]
    render = rendering.parcel

    def render_or_fail(delivery, *, now):
        if delivery.pk == poisoned.pk:
            raise ZeroDivisionError("poison")
        return render(delivery, now=now)

    monkeypatch.setattr(rendering, "parcel", render_or_fail)

    assert outbox.deliver_due(now=NOW) == outbox.Outcome(sent=20, failed=1)
    assert fresh(poisoned).last_error == "ZeroDivisionError: poison"
    assert {fresh(row).state for row in good} == {DeliveryState.SENT}


@pytest.mark.django_db
def test_a_backend_that_takes_nothing_is_a_failure(settings):
    settings.EMAIL_BACKEND = "tests.messaging.test_outbox.Deaf"

    tell()

    assert outbox.deliver_due(now=NOW) == outbox.Outcome(failed=1)


class Deaf:
    def __init__(self, **options: object) -> None:
        pass

    def open(self) -> None:
        pass

    def close(self) -> None:
        raise smtplib.SMTPServerDisconnected

    def send_messages(self, messages: list) -> int:
        return 0


class KilledError(BaseException):
    """Stands for kill -9: nothing of the program runs after it but the death of its connection."""


@pytest.mark.django_db(transaction=True)
def test_killed_between_sending_and_marking_is_sent_again_under_the_same_id_and_recorded_once(sink, monkeypatch):
    delivery = tell()

    def killed(*_args, **_options):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_mark_sent", killed)
        with pytest.raises(KilledError):
            outbox.deliver_due(now=NOW)

    assert fresh(delivery).state == DeliveryState.WAITING
    # In the hands of the dead one until the lease runs out.
    assert outbox.deliver_due(now=NOW + outbox.LEASE - SECOND) == outbox.Outcome()

    assert outbox.deliver_due(now=NOW + outbox.LEASE).sent == 1

    assert len({mail["Message-ID"] for mail in sink.mails}) == 1
    assert (len(sink.mails), Delivery.objects.filter(state=DeliveryState.SENT).count()) == (2, 1)
    assert (fresh(delivery).attempts, fresh(delivery).leased_until) == (2, None)


@pytest.mark.django_db(transaction=True)
def test_killed_before_sending_loses_nothing(monkeypatch):
    delivery = tell()

    def killed(*_args, **_options):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(EmailAdapter, "send", killed)
        with pytest.raises(KilledError):
            outbox.deliver_due(now=NOW)

    assert outbox.deliver_due(now=NOW + outbox.LEASE).sent == 1
    assert len(mail.outbox) == 1
    assert fresh(delivery).state == DeliveryState.SENT


@pytest.mark.django_db
def test_what_is_taken_back_under_way_is_recorded_as_sent(monkeypatch):
    delivery = tell(topic="t:1")
    send = EmailAdapter.send

    def send_and_take_back(adapter, parcel):
        receipt = send(adapter, parcel)
        cancel(topic="t:1", kind="test", now=NOW)
        return receipt

    monkeypatch.setattr(EmailAdapter, "send", send_and_take_back)
    outbox.deliver_due(now=NOW)

    assert (fresh(delivery).state, fresh(delivery).sent_at) == (DeliveryState.SENT, NOW)


@pytest.mark.django_db
def test_what_is_taken_back_while_it_fails_stays_taken_back(monkeypatch):
    delivery = tell(topic="t:1")

    def take_back_and_fail(adapter, parcel):
        cancel(topic="t:1", kind="test", now=NOW)
        raise TimeoutError

    monkeypatch.setattr(EmailAdapter, "send", take_back_and_fail)
    outbox.deliver_due(now=NOW)

    assert fresh(delivery).state == DeliveryState.CANCELLED


@pytest.mark.django_db
def test_a_pass_ends_at_its_limits():
    user = UserFactory()
    for number in range(4):
        tell(user, f"k{number}")

    assert outbox.deliver_due(now=NOW, limit=3).sent == 3
    assert outbox.deliver_due(now=NOW, seconds=0).sent == 0
    assert outbox.deliver_due(now=NOW).sent == 1


def burst(count: int) -> int:
    """Let ``count`` senders run over the same rows on their own connections. Returns how many mails went out."""
    barrier = threading.Barrier(count)

    def sender() -> None:
        connection.ensure_connection()
        try:
            barrier.wait()
            outbox.deliver_due(now=NOW, seconds=60)
        finally:
            connection.close()

    threads = [threading.Thread(target=sender) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(mail.outbox)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_four_senders_at_once_send_each_mail_once():
    user = UserFactory()
    for number in range(40):
        tell(user, f"k{number}", channels=(Channel.EMAIL, Channel.IN_APP))

    assert burst(4) == 40
    assert len({message.extra_headers["Message-ID"] for message in mail.outbox}) == 40
    assert set(Delivery.objects.values_list("state", "attempts")) == {(DeliveryState.SENT, 1)}


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_lease_mails_go_out_twice(monkeypatch):
    user = UserFactory()
    for number in range(40):
        tell(user, f"k{number}")

    def lease_without_lock(channel, now):
        rows = outbox._free(now).filter(channel=channel).select_related("notification__user")
        return rows.order_by("due_at", "pk").first()

    monkeypatch.setattr(outbox, "_lease", lease_without_lock)
    monkeypatch.setattr(outbox, "_hand_over", lambda delivery, walk: True)

    assert burst(4) > 40


@pytest.mark.django_db
def test_task_sends_what_is_due(time_machine):
    time_machine.move_to(NOW)
    tell()

    tasks.deliver_due()
    tasks.deliver_due()

    assert len(mail.outbox) == 1


@pytest.mark.django_db
def test_task_survives_a_database_that_is_away(monkeypatch, caplog):
    def away(**_options):
        raise OperationalError("gone")

    monkeypatch.setattr(outbox, "deliver_due", away)

    with caplog.at_level("WARNING"):
        tasks.deliver_due()

    assert "Deliveries wait: the database is away (gone)." in caplog.text


@pytest.mark.django_db
def test_lost_database_while_noting_leaves_the_lease(monkeypatch):
    delivery = tell()

    def lost(*_args, **_options):
        raise OperationalError("gone")

    monkeypatch.setattr(EmailAdapter, "send", lost)

    with pytest.raises(OperationalError):
        outbox.deliver_due(now=NOW)
    assert fresh(delivery).leased_until == NOW + outbox.LEASE
