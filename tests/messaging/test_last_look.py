"""The point of no return: who cancels, moves or closes before it is not written to; who comes after it was sent."""

import datetime as dt
import os
import sys
import threading
import time
from collections import Counter

import pytest
from django.db import connection, transaction

from messaging.channels.base import Receipt
from messaging.channels.email import EmailAdapter
from messaging.choices import Channel, DeliveryState
from messaging.domain import cancel, move, notify, outbox, rendering
from messaging.models import Delivery, Notification
from tests.factories import UserFactory

NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
# The full number with `make faults`.
IS_FULL = os.environ.get("PETPLACE_FAULTS") == "full"
ROUNDS = 200 if IS_FULL else 50


def tell(user=None, key="k", **options):
    options = {"title": "Rex", "body": "-", "topic": "t", "channels": (Channel.EMAIL,)} | options
    return notify(user or UserFactory(), "test", key=key, now=NOW, **options).deliveries.get()


@pytest.fixture
def sent(monkeypatch):
    """What really went out, as the delivery's id."""
    gone = []

    def send(_adapter, parcel):
        gone.append(parcel.delivery_uid)
        return Receipt(ref=parcel.message_id)

    monkeypatch.setattr(EmailAdapter, "send", send)
    return gone


def meddle(monkeypatch, change):
    """Let ``change`` happen when the message is rendered and not yet handed over."""
    render = rendering.parcel

    def render_then_change(delivery, *, now):
        parcel = render(delivery, now=now)
        change()
        return parcel

    monkeypatch.setattr(rendering, "parcel", render_then_change)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "state"),
    [
        (lambda: cancel(topic="t", kind="test", now=NOW), DeliveryState.CANCELLED),
        (lambda: Notification.objects.update(cancelled_at=NOW), DeliveryState.WAITING),
        (lambda: Delivery.objects.update(leased_until=None, due_at=NOW + HOUR), DeliveryState.WAITING),
        (lambda: Delivery.objects.update(attempts=9), DeliveryState.WAITING),  # somebody else has it now
        (lambda: Notification.objects.all().delete(), None),
    ],
)
def test_a_change_before_the_last_look_stops_it(monkeypatch, sent, change, state):
    tell()
    meddle(monkeypatch, change)

    outbox.deliver_due(now=NOW)

    assert sent == []
    assert Delivery.objects.values_list("state", flat=True).first() == state


@pytest.mark.django_db
def test_a_reminder_moved_under_the_senders_hands_goes_at_its_new_time(monkeypatch, sent):
    # Due an hour ago on the sender's clock; whoever moves it looks at a clock of before.
    delivery = tell(due_at=NOW + HOUR, key="r")
    with monkeypatch.context() as patch:
        meddle(patch, lambda: move(topic="t", kind="test", due_at=NOW + 5 * HOUR, now=NOW))
        outbox.deliver_due(now=NOW + HOUR)
    assert sent == []

    outbox.deliver_due(now=NOW + 5 * HOUR)
    assert sent == [delivery.uid]


@pytest.mark.django_db
def test_what_becomes_useless_while_it_waits_for_its_turn_is_late(monkeypatch, sent):
    delivery = tell(useless_after=NOW + dt.timedelta(seconds=1))
    monkeypatch.setattr(outbox.Pass, "clock", lambda _walk: NOW + dt.timedelta(seconds=2))

    outcome = outbox.deliver_due(now=NOW)

    delivery.refresh_from_db()
    assert (sent, outcome.too_late) == ([], 1)
    assert (delivery.state, delivery.last_error, delivery.leased_until) == (DeliveryState.LATE, outbox.TOO_LATE, None)


# --- Changes race the sender (RELIABILITY J10) --------------------------------------------------


def race(rounds: int) -> tuple[Counter[str], list[str]]:
    """In each round one thread sends and one takes back or moves, at a moment that wanders over a message's way.

    Returns how the rounds ended, and what must not be: something went out although the change had the row before the
    sender's last look, or the row says something else than what happened.
    """
    user, second, far = UserFactory(), dt.timedelta(seconds=1), dt.timedelta(days=9)
    rows = [tell(user, f"k{n}", topic=f"t:{n}", due_at=NOW + n * second) for n in range(rounds)]
    began, taken_in_time, barrier = set(), set(), threading.Barrier(2)
    took = [0.05]  # seconds of a whole pass on this machine, as last seen

    def send(_adapter, parcel):
        began.add(parcel.delivery_uid)
        return Receipt(ref=parcel.message_id)

    def sender():
        for number in range(rounds):
            barrier.wait(20)
            started = time.monotonic()
            outbox.deliver_due(now=NOW + number * second, limit=1)
            took[0] = time.monotonic() - started
            barrier.wait(20)

    def taker():
        for number, row in enumerate(rows):
            barrier.wait(20)
            time.sleep(number % 25 / 25 * took[0])
            with transaction.atomic():
                if number % 2:
                    cancel(topic=f"t:{number}", kind="test", now=NOW - second)
                else:
                    move(topic=f"t:{number}", kind="test", due_at=NOW + far, now=NOW - second)
                handed_at, state = Delivery.objects.values_list("handed_at", "state").get(pk=row.pk)
                if handed_at is None and state != DeliveryState.SENT:
                    taken_in_time.add(row.uid)
            barrier.wait(20)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EmailAdapter, "send", send)
        together(sender, taker)
    states = dict(Delivery.objects.filter(notification__user=user).values_list("uid", "state"))
    wrong = [f"{uid} went out although it was taken in time" for uid in began & taken_in_time]
    wrong += [
        f"{uid} is {state}, sent: {uid in began}"
        for uid, state in states.items()
        if (state == "sent") != (uid in began)
    ]
    return Counter(states.values()), wrong


def together(*calls):
    errors = []

    def run(call):
        try:
            connection.ensure_connection()
            call()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not errors, errors


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_a_change_and_the_sender_at_once_agree_on_who_was_first(capsys):
    ended, wrong = race(ROUNDS)

    with capsys.disabled():
        sys.stdout.write(f"\n{ROUNDS} rounds: {dict(ended)}, wrong: {len(wrong)}\n")
    assert wrong == []
    assert ended["sent"] > 0
    assert ended["cancelled"] > 0


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_last_look_what_was_taken_back_goes_out(monkeypatch, capsys):
    monkeypatch.setattr(outbox, "_hand_over", lambda delivery, walk: True)

    ended, wrong = race(ROUNDS)

    with capsys.disabled():
        sys.stdout.write(f"\ncontrol, {ROUNDS} rounds: {dict(ended)}, wrong: {len(wrong)}\n")
    assert any("taken in time" in line for line in wrong)
