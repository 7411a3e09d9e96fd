"""Push over real HTTP: read by the browser it is for, and never a trap set by an address."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from py_vapid import Vapid02

from messaging import kinds
from messaging.channels import push, vapid, webpush
from messaging.channels.base import (
    Action,
    ChannelAwayError,
    NoAddressError,
    Parcel,
    RefusedError,
    SendingError,
)
from messaging.choices import Channel, DeliveryState
from messaging.domain import devices, notify, outbox
from messaging.kinds import Kind, Urgency
from messaging.models import Delivery, Device
from tests.factories import DeviceFactory, UserFactory
from tests.messaging.services import Answer, Browser, Fcm, PushService

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
KIND = Kind("push_test", "Tests", "bookings", (Channel.IN_APP, Channel.PUSH), urgency=Urgency.URGENT)


@pytest.fixture(autouse=True)
def _setup(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, KIND.name: KIND})
    settings.VAPID_PRIVATE_KEY = vapid.make_key()
    settings.VAPID_SUBJECT = "mailto:ops@pets.example.test"
    settings.PUSH_ALLOW_PRIVATE = True
    settings.CHANNEL_TIMEOUT_SECONDS = 2.0
    push.forget_silence()


@pytest.fixture
def service() -> Iterator[PushService]:
    with PushService(vapid.public_key()).running() as running:
        assert isinstance(running, PushService)
        yield running


@pytest.fixture
def fcm(settings: Any) -> Iterator[Fcm]:
    with Fcm().running() as running:
        assert isinstance(running, Fcm)
        settings.FCM_SERVICE_ACCOUNT = running.service_account()
        settings.PUSH_API_BASE = running.url
        yield running


def device_of(browser: Browser, **fields: Any) -> Device:
    return DeviceFactory(address=browser.endpoint, **browser.keys, **fields)


def parcel(*of: Device, **fields: Any) -> Parcel:
    values = {
        "delivery_pk": 1,
        "delivery_uid": uuid4(),
        "user": of[0].user if of else UserFactory(),
        "kind": KIND,
        "title": "Booked",
        "body": "Rex is coming.",
        "short": "Rex is coming at 17:00.",
        "url": "http://localhost:8000/bookings/PP-1/",
        "message_id": "<1@localhost>",
        "devices": of,
    }
    return Parcel(**values | fields)


def send(content: Parcel) -> Any:
    adapter = push.PushAdapter()
    assert adapter.is_ready()
    adapter.open()
    try:
        return adapter.send(content)
    finally:
        adapter.close()


# --- Browsers -----------------------------------------------------------------------------------


def test_push_is_read_by_the_browser_that_it_is_for(service: PushService) -> None:
    browser = service.browser()
    device = device_of(browser)
    links = (Action("Accept", "http://localhost:8000/a"), Action("Decline", "http://localhost:8000/d"))

    receipt = send(parcel(device, actions=links, bundle="conversation:1"))

    assert receipt.reached == (str(device.uid),)
    said = browser.read(service.pushes[0].body)
    assert (said["title"], said["body"]) == ("Booked", "Rex is coming at 17:00.")
    assert said["url"] == "http://localhost:8000/bookings/PP-1/"
    assert said["tag"] == "conversation:1"
    assert said["actions"] == [{"title": one.label, "url": one.url} for one in links]
    with pytest.raises(Exception, match="Decryption error"):
        service.browser().read(service.pushes[0].body)  # the control: another's keys open nothing


def test_headers_say_how_long_how_urgent_and_what_it_replaces(service: PushService, time_machine: Any) -> None:
    time_machine.move_to(NOW)
    device = device_of(service.browser())

    send(parcel(device, useless_after=NOW + dt.timedelta(hours=2), bundle="conversation:1"))
    send(parcel(device))

    first, second = (one.headers for one in service.pushes)
    assert 7190 <= int(first["ttl"]) <= 7200
    assert first["urgency"] == "high"
    assert first["topic"] == webpush.topic("conversation:1")
    assert len(first["topic"]) == 32
    assert (second["ttl"], "topic" in second) == ("86400", False)


def test_push_of_another_site_is_refused_and_the_device_stays(service: PushService, settings: Any) -> None:
    """The control of the signature: the service checks it. A key of ours that is wrong must not cost all devices."""
    device = device_of(service.browser())
    settings.VAPID_PRIVATE_KEY = vapid.make_key()

    with pytest.raises(RefusedError, match="403"):
        send(parcel(device))

    device.refresh_from_db()
    assert device.failed_at is not None
    assert service.pushes == []


@pytest.mark.parametrize("status", [404, 410])
def test_device_that_is_gone_is_forgotten(service: PushService, status: int) -> None:
    device = device_of(service.browser())
    service.answers["/send/one"] = Answer(status, None)

    with pytest.raises(NoAddressError):
        send(parcel(device))

    assert not Device.objects.filter(pk=device.pk).exists()


def test_one_device_gone_does_not_keep_it_from_the_others(service: PushService) -> None:
    one, two = service.browser("one"), service.browser("two")
    gone = device_of(one)
    stays = device_of(two, user=gone.user)
    service.answers["/send/one"] = Answer(410, None)

    receipt = send(parcel(gone, stays))

    assert receipt.reached == (str(stays.uid),)
    assert list(Device.objects.all()) == [stays]


@pytest.mark.parametrize("status", [301, 307, 400, 413])
def test_odd_answer_is_final_and_nothing_is_followed(service: PushService, status: int) -> None:
    device = device_of(service.browser())
    service.answers["/send/one"] = Answer(status, None, {"Location": f"{service.url}/send/two"})

    with pytest.raises(RefusedError):
        send(parcel(device))

    assert [request.path for request in service.seen] == ["/send/one"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_of_the_service_is_tried_again(service: PushService, status: int) -> None:
    device = device_of(service.browser())
    service.answers["/send/one"] = Answer(status, None)

    with pytest.raises(SendingError, match=str(status)):
        send(parcel(device))

    device.refresh_from_db()
    assert device.failed_at is not None


def test_device_that_fails_for_days_is_given_up(service: PushService) -> None:
    device = device_of(service.browser(), failed_at=NOW - dt.timedelta(days=3))

    devices.note_failure(device, "No answer.", now=NOW)

    assert not Device.objects.exists()


def test_device_that_answers_again_is_well(service: PushService) -> None:
    device = device_of(service.browser(), failed_at=NOW, last_error="No answer.")

    send(parcel(device))

    device.refresh_from_db()
    assert (device.failed_at, device.last_error) == (None, "")


def test_those_who_have_it_are_not_reached_twice(service: PushService) -> None:
    one, two = service.browser("one"), service.browser("two")
    first = device_of(one)
    second = device_of(two, user=first.user)
    service.answers["/send/two"] = Answer(503, None)

    with pytest.raises(SendingError) as failed:
        send(parcel(first, second))
    push.forget_silence()
    del service.answers["/send/two"]
    receipt = send(parcel(first, second, reached=frozenset(failed.value.reached)))

    assert failed.value.reached == (str(first.uid),)
    assert receipt.reached == (str(second.uid),)
    assert [one.path for one in service.pushes] == ["/send/one", "/send/two"]


def test_service_that_is_silent_is_left_alone(service: PushService, settings: Any) -> None:
    settings.CHANNEL_TIMEOUT_SECONDS = 0.2
    device = device_of(service.browser())
    service.be(silence=1)

    for _ in range(3):
        with pytest.raises(SendingError):
            send(parcel(device))

    assert len(service.seen) == 1


def test_known_service_in_trouble_ends_the_pass(service: PushService, settings: Any) -> None:
    settings.WEB_PUSH_HOSTS = ["127.0.0.1"]
    device = device_of(service.browser())
    service.answers["/send/one"] = Answer(500, None)

    with pytest.raises(ChannelAwayError):
        send(parcel(device))


# --- Traps --------------------------------------------------------------------------------------


def test_endpoint_in_a_closed_network_is_not_called_and_forgotten(service: PushService, settings: Any) -> None:
    device = device_of(service.browser())
    settings.PUSH_ALLOW_PRIVATE = False

    with pytest.raises(NoAddressError):
        send(parcel(device))

    assert service.seen == []
    assert not Device.objects.exists()


def test_endpoint_that_is_on_the_list_no_more_is_not_called(service: PushService, settings: Any) -> None:
    device = device_of(service.browser())
    settings.WEB_PUSH_HOSTS = ["push.example.test"]

    with pytest.raises(NoAddressError):
        send(parcel(device))

    assert service.seen == []


def test_long_texts_fit_into_a_push(service: PushService) -> None:
    browser = service.browser()
    links = (Action("Accept", "http://localhost:8000/" + "a" * 2000), Action("Decline", "http://x/" + "b" * 2000))

    send(parcel(device_of(browser), title="🐕" * 200, short="é" * 160, actions=links))

    assert len(service.pushes[0].body) <= 4096
    assert browser.read(service.pushes[0].body)["actions"] == []


# --- Apps ---------------------------------------------------------------------------------------


def app(token: str = "app-1", **fields: Any) -> Device:
    return DeviceFactory(kind="fcm", address=token, p256dh="", auth="", **fields)


def test_app_is_reached_over_fcm(fcm: Fcm) -> None:
    device = app()

    receipt = send(parcel(device, bundle="b"))

    assert receipt.reached == (str(device.uid),)
    message = fcm.messages[0]
    assert message["token"] == "app-1"
    assert message["notification"] == {"title": "Booked", "body": "Rex is coming at 17:00."}
    assert message["data"]["url"] == "http://localhost:8000/bookings/PP-1/"
    assert message["android"]["priority"] == "HIGH"
    assert message["android"]["collapse_key"] == message["apns"]["headers"]["apns-collapse-id"]


def test_token_is_fetched_once_and_anew_when_it_ended(fcm: Fcm) -> None:
    device = app()

    send(parcel(device))
    send(parcel(device))
    fcm.tokens.clear()  # as Google does after a key was changed
    send(parcel(device))

    assert len(fcm.messages) == 3
    assert [request.path for request in fcm.seen].count("/token") == 2


def test_app_that_is_gone_is_forgotten(fcm: Fcm) -> None:
    device = app()
    fcm.gone.add("app-1")

    with pytest.raises(NoAddressError):
        send(parcel(device))

    assert not Device.objects.exists()


def test_wrong_project_is_trouble_of_ours_and_costs_no_device(fcm: Fcm, settings: Any) -> None:
    settings.FCM_SERVICE_ACCOUNT = fcm.service_account().replace('"pets"', '"cats"')

    with pytest.raises(ChannelAwayError, match="service account"):
        send(parcel(app()))

    assert Device.objects.count() == 1


def test_sign_in_that_fails_is_trouble_of_ours(fcm: Fcm) -> None:
    fcm.fail_next("500", path="/token", times=10)

    with pytest.raises(ChannelAwayError):
        send(parcel(app()))


def test_app_without_fcm_is_passed_over_with_a_word_why(service: PushService) -> None:
    with pytest.raises(NoAddressError, match="FCM_SERVICE_ACCOUNT is not set"):
        send(parcel(app()))


# --- The key ------------------------------------------------------------------------------------


def test_development_makes_its_key_once(settings: Any, tmp_path: Any) -> None:
    settings.VAPID_PRIVATE_KEY, settings.DATA_DIR = "", tmp_path

    first = vapid.private_key()
    vapid._kept.cache_clear()

    assert vapid.private_key() == first
    assert (tmp_path / "vapid-key").stat().st_mode & 0o077 == 0
    assert Vapid02.from_string(first)


def test_production_without_a_key_has_no_push(settings: Any) -> None:
    settings.VAPID_PRIVATE_KEY, settings.IS_PRODUCTION = "", True

    assert not push.PushAdapter().is_ready()
    assert vapid.public_key() == ""


def test_command_prints_a_key_that_works(settings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("make_push_key")

    name, _, key = capsys.readouterr().out.strip().partition("=")
    settings.VAPID_PRIVATE_KEY = key
    assert (name, len(vapid.public_key())) == ("VAPID_PRIVATE_KEY", 87)


# --- The outbox ---------------------------------------------------------------------------------


def tell(user: Any, key: str, *channels: Channel) -> None:
    notify(user, KIND.name, key=key, title="Booked", body="Rex.", now=NOW, channels=(Channel.IN_APP, *channels))


def test_outbox_carries_a_push_and_marks_it(service: PushService) -> None:
    browser = service.browser()
    device = device_of(browser)
    tell(device.user, "k", Channel.PUSH)

    outbox.deliver_due(now=NOW)

    delivery = Delivery.objects.get(channel=Channel.PUSH)
    assert (delivery.state, delivery.reached) == (DeliveryState.SENT, [str(device.uid)])
    assert browser.read(service.pushes[0].body)["title"] == "Booked"


def test_push_service_that_hangs_ends_only_its_channels_pass(
    service: PushService, settings: Any, mailoutbox: list[Any]
) -> None:
    settings.WEB_PUSH_HOSTS = ["127.0.0.1"]
    settings.CHANNEL_TIMEOUT_SECONDS = 0.3
    service.be(silence=1)
    user = device_of(service.browser()).user
    for number in range(5):
        tell(user, f"k{number}", Channel.PUSH, Channel.EMAIL)

    outbox.deliver_due(now=NOW, seconds=30)  # however slow this machine is

    assert len(mailoutbox) == 5
    assert len(service.seen) == 1  # waited for once, not for each row
    waiting = Delivery.objects.filter(channel=Channel.PUSH, state=DeliveryState.WAITING)
    assert waiting.count() == 5


def test_one_device_of_two_that_never_answers_is_no_dead_letter(service: PushService) -> None:
    one, two = service.browser("one"), service.browser("two")
    reached = device_of(one)
    device_of(two, user=reached.user)
    service.answers["/send/two"] = Answer(503, None)
    tell(reached.user, "k", Channel.PUSH)

    now = NOW
    for _ in range(outbox.MAX_ATTEMPTS + 1):
        outbox.deliver_due(now=now)
        now += dt.timedelta(hours=3)

    delivery = Delivery.objects.get(channel=Channel.PUSH)
    assert (delivery.state, delivery.reached) == (DeliveryState.SENT, [str(reached.uid)])
    assert len(service.pushes) == 1
