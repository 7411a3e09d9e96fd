"""The services outside, over real HTTP on loopback: a push service with its browsers, FCM, and Twilio."""

import base64
import hashlib
import hmac
import itertools
import json
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import http_ece
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from py_vapid import Vapid02

from tests.payments.gateways.fake_server import Answer, FakeServer, Refusal, Request


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """Holds the keys of one subscription, as a browser does, and reads what comes."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = b"sixteen-bytes-!!"

    @property
    def keys(self) -> dict[str, str]:
        point = self.key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return {"p256dh": _base64url(point), "auth": _base64url(self.secret)}

    def read(self, body: bytes) -> dict[str, Any]:
        """Decrypt a push (RFC 8291). Raises when it is not for this browser, or was touched."""
        text = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        said: dict[str, Any] = json.loads(text)
        return said


@dataclass(frozen=True)
class Push:
    path: str
    headers: dict[str, str]
    body: bytes


class PushService(FakeServer):
    """RFC 8030 with the checks of RFC 8292: whoever is not signed for this service is refused."""

    def __init__(self, public_key: str) -> None:
        super().__init__()
        self.public_key = public_key
        self.pushes: list[Push] = []
        self.answers: dict[str, Answer] = {}  # path -> what to say instead

    def browser(self, name: str = "one") -> Browser:
        return Browser(f"{self.url}/send/{name}")

    def execute(self, request: Request) -> Answer:
        self._check(request)
        if told := self.answers.get(request.path):
            return told
        self.pushes.append(Push(request.path, request.headers, request.body))
        return Answer(201, None)

    def _check(self, request: Request) -> None:
        authorization = request.headers.get("authorization", "")
        parts = dict(part.split("=", 1) for part in authorization.removeprefix("vapid ").split(","))
        if not Vapid02.verify(authorization) or parts["k"] != self.public_key:
            raise Refusal(Answer(403, None))
        claims = json.loads(base64.urlsafe_b64decode(parts["t"].split(".")[1] + "=="))
        if claims["aud"] != self.url or not claims["sub"].startswith(("mailto:", "https:")):
            raise Refusal(Answer(401, None))
        if "ttl" not in request.headers or request.headers["content-encoding"] != "aes128gcm":
            raise Refusal(Answer(400, None))

    def answer(self, request: Request) -> Answer | None:
        try:
            return super().answer(request)
        except Refusal as refusal:
            return refusal.answer


class Fcm(FakeServer):
    """FCM's HTTP v1 and Google's token endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: set[str] = set()
        self.messages: list[dict[str, Any]] = []
        self.gone: set[str] = set()
        self.numbers = itertools.count(1)

    def service_account(self) -> str:
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "pets",
                "private_key": private.decode(),
                "private_key_id": "1",
                "client_email": "sender@pets.example.test",
                "token_uri": f"{self.url}/token",
            }
        )

    def execute(self, request: Request) -> Answer:
        if request.path == "/token":
            assert dict(parse_qsl(request.body.decode()))["assertion"].count(".") == 2
            token = f"token-{next(self.numbers)}"
            self.tokens.add(token)
            return Answer(200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"})
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return self._error(401, "UNAUTHENTICATED")
        if request.path != "/v1/projects/pets/messages:send":
            return self._error(404, "NOT_A_PROJECT")
        message = json.loads(request.body)["message"]
        if message["token"] in self.gone:
            return self._error(404, "UNREGISTERED")
        self.messages.append(message)
        return Answer(200, {"name": f"projects/pets/messages/{next(self.numbers)}"})

    def _error(self, status: int, code: str) -> Answer:
        kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
        return Answer(status, {"error": {"code": status, "details": [{"@type": kind, "errorCode": code}]}})


class Twilio(FakeServer):
    """Takes messages from who knows the account's token, and reports on them signed with it."""

    SID, TOKEN = "AC0123456789abcdef0123456789abcdef", "the-token-of-the-account"

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[dict[str, str]] = []
        self.refuse: dict[str, int] = {}  # number -> Twilio's code
        self.numbers = itertools.count(1)
        self.told = threading.Event()

    def execute(self, request: Request) -> Answer:
        secret = base64.b64encode(f"{self.SID}:{self.TOKEN}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {secret}":
            return Answer(401, {"code": 20003, "message": "Authenticate", "status": 401})
        if request.path != f"/2010-04-01/Accounts/{self.SID}/Messages.json":
            return Answer(404, {"code": 20404, "message": "Not found", "status": 404})
        text = dict(parse_qsl(request.body.decode(), strict_parsing=True))
        if code := self.refuse.get(text["To"]):
            return Answer(400, {"code": code, "message": "Refused", "status": 400})
        text["Sid"] = f"SM{next(self.numbers):032x}"
        self.texts.append(text)
        return Answer(201, {"sid": text["Sid"], "status": "queued"})

    def fields_of(self, text: dict[str, str], status: str, **more: str) -> dict[str, str]:
        return {"MessageSid": text["Sid"], "MessageStatus": status, "To": text["To"], "AccountSid": self.SID, **more}

    def sign(self, url: str, fields: dict[str, str], token: str = TOKEN) -> str:
        # Written from Twilio's own description, apart from the code that checks it.
        signed = url
        for name in sorted(fields):
            signed += name + fields[name]
        return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()

    def report(self, base: str, text: dict[str, str], status: str, **more: str) -> requests.Response:
        """Post a report to where the message said, at the running site ``base``, as Twilio does."""
        fields = self.fields_of(text, status, **more)
        url = text["StatusCallback"]
        headers = {"X-Twilio-Signature": self.sign(url, fields), "Content-Type": "application/x-www-form-urlencoded"}
        path = url.partition("/api/")[2]
        return requests.post(f"{base}/api/{path}", data=urlencode(fields), headers=headers, timeout=10)
