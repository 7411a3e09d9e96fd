"""Where messages of all channels end up: servers on loopback that take their time and count by delivery."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller

from messaging.channels import vapid
from tests.faults.world import Owner, Site, free_port
from tests.messaging.services import Browser, PushService, Twilio
from tests.payments.gateways.fake_server import Answer, Request

TAKES = 0.05  # seconds for one message, so that kills hit some half sent
PHONE = "+49301234{:04d}"


class MailSink:
    """Counts by Message-ID, in which our delivery's id stands."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()
        self.port = free_port()

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - its name
        await asyncio.sleep(TAKES)
        for line in envelope.content.decode(errors="replace").splitlines():
            if line.lower().startswith("message-id:"):
                self.ids[line.split(":", 1)[1].strip().strip("<>").split("@")[0]] += 1
                break
        return "250 OK"


class SlowTwilio(Twilio):
    def execute(self, request: Request) -> Answer:
        time.sleep(TAKES)
        return super().execute(request)

    @property
    def ids(self) -> Counter[str]:
        """By our delivery's id, which is in the address for reports."""
        return Counter(parse_qs(urlsplit(text["StatusCallback"]).query)["delivery"][0] for text in self.texts)


class SlowPushService(PushService):
    def __init__(self, public_key: str) -> None:
        super().__init__(public_key)
        self.browsers: dict[str, Browser] = {}

    def execute(self, request: Request) -> Answer:
        time.sleep(TAKES)
        return super().execute(request)

    def new_browser(self) -> Browser:
        made = self.browser(f"b{len(self.browsers)}")
        self.browsers[urlsplit(made.endpoint).path] = made
        return made

    @property
    def ids(self) -> Counter[str]:
        """By the notification's id, as each browser decrypts it."""
        return Counter(self.browsers[push.path].read(push.body)["id"] for push in self.pushes)


class Sinks:
    """All three. ``environment`` is what a worker needs to send to them."""

    def __init__(self) -> None:
        key = vapid.make_key()
        self.mail = MailSink()
        self.texts = SlowTwilio()
        self.pushes = SlowPushService(vapid._public(key))
        self.smtp = Controller(self.mail, hostname="127.0.0.1", port=self.mail.port)
        self._key = key

    @property
    def environment(self) -> dict[str, str]:
        return {
            "EMAIL_URL": f"smtp://127.0.0.1:{self.mail.port}",
            "SMS_API_BASE": self.texts.url,
            "TWILIO_ACCOUNT_SID": Twilio.SID,
            "TWILIO_AUTH_TOKEN": Twilio.TOKEN,
            "TWILIO_FROM": "+15005550006",
            "VAPID_PRIVATE_KEY": self._key,
            "VAPID_SUBJECT": "mailto:staff@demo.petplace.test",
            "PUSH_ALLOW_PRIVATE": "1",
        }

    @property
    def ids(self) -> dict[str, Counter[str]]:
        return {"email": self.mail.ids, "sms": self.texts.ids, "push": self.pushes.ids}


@contextmanager
def running_sinks() -> Iterator[Sinks]:
    sinks = Sinks()
    sinks.smtp.start()
    try:
        with sinks.texts.running(), sinks.pushes.running():
            yield sinks
    finally:
        sinks.smtp.stop()


def give_phone_and_browser(site: Site, sinks: Sinks, owners: list[Owner], kind: str) -> None:
    """Let these people get texts and pushes of ``kind``, too, with quiet hours off."""
    for number, owner in enumerate(owners):
        ((user,),) = site.sql("SELECT owner_id FROM pets_pet WHERE uid = %s", owner.pet)
        browser = sinks.pushes.new_browser()
        site.sql("UPDATE accounts_user SET phone = %s WHERE id = %s", PHONE.format(number), user)
        site.sql(
            """INSERT INTO messaging_contactsettings
               (user_id, quiet_is_on, quiet_from, quiet_to, texts_are_on, phone_state, email_bounce_reason)
               VALUES (%s, false, '21:00', '08:00', true, '', '')""",
            user,
        )
        site.sql(
            "INSERT INTO messaging_preference (user_id, kind, channel, is_on) VALUES (%s, %s, 'sms', true)", user, kind
        )
        site.sql(
            """INSERT INTO messaging_device
               (uid, created_at, user_id, kind, address, p256dh, auth, label, last_seen_at, last_error)
               VALUES (gen_random_uuid(), now(), %s, 'webpush', %s, %s, %s, '', now(), '')""",
            user, browser.endpoint, browser.keys["p256dh"], browser.keys["auth"],
        )  # fmt: skip
