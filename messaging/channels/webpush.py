"""One push to one browser (RFC 8030, 8188, 8291, 8292): encrypted for it alone, signed with our key."""

import base64
import hashlib
import json
import time
from datetime import datetime
from typing import Any

from pywebpush import WebPusher

from messaging.channels import vapid
from messaging.channels.base import Parcel
from messaging.channels.outside import Answer, Client
from messaging.kinds import Urgency
from messaging.models import Device

LONGEST_TTL = 28 * 86400  # seconds; push services keep nothing longer
DEFAULT_TTL = 86400
MAX_PAYLOAD = 3500  # bytes; 4,096 are allowed, with the encryption around it
URGENCY = {Urgency.URGENT: "high", Urgency.NORMAL: "normal", Urgency.LOW: "low"}


def send(client: Client, device: Device, parcel: Parcel, *, now: datetime) -> Answer:
    """Ask the browser's push service to pass ``parcel`` on, and return its answer, whatever it is."""
    pusher = WebPusher({"endpoint": device.address, "keys": {"p256dh": device.p256dh, "auth": device.auth}})
    body: bytes = pusher.encode(payload(parcel), content_encoding="aes128gcm")["body"]
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(ttl(parcel, now=now)),
        "Urgency": URGENCY[parcel.kind.urgency],
        **vapid.headers(device.address, expires=int(time.time()) + vapid.TOKEN_SECONDS),
    }
    if parcel.bundle:
        headers["Topic"] = topic(parcel.bundle)
    return client.request("POST", device.address, body=body, headers=headers)


def payload(parcel: Parcel) -> bytes:
    """Return what static/js/sw.js shows. A long one loses its one-tap links first, then the end of its text."""
    content: dict[str, Any] = {
        "id": str(parcel.notification_uid or ""),
        "title": parcel.title,
        "body": parcel.short,
        "url": parcel.url,
        # One with the same tag replaces what is still on the screen.
        "tag": parcel.bundle or str(parcel.notification_uid or parcel.delivery_uid),
        "actions": [{"title": action.label, "url": action.url} for action in parcel.actions[:2]],
    }
    encoded = _encode(content)
    if len(encoded) > MAX_PAYLOAD:
        content["actions"] = []
        encoded = _encode(content)
    if len(encoded) > MAX_PAYLOAD:
        content["title"], content["body"] = parcel.title[:100], parcel.short[:100]
        encoded = _encode(content)
    return encoded


def ttl(parcel: Parcel, *, now: datetime) -> int:
    """Return how long a push service shall keep it for a browser that is not there, in seconds."""
    if parcel.useless_after is None:
        return DEFAULT_TTL
    return max(0, min(int((parcel.useless_after - now).total_seconds()), LONGEST_TTL))


def topic(bundle: str) -> str:
    """Return the name under which a newer push replaces one that still waits: 32 characters of base64url."""
    return base64.urlsafe_b64encode(hashlib.sha256(bundle.encode()).digest()[:24]).decode()


def _encode(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
