"""One push to one app over Firebase Cloud Messaging, HTTP v1.

Source: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send. Signing in needs google-auth
(requirements-fcm.txt) and a service account; without either, apps are passed over with a word why.
"""

import json
import threading
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from messaging.channels.base import Parcel
from messaging.channels.outside import Answer, Client
from messaging.channels.webpush import topic, ttl
from messaging.models import Device

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_signing_in = threading.Lock()


class SignInError(Exception):
    """Google did not give a token: its trouble, or that of our service account."""


def missing() -> str:
    """Return what is missing to reach apps, as a sentence, or nothing."""
    if not settings.FCM_SERVICE_ACCOUNT:
        return "Apps cannot be reached: FCM_SERVICE_ACCOUNT is not set."
    try:
        import google.oauth2.service_account  # noqa: F401
    except ImportError:
        return "Apps cannot be reached: requirements-fcm.txt is not installed."
    return ""


def is_ready() -> bool:
    return not missing()


def send(client: Client, device: Device, parcel: Parcel, *, now: datetime) -> Answer:
    """Ask FCM to pass ``parcel`` on, and return its answer, whatever it is. Raises SignInError."""
    account = _account(settings.FCM_SERVICE_ACCOUNT)
    url = f"{settings.PUSH_API_BASE}/v1/projects/{account['project_id']}/messages:send"
    body = json.dumps({"message": message(device, parcel, now=now)}).encode()
    for attempt in (1, 2):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {_token(client, is_new=attempt == 2)}"}
        answer = client.request("POST", url, body=body, headers=headers)
        if answer.status != 401:
            break
    return answer


def message(device: Device, parcel: Parcel, *, now: datetime) -> dict[str, Any]:
    is_urgent = parcel.kind.is_urgent
    seconds = ttl(parcel, now=now)
    android: dict[str, Any] = {"priority": "HIGH" if is_urgent else "NORMAL", "ttl": f"{seconds}s"}
    apple = {"apns-priority": "10" if is_urgent else "5", "apns-expiration": str(int(now.timestamp()) + seconds)}
    if parcel.bundle:
        android["collapse_key"] = apple["apns-collapse-id"] = topic(parcel.bundle)
    return {
        "token": device.address,
        "notification": {"title": parcel.title, "body": parcel.short},
        "data": {
            "id": str(parcel.notification_uid or ""),
            "kind": parcel.kind.name,
            "url": parcel.url,
            "actions": json.dumps([{"title": action.label, "url": action.url} for action in parcel.actions]),
        },
        "android": android,
        "apns": {"headers": apple},
    }


def error_code(answer: Answer) -> str:
    """Return FCM's own code of an error, for example ``UNREGISTERED``, or nothing."""
    try:
        error = json.loads(answer.body)["error"]
        codes = [detail["errorCode"] for detail in error.get("details", []) if "errorCode" in detail]
        return str(codes[0] if codes else error.get("status", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


@lru_cache(maxsize=4)
def _account(text: str) -> dict[str, Any]:
    """Read the service account: the JSON itself, or the path of its file."""
    account: dict[str, Any] = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text())
    return account


@lru_cache(maxsize=4)
def _credentials(text: str) -> Any:
    from google.oauth2 import service_account

    return service_account.Credentials.from_service_account_info(_account(text), scopes=[SCOPE])


def _token(client: Client, *, is_new: bool) -> str:
    """Return an access token; one lasts an hour and is shared by this process."""
    from google.auth.exceptions import GoogleAuthError

    credentials = _credentials(settings.FCM_SERVICE_ACCOUNT)
    with _signing_in:
        if is_new or not credentials.valid:
            try:
                credentials.refresh(_Transport(client))
            except GoogleAuthError as error:
                raise SignInError(str(error)[:300]) from error
    return str(credentials.token)


class _Transport:
    """google-auth's idea of an HTTP client, over ours and its limit of time."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(
        self, url: str, method: str = "GET", body: bytes | None = None, headers: Any = None, **_: Any
    ) -> "_Response":
        answer = self.client.request(method, url, body=body or b"", headers=headers or {})
        if answer.status >= 500:
            raise SignInError(f"Google answered {answer.status}.")  # else google-auth waits for it and asks again
        return _Response(answer)


class _Response:
    def __init__(self, answer: Answer) -> None:
        self.status, self.headers, self.data = answer.status, answer.headers, answer.body
