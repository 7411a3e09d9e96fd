"""Mail over SendGrid's API, and what becomes of an address that returns it: switched off, told, and a way back."""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.domain import verification
from accounts.models import User
from messaging import kinds
from messaging.choices import Channel, DeliveryState
from messaging.domain import addresses, notify, outbox
from messaging.kinds import Kind, Urgency
from messaging.models import ContactSettings, Delivery, Notification
from tests.factories import UserFactory
from tests.payments.gateways.fake_server import Answer, FakeServer, Request

pytestmark = pytest.mark.django_db
KIND = Kind("mail_test", "Tests", "bookings", (Channel.IN_APP, Channel.EMAIL), urgency=Urgency.URGENT)
WEBHOOK = "/api/v1/webhooks/sendgrid/"
MAILBOX_FULL = "550 5.1.1 The email account does not exist."


class SendGrid(FakeServer):
    """Takes mail from who knows the key, and signs its reports."""

    def __init__(self) -> None:
        super().__init__()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.mails: list[dict[str, Any]] = []

    def execute(self, request: Request) -> Answer:
        if request.headers.get("authorization") != "Bearer SG.right" or request.path != "/v3/mail/send":
            return Answer(401, {"errors": [{"message": "authorization required"}]})
        self.mails.append(json.loads(request.body))
        return Answer(202, None)

    def public_key(self) -> str:
        raw = self.key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(raw).decode()

    def sign(self, body: bytes, at: str) -> str:
        return base64.b64encode(self.key.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


@pytest.fixture
def sendgrid(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[SendGrid]:
    monkeypatch.setattr(kinds, "_kinds", {**kinds._kinds, KIND.name: KIND})
    with SendGrid().running() as running:
        assert isinstance(running, SendGrid)
        settings.EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
        settings.SENDGRID_WEBHOOK_KEY = running.public_key()
        settings.ANYMAIL = {
            "SENDGRID_API_KEY": "SG.right",
            "SENDGRID_API_URL": f"{running.url}/v3/",
            "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": running.public_key(),
        }
        yield running


def sent(user: User) -> Delivery:
    now = timezone.now()
    notify(user, KIND.name, key="k", title="Booked", body="Rex.", now=now, channels=(Channel.IN_APP, Channel.EMAIL))
    outbox.deliver_due(now=now)
    return Delivery.objects.get(channel=Channel.EMAIL)


def post(client: Client, sendgrid: SendGrid, *events: Any, signature: str | None = None) -> Any:
    body, at = json.dumps(events).encode(), "1795536000"
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": sendgrid.sign(body, at) if signature is None else signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": at,
    }
    return client.post(WEBHOOK, body, content_type="application/json", headers=headers)


def bounce(user: User, **fields: Any) -> dict[str, Any]:
    at = int(timezone.now().timestamp()) + 1
    return {"event": "bounce", "email": user.email, "reason": MAILBOX_FULL, "type": "bounce", "timestamp": at} | fields


def is_off(user: User) -> bool:
    return ContactSettings.objects.filter(user=user, email_bounced_at__isnull=False).exists()


def test_mail_leaves_over_the_api_and_is_known_by_its_id(sendgrid: SendGrid) -> None:
    user = UserFactory()

    delivery = sent(user)

    mail = sendgrid.mails[0]
    assert delivery.state == DeliveryState.SENT
    assert mail["personalizations"][0]["to"] == [{"email": user.email}]
    assert mail["subject"] == "Booked"
    assert {part["type"] for part in mail["content"]} == {"text/plain", "text/html"}
    assert delivery.ref
    assert delivery.ref in json.dumps(mail)


def test_wrong_key_is_a_failure_that_is_tried_again(sendgrid: SendGrid, settings: Any) -> None:
    settings.ANYMAIL = settings.ANYMAIL | {"SENDGRID_API_KEY": "SG.wrong"}

    assert sent(UserFactory()).state == DeliveryState.WAITING


def test_report_of_delivery_is_seen(sendgrid: SendGrid, client: Client) -> None:
    user = UserFactory()
    delivery = sent(user)

    post(client, sendgrid, {"event": "delivered", "email": user.email, "anymail_id": delivery.ref, "timestamp": 1})

    delivery.refresh_from_db()
    assert delivery.state == DeliveryState.DELIVERED


def test_bounce_switches_the_address_off_and_tells_in_the_app(sendgrid: SendGrid, client: Client) -> None:
    user = UserFactory()
    delivery = sent(user)

    for _ in range(2):  # reports are repeated
        assert post(client, sendgrid, bounce(user, anymail_id=delivery.ref)).status_code == 200

    delivery.refresh_from_db()
    assert (delivery.state, MAILBOX_FULL in delivery.last_error) == (DeliveryState.DEAD, True)
    assert is_off(user)
    told = Notification.objects.get(user=user, kind=addresses.EMAIL_RETURNED)
    assert told.url == reverse("messaging:address")
    assert not told.deliveries.filter(channel=Channel.EMAIL).exists()


def test_nothing_more_is_mailed_there(sendgrid: SendGrid, client: Client) -> None:
    user = UserFactory()
    post(client, sendgrid, bounce(user))
    now = timezone.now()
    notify(user, KIND.name, key="later", title="x", body="y", now=now, channels=(Channel.IN_APP, Channel.EMAIL))

    outbox.deliver_due(now=now)

    assert sendgrid.mails == []
    found = Delivery.objects.filter(notification__key="later", channel=Channel.EMAIL)
    assert [one.state for one in found] in ([], [DeliveryState.SKIPPED])


@pytest.mark.parametrize("event", ["spamreport", "dropped"])
def test_complaint_and_suppression_switch_it_off_too(sendgrid: SendGrid, client: Client, event: str) -> None:
    user = UserFactory()
    delivery = sent(user)

    post(client, sendgrid, bounce(user, event=event, type="", reason="Bounced Address", anymail_id=delivery.ref))

    delivery.refresh_from_db()
    assert is_off(user)
    assert delivery.state == (DeliveryState.SENT if event == "spamreport" else DeliveryState.DEAD)


@pytest.mark.parametrize(
    "fields", [{"event": "deferred"}, {"event": "bounce", "type": "blocked"}, {"event": "open"}, {"event": "new"}]
)
def test_passing_trouble_changes_nothing(sendgrid: SendGrid, client: Client, fields: dict[str, str]) -> None:
    user = UserFactory()

    assert post(client, sendgrid, bounce(user, **fields)).status_code == 200

    assert not is_off(user)


@pytest.mark.parametrize("signature", ["", "AAAA", "not base64"])
def test_unsigned_report_changes_nothing(sendgrid: SendGrid, client: Client, signature: str) -> None:
    user = UserFactory()

    answer = post(client, sendgrid, bounce(user), signature=signature)

    assert (answer.status_code, is_off(user)) == (403, False)


def test_report_signed_by_another_changes_nothing(sendgrid: SendGrid, client: Client) -> None:
    user = UserFactory()
    body = json.dumps([bounce(user)]).encode()

    answer = post(client, sendgrid, bounce(user), signature=SendGrid().sign(body, "1795536000"))

    assert (answer.status_code, is_off(user)) == (403, False)


def test_webhook_can_be_guarded_by_a_password_instead(client: Client, settings: Any) -> None:
    settings.SENDGRID_WEBHOOK_SECRET = "name:word"
    settings.ANYMAIL = {"WEBHOOK_SECRET": "name:word"}
    user = UserFactory()
    body = json.dumps([bounce(user)])

    statuses = [
        client.post(WEBHOOK, body, content_type="application/json", headers={"Authorization": f"Basic {word}"})
        for word in (base64.b64encode(b"name:wrong").decode(), base64.b64encode(b"name:word").decode())
    ]

    assert [answer.status_code for answer in statuses] == [403, 200]
    assert is_off(user)


def test_webhook_is_not_there_without_a_key(client: Client) -> None:
    assert client.post(WEBHOOK, "[]", content_type="application/json").status_code == 404


@pytest.mark.parametrize("events", [[1], [{}], [{"event": "bounce", "timestamp": "x"}], [None]])
def test_report_that_cannot_be_read_is_refused(sendgrid: SendGrid, client: Client, events: list[Any]) -> None:
    assert post(client, sendgrid, *events).status_code == 400


def test_report_about_nobody_is_taken(sendgrid: SendGrid, client: Client) -> None:
    answer = post(client, sendgrid, {"event": "bounce", "email": "nobody@example.test", "timestamp": 1}, {"event": "x"})

    assert answer.status_code == 200


# --- The way back -------------------------------------------------------------------------------


def returned(user: User) -> None:
    now = timezone.now()
    addresses.email_returned(user.email, reason=MAILBOX_FULL, at=now, is_complaint=False, now=now)
    assert is_off(user)


def test_page_says_what_happened_and_trying_again_clears_it(client: Client) -> None:
    user = UserFactory()
    returned(user)
    client.force_login(user)

    page = client.get(reverse("messaging:address"))
    assert MAILBOX_FULL in page.content.decode()
    assert is_off(user)  # looking changes nothing

    client.post(reverse("messaging:address"))
    assert not is_off(user)
    assert MAILBOX_FULL not in client.get(reverse("messaging:address")).content.decode()


def test_late_report_of_an_old_mail_does_not_switch_it_off_again() -> None:
    user = UserFactory()
    before = timezone.now() - dt.timedelta(hours=1)
    returned(user)
    addresses.try_email_again(user, now=timezone.now())
    values = {"reason": "x", "is_complaint": False, "now": timezone.now()}

    assert not addresses.email_returned(user.email, at=before, **values)
    assert addresses.email_returned(user.email, at=timezone.now() + dt.timedelta(minutes=1), **values)


def test_new_address_is_written_to(client: Client) -> None:
    user = UserFactory()
    EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    returned(user)
    new = EmailAddress.objects.create(user=user, email="new@example.test", primary=False, verified=True)

    new.set_as_primary()

    assert not is_off(user)


def test_address_proven_over_the_api_is_written_to() -> None:
    user = UserFactory()
    address = EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=False)
    returned(user)
    now = timezone.now()

    verification.verify(user.email, verification.code_for(address, now=now), now=now)

    assert not is_off(user)


def test_second_address_that_is_only_added_changes_nothing() -> None:
    user = UserFactory()
    returned(user)

    EmailAddress.objects.create(user=user, email="second@example.test", primary=False, verified=True)

    assert is_off(user)


def test_closed_account_is_told_nothing() -> None:
    user = UserFactory(is_active=False)
    now = timezone.now()

    assert not addresses.email_returned(user.email, reason="x", at=now, is_complaint=False, now=now)
