"""Text messages over a Twilio that checks who asks and signs what it reports, over real HTTP both ways."""

import datetime as dt
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.domain import profile
from accounts.models import User
from messaging import kinds
from messaging.channels import sms
from messaging.choices import Channel, DeliveryState, PhoneState
from messaging.domain import addresses, notify, outbox
from messaging.kinds import Kind, Urgency
from messaging.models import ContactSettings, Delivery, Notification
from tests.factories import UserFactory
from tests.messaging.services import Twilio

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
KIND = Kind("sms_test", "Tests", "bookings", (Channel.IN_APP, Channel.SMS), urgency=Urgency.URGENT)
PHONE = "+4915112345678"
WEBHOOK = "/api/v1/webhooks/twilio/"


@pytest.fixture(autouse=True)
def _setup(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, KIND.name: KIND})
    settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN = Twilio.SID, Twilio.TOKEN
    settings.TWILIO_FROM = "+15005550006"
    settings.SMS_CALLBACK_URL = f"https://pets.example.test{WEBHOOK}"
    settings.CHANNEL_TIMEOUT_SECONDS = 1.0


@pytest.fixture
def twilio(settings: Any) -> Iterator[Twilio]:
    with Twilio().running() as running:
        assert isinstance(running, Twilio)
        settings.SMS_API_BASE = running.url
        yield running


def reader(phone: str = PHONE, **fields: Any) -> User:
    user = UserFactory(phone=phone)
    ContactSettings.objects.create(user=user, **({"texts_are_on": True} | fields))
    return user


def tell(user: User, key: str = "k", **fields: Any) -> Delivery:
    said = {"title": "Confirmed", "body": "Rex is coming.", "url": "/bookings/PP-1/", "now": NOW} | fields
    notify(user, KIND.name, key=key, channels=(Channel.IN_APP, Channel.SMS), **said)
    return Delivery.objects.get(notification__key=key, channel=Channel.SMS)


def post(client: Client, fields: dict[str, str], *, query: str = "", signature: str | None = None) -> Any:
    url = f"https://pets.example.test{WEBHOOK}{query}"
    signed = Twilio().sign(url, fields) if signature is None else signature
    return client.post(
        f"{WEBHOOK}{query}",
        urlencode(fields),
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signed},
    )


def report(client: Client, delivery: Delivery, status: str, **fields: str) -> Any:
    said = {"MessageSid": "SM1", "MessageStatus": status} | fields
    return post(client, said, query=f"?delivery={delivery.uid}")


def carry(delivery: Delivery, *, now: dt.datetime = NOW) -> Delivery:
    outbox.deliver_due(now=now)
    delivery.refresh_from_db()
    return delivery


# --- Sending ------------------------------------------------------------------------------------


def test_text_is_sent_with_our_name_for_it(twilio: Twilio) -> None:
    delivery = carry(tell(reader()))

    text = twilio.texts[0]
    assert (delivery.state, delivery.ref) == (DeliveryState.SENT, text["Sid"])
    assert (text["To"], text["From"]) == (PHONE, "+15005550006")
    assert text["Body"].endswith("/bookings/PP-1/")
    assert text["StatusCallback"] == f"https://pets.example.test{WEBHOOK}?delivery={delivery.uid}"


def test_messaging_service_takes_the_place_of_the_number(twilio: Twilio, settings: Any) -> None:
    settings.TWILIO_MESSAGING_SERVICE_SID = "MG1"

    carry(tell(reader()))

    assert (twilio.texts[0]["MessagingServiceSid"], "From" in twilio.texts[0]) == ("MG1", False)


def test_long_text_is_cut_and_its_link_is_whole(twilio: Twilio) -> None:
    carry(tell(reader(), title="x" * 200, short="y" * 160, url="/" + "u" * 280))

    body = twilio.texts[0]["Body"]
    assert len(body) <= sms.MAX_TEXT
    assert body.endswith("u" * 280)


def test_wrong_token_of_ours_is_an_outage_and_not_the_texts_fault(twilio: Twilio, settings: Any) -> None:
    settings.TWILIO_AUTH_TOKEN = "another"

    delivery = carry(tell(reader()))

    assert (delivery.state, twilio.texts) == (DeliveryState.WAITING, [])
    assert "20003" in delivery.last_error


@pytest.mark.parametrize("fault", ["500", "429", "drop", "silence"])
def test_trouble_at_twilio_is_tried_again(twilio: Twilio, fault: str) -> None:
    twilio.fail_next(fault)
    delivery = tell(reader())

    assert carry(delivery).state == DeliveryState.WAITING
    twilio.be()
    assert carry(delivery, now=NOW + dt.timedelta(minutes=10)).state == DeliveryState.SENT
    assert len(twilio.texts) == 1


def test_lost_answer_is_found_by_the_report_and_not_sent_twice(twilio: Twilio, client: Client) -> None:
    """Twilio has no keys that make a repeat safe: its report, which names our row, says that it went out."""
    twilio.fail_next("drop_after")
    delivery = carry(tell(reader()))
    assert delivery.state == DeliveryState.WAITING

    assert report(client, delivery, "sent", MessageSid=twilio.texts[0]["Sid"]).status_code == 200

    assert carry(delivery, now=NOW + dt.timedelta(hours=1)).state == DeliveryState.SENT
    assert delivery.ref == twilio.texts[0]["Sid"]
    assert len(twilio.texts) == 1


@pytest.mark.parametrize("code", [21211, 21614])
def test_number_that_takes_no_texts_is_final_and_noted(twilio: Twilio, code: int) -> None:
    twilio.refuse[PHONE] = code
    user = reader()

    assert carry(tell(user)).state == DeliveryState.DEAD
    assert ContactSettings.objects.get(user=user).phone_state == PhoneState.UNREACHABLE


def test_who_answered_stop_is_switched_off_and_told_in_the_app(twilio: Twilio) -> None:
    twilio.refuse[PHONE] = sms.STOPPED
    user = reader()

    assert carry(tell(user)).state == DeliveryState.DEAD

    contact = ContactSettings.objects.get(user=user)
    assert (contact.texts_are_on, contact.phone_state) == (False, PhoneState.STOPPED)
    assert Notification.objects.filter(user=user, kind=addresses.TEXTS_STOPPED).count() == 1


def test_refused_text_is_final_for_this_one_only(twilio: Twilio) -> None:
    twilio.refuse[PHONE] = 21602
    refused, other = tell(reader(), "a"), tell(reader("+4915112345679"), "b")

    carry(refused)
    other.refresh_from_db()

    assert (refused.state, other.state) == (DeliveryState.DEAD, DeliveryState.SENT)


def test_without_credentials_there_is_no_adapter(settings: Any) -> None:
    settings.TWILIO_AUTH_TOKEN = ""

    assert not sms.SmsAdapter().is_ready()


def test_twilio_is_not_told_an_address_that_only_we_know(settings: Any) -> None:
    settings.SMS_CALLBACK_URL = "http://localhost:8000/api/v1/webhooks/twilio/"
    settings.SMS_API_BASE = "https://api.twilio.com"

    assert sms.callback_url("x") == ""


def test_new_number_starts_anew_and_the_same_one_does_not() -> None:
    user = reader(phone_state=PhoneState.UNREACHABLE)

    profile.update(user, phone=PHONE, full_name="New Name")
    same = ContactSettings.objects.get(user=user).phone_state
    profile.update(user, phone="+4915112345679")

    assert same == PhoneState.UNREACHABLE
    assert ContactSettings.objects.get(user=user).phone_state == PhoneState.UNKNOWN


# --- Reports ------------------------------------------------------------------------------------


def test_report_of_delivery_is_seen(twilio: Twilio, client: Client) -> None:
    user = reader()
    delivery = carry(tell(user))

    assert report(client, delivery, "delivered").status_code == 200

    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED
    assert delivery.delivered_at is not None
    assert ContactSettings.objects.get(user=user).phone_state == PhoneState.WORKS


def test_reports_in_any_order_and_twice_end_at_the_same(twilio: Twilio, client: Client) -> None:
    delivery = carry(tell(reader()))

    for status in ("delivered", "sent", "delivered", "undelivered", "queued"):
        report(client, delivery, status)

    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED


@pytest.mark.parametrize(
    ("code", "state"), [("30005", PhoneState.UNREACHABLE), ("21610", PhoneState.STOPPED), ("30008", PhoneState.UNKNOWN)]
)
def test_text_that_did_not_arrive_is_dead_with_its_reason(
    twilio: Twilio, client: Client, code: str, state: PhoneState
) -> None:
    user = reader()
    delivery = carry(tell(user))

    for _ in range(2):
        report(client, delivery, "undelivered", ErrorCode=code)

    delivery.refresh_from_db()
    assert (delivery.state, code in delivery.last_error) == (DeliveryState.DEAD, True)
    assert ContactSettings.objects.get(user=user).phone_state == state
    assert Notification.objects.filter(kind=addresses.TEXTS_STOPPED).count() == (code == "21610")


@pytest.mark.parametrize("signature", ["", "wrong", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="])
def test_report_with_a_wrong_signature_changes_nothing(twilio: Twilio, client: Client, signature: str) -> None:
    delivery = carry(tell(reader()))
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}

    answer = post(client, fields, query=f"?delivery={delivery.uid}", signature=signature)

    delivery.refresh_from_db()
    assert (answer.status_code, answer.json()["code"]) == (403, "bad_signature")
    assert delivery.state == DeliveryState.SENT


def test_signature_covers_address_and_every_field(twilio: Twilio, client: Client) -> None:
    one, two = carry(tell(reader(), "a")), carry(tell(reader("+4915112345679"), "b"))
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    url = f"https://pets.example.test{WEBHOOK}?delivery={one.uid}"
    good = twilio.sign(url, fields)

    other_row = post(client, fields, query=f"?delivery={two.uid}", signature=good)
    other_status = post(client, fields | {"MessageStatus": "failed"}, query=f"?delivery={one.uid}", signature=good)
    of_another = post(client, fields, query=f"?delivery={one.uid}", signature=twilio.sign(url, fields, token="x"))
    right = post(client, fields, query=f"?delivery={one.uid}", signature=good)

    assert [answer.status_code for answer in (other_row, other_status, of_another, right)] == [403, 403, 403, 200]


@pytest.mark.parametrize("query", ["", "?delivery=", "?delivery=x", "?delivery=0b7808e7-a3d5-49a6-b253-d5f0bc6a513b"])
def test_report_about_nothing_of_ours_is_taken_and_forgotten(twilio: Twilio, client: Client, query: str) -> None:
    assert post(client, {"MessageSid": "SM1", "MessageStatus": "sent"}, query=query).status_code == 200


def test_webhook_is_not_there_without_credentials(client: Client, settings: Any) -> None:
    settings.TWILIO_AUTH_TOKEN = ""

    assert client.post(WEBHOOK, {"MessageStatus": "sent"}).status_code == 404


@pytest.mark.parametrize("word", ["STOP", "stop ", "Unsubscribe.", "QUIT"])
def test_stop_switches_texts_off_for_everybody_with_the_number(client: Client, word: str) -> None:
    one, two, other = reader(), reader(), reader("+4915112345679")

    post(client, {"MessageSid": "SM1", "From": PHONE, "Body": word})
    post(client, {"MessageSid": "SM1", "From": PHONE, "Body": word})  # Twilio repeats what it is not sure of

    contacts = {contact.user_id: contact.texts_are_on for contact in ContactSettings.objects.all()}
    assert contacts == {one.pk: False, two.pk: False, other.pk: True}
    assert Notification.objects.filter(kind=addresses.TEXTS_STOPPED).count() == 2


def test_start_switches_on_again_only_who_had_them(client: Client) -> None:
    stopped, never = reader(), reader(texts_are_on=False)
    post(client, {"MessageSid": "SM1", "From": PHONE, "Body": "STOP"})

    post(client, {"MessageSid": "SM2", "From": PHONE, "Body": "Start"})

    contacts = {contact.user_id: contact.texts_are_on for contact in ContactSettings.objects.all()}
    assert contacts == {stopped.pk: True, never.pk: False}


def test_any_other_answer_of_a_person_is_left_alone(client: Client) -> None:
    user = reader()

    answer = post(client, {"MessageSid": "SM1", "From": PHONE, "Body": "Can we stop at the park?"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/xml")
    assert ContactSettings.objects.get(user=user).texts_are_on


def test_report_over_the_wire(twilio: Twilio, settings: Any, live_server: Any, transactional_db: None) -> None:
    """Sent and reported over two real lines, signed by the other side's own code."""
    settings.SMS_CALLBACK_URL = f"{live_server.url}{WEBHOOK}"
    delivery = carry(tell(reader()))

    answer = twilio.report(live_server.url, twilio.texts[0], "delivered")

    delivery.refresh_from_db()
    assert (answer.status_code, delivery.state) == (200, DeliveryState.DELIVERED)
