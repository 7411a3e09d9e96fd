"""Text messages over Twilio's REST API, without its SDK: one call is all that is needed.

Sources: https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource,
https://www.twilio.com/docs/usage/webhooks/webhooks-security, https://www.twilio.com/docs/api/errors.

Twilio knows no idempotency key. Every callback names our delivery in its address, so a message whose answer was lost
still marks its row as sent, and the next try finds it so.
"""

import base64
import hashlib
import hmac
import json
import logging
from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

from django.conf import settings

from messaging.channels.base import ChannelAwayError, NoAddressError, Parcel, Receipt, RefusedError
from messaging.channels.outside import Answer, Client, UnreachableError
from messaging.choices import Channel
from messaging.domain import addresses

logger = logging.getLogger(__name__)

MAX_TEXT = 480  # characters: three parts at most, each is paid for
STOPPED = 21610
# https://www.twilio.com/docs/api/errors: the number is the trouble, so nobody else's message is.
NUMBER_TROUBLE = {21211, 21214, 21217, 21408, 21610, 21612, 21614, 21617, 21635, 30003, 30004, 30005, 30006}


class SmsAdapter:
    channel = Channel.SMS

    def __init__(self) -> None:
        self._client: Client | None = None

    def is_ready(self) -> bool:
        return is_configured()

    def open(self) -> None:
        self._client = Client(seconds=settings.CHANNEL_TIMEOUT_SECONDS)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None

    def send(self, parcel: Parcel) -> Receipt:
        if not parcel.user.phone:
            raise NoAddressError("There is no phone number.")
        fields = {"To": parcel.user.phone.as_e164, "Body": text_of(parcel)}
        if settings.TWILIO_MESSAGING_SERVICE_SID:
            fields["MessagingServiceSid"] = settings.TWILIO_MESSAGING_SERVICE_SID
        else:
            fields["From"] = settings.TWILIO_FROM
        if callback := callback_url(str(parcel.delivery_uid)):
            fields["StatusCallback"] = callback
        try:
            answer = self._post(fields)
        except UnreachableError as error:
            raise ChannelAwayError(f"Twilio: {error}") from error
        if answer.is_ok:
            return Receipt(ref=str(_read(answer).get("sid", "")))
        raise self._refusal(answer, parcel)

    def _post(self, fields: dict[str, str]) -> Answer:
        assert self._client is not None
        account = settings.TWILIO_ACCOUNT_SID
        secret = base64.b64encode(f"{account}:{settings.TWILIO_AUTH_TOKEN}".encode()).decode()
        return self._client.request(
            "POST",
            f"{settings.SMS_API_BASE}/2010-04-01/Accounts/{account}/Messages.json",
            body=urlencode(fields).encode(),
            headers={"Authorization": f"Basic {secret}", "Content-Type": "application/x-www-form-urlencoded"},
        )

    def _refusal(self, answer: Answer, parcel: Parcel) -> Exception:
        said = _read(answer)
        code = said.get("code")
        sentence = f"Twilio: {said.get('message') or 'no reason given'} ({code or answer.status})"[:300]
        if code in NUMBER_TROUBLE:
            if code == STOPPED:
                addresses.texts_stopped(parcel.user.phone.as_e164)
            else:
                addresses.texts_unreachable(parcel.user)
            return RefusedError(sentence)
        if answer.status == 400:
            return RefusedError(sentence)
        if answer.status < 500 and answer.status != 429:
            logger.error("Texts cannot be sent: %s", sentence)
        return ChannelAwayError(sentence)


def is_configured() -> bool:
    return bool(
        settings.TWILIO_ACCOUNT_SID
        and settings.TWILIO_AUTH_TOKEN
        and (settings.TWILIO_FROM or settings.TWILIO_MESSAGING_SERVICE_SID)
    )


def text_of(parcel: Parcel) -> str:
    """Return the text: who writes, what it is about, and where to go on."""
    text = " ".join(parcel.short.split()) or parcel.title
    link = parcel.url
    room = MAX_TEXT - len(link) - 1 if link else MAX_TEXT
    if len(text) > room:
        text = f"{text[: room - 1]}\N{HORIZONTAL ELLIPSIS}"
    return f"{text} {link}".strip()


def callback_url(delivery: str) -> str:
    """Return where Twilio shall say what became of it. Twilio refuses an address that only this machine knows."""
    base: str = settings.SMS_CALLBACK_URL
    is_local = (urlsplit(base).hostname or "") in ("localhost", "127.0.0.1", "::1")
    if is_local and (urlsplit(settings.SMS_API_BASE).hostname or "").endswith(".twilio.com"):
        return ""
    return f"{base}?{urlencode({'delivery': delivery})}"


def signature(url: str, fields: Iterable[tuple[str, str]]) -> str:
    """Return X-Twilio-Signature of a form that is posted to ``url``: HMAC-SHA1 over it and the sorted fields."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    digest = hmac.new(settings.TWILIO_AUTH_TOKEN.encode(), text.encode(), hashlib.sha1)
    return base64.b64encode(digest.digest()).decode()


def _read(answer: Answer) -> dict[str, object]:
    try:
        said = json.loads(answer.body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
