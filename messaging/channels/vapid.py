"""The key by which push services know this site (RFC 8292), and what it signs."""

import base64
import contextlib
import logging
import os
import tempfile
from email.utils import parseaddr
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from django.conf import settings
from py_vapid import Vapid02

logger = logging.getLogger(__name__)

TOKEN_SECONDS = 12 * 3600  # at most a day


def private_key() -> str:
    """Return the key of the settings; outside production one that is made once and kept in the data folder.

    Nothing when it cannot be kept, on a full disk: pages go on without push.
    """
    if settings.VAPID_PRIVATE_KEY or settings.IS_PRODUCTION:
        return str(settings.VAPID_PRIVATE_KEY)
    try:
        return _kept(Path(settings.DATA_DIR) / "vapid-key")
    except OSError as error:
        logger.warning("The key for web push could not be kept: %s", error)
        return ""


def is_ready() -> bool:
    return bool(private_key())


def public_key() -> str:
    """Return the key that browsers subscribe with (base64url of the uncompressed point), or nothing without a key."""
    key = private_key()
    return _public(key) if key else ""


def headers(endpoint: str, *, expires: int) -> dict[str, str]:
    """Return the header that proves to the push service of ``endpoint`` who sends. ``expires`` is a Unix time."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "sub": subject(), "exp": expires}
    signed: dict[str, str] = _vapid(private_key()).sign(claims)
    return signed


def subject() -> str:
    """Return whom a push service may write to about what we send."""
    return settings.VAPID_SUBJECT or f"mailto:{parseaddr(settings.DEFAULT_FROM_EMAIL)[1]}"


def make_key() -> str:
    """Return a new private key as the settings want it: its number in base64url."""
    vapid = Vapid02()
    vapid.generate_keys()
    number = vapid.private_key.private_numbers().private_value
    return base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode()


@lru_cache(maxsize=4)
def _kept(path: Path) -> str:
    if not path.exists():
        _keep(path, make_key())
    return path.read_text().strip()


def _keep(path: Path, key: str) -> None:
    """Write ``key`` unless another process was quicker; a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(handle, "w") as file:
            file.write(key)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)


@lru_cache(maxsize=4)
def _vapid(key: str) -> Vapid02:
    return Vapid02.from_string(key)


@lru_cache(maxsize=4)
def _public(key: str) -> str:
    point = _vapid(key).public_key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()
