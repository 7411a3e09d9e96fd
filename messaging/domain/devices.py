"""Browsers and apps that may be knocked at: taken in, handed on, given up."""

import base64
import binascii
import ipaddress
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from allauth.usersessions.models import UserSession
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction

from accounts.models import TokenFamily, User
from messaging.models import Device, DeviceKind
from petplace.errors import InvalidInput

PER_PERSON = 20  # the one seen longest ago makes room
GIVE_UP_AFTER = timedelta(days=3)  # of failing, with nothing in between that got through
LABEL_LENGTH = 80


@transaction.atomic
def register(
    user: User,
    *,
    kind: str,
    now: datetime,
    endpoint: str = "",
    p256dh: str = "",
    auth: str = "",
    token: str = "",
    label: str = "",
    session: UserSession | None = None,
    family: TokenFamily | None = None,
) -> Device:
    """Take a device in, or note that it was seen again. Raises InvalidInput for what cannot be one.

    An address that somebody else had becomes ``user``'s: it belongs to who signed in there last. The row is a new one
    then, so that what was sent to the other person's does not count as sent to this one's.
    """
    _check(kind, endpoint=endpoint, p256dh=p256dh, auth=auth, token=token)
    address = endpoint or token
    User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once count the same places otherwise
    Device.objects.filter(address=address).exclude(user=user).delete()
    values = {
        "user": user,
        "kind": kind,
        "p256dh": p256dh,
        "auth": auth,
        "session": session,
        "family": family,
        "last_seen_at": now,
        "failed_at": None,
        "last_error": "",
    }
    device, _ = Device.objects.update_or_create(
        address=address,
        defaults=values | ({"label": label[:LABEL_LENGTH]} if label else {}),
        create_defaults=values | {"label": label[:LABEL_LENGTH]},
    )
    kept = Device.objects.owned_by(user).order_by("-last_seen_at", "-pk").values_list("pk", flat=True)[:PER_PERSON]
    Device.objects.owned_by(user).exclude(pk__in=list(kept)).delete()
    return device


def remove(user: User, uid: UUID) -> bool:
    """Forget one of ``user``'s devices. Returns whether it was there."""
    return Device.objects.owned_by(user).filter(uid=uid).delete()[0] > 0


def remove_address(user: User, address: str) -> bool:
    """Forget the browser of ``user`` that says so itself: it knows its address, not our name for it."""
    return Device.objects.owned_by(user).filter(address=address).delete()[0] > 0


def remove_all(user: User) -> int:
    return Device.objects.owned_by(user).delete()[0]


def sign_out(session_key: str) -> None:
    """A browser was signed out: it hears nothing more."""
    Device.objects.filter(session__session_key=session_key).delete()


def forget(device: Device) -> None:
    """The push service says that it is gone, or it can never be one."""
    Device.objects.filter(pk=device.pk).delete()


def note_reached(device: Device) -> None:
    if device.failed_at is not None or device.last_error:
        Device.objects.filter(pk=device.pk).update(failed_at=None, last_error="")


def note_failure(device: Device, reason: str, *, now: datetime) -> None:
    """Note that it did not answer; the first time counts. Given up when it fails for :data:`GIVE_UP_AFTER`."""
    since = device.failed_at or now
    if now - since >= GIVE_UP_AFTER:
        forget(device)
    else:
        Device.objects.filter(pk=device.pk).update(failed_at=since, last_error=reason[:200])


def allowed_host(host: str) -> bool:
    """Say whether push services at ``host`` are knocked at: ``WEB_PUSH_HOSTS`` may name the only ones."""
    names: list[str] = settings.WEB_PUSH_HOSTS
    return not names or any(host == name or host.endswith(f".{name}") for name in names)


def _check(kind: str, *, endpoint: str, p256dh: str, auth: str, token: str) -> None:
    errors: dict[str, list[str]] = {}
    if kind == DeviceKind.WEBPUSH:
        if not _is_plain(endpoint) or not _is_endpoint(endpoint):
            errors["endpoint"] = ["This is not the address of a push service."]
        if not _is_public_key(p256dh):
            errors["p256dh"] = ["This is not a public key of the curve P-256 in base64url."]
        if len(_decoded(auth) or b"") != 16:
            errors["auth"] = ["This is not a secret of 16 bytes in base64url."]
        if token:
            errors["token"] = ["Only apps have a token."]
    else:
        if not _is_plain(token):
            errors["token"] = ["This is not a registration token."]
        for name, value in {"endpoint": endpoint, "p256dh": p256dh, "auth": auth}.items():
            if value:
                errors[name] = ["Only browsers have one."]
    if errors:
        raise InvalidInput(fields=errors)


def _is_plain(text: str) -> bool:
    return bool(text) and len(text) <= 1000 and all("!" <= char <= "~" for char in text)


def _is_endpoint(address: str) -> bool:
    """What can be said without asking anybody; where a name leads to is checked when it is called."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.username is not None or parts.password is not None or parts.fragment:
        return False
    if settings.PUSH_ALLOW_PRIVATE:
        return parts.scheme in ("http", "https")
    if parts.scheme != "https" or port not in (None, 443) or "." not in host or host.endswith((".local", ".localhost")):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not host.replace(".", "").isdigit() and allowed_host(host)
    return False  # push services have names


def _is_public_key(text: str) -> bool:
    raw = _decoded(text)
    if raw is None or len(raw) != 65 or raw[0] != 4:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        return False
    return True


def _decoded(text: str) -> bytes | None:
    if len(text) > 100 or not text.isascii():
        return None
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
