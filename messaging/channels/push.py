"""Push: all browsers and apps of a person together, each by its own service."""

import logging
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from messaging.channels import fcm, vapid, webpush
from messaging.channels.base import ChannelAwayError, NoAddressError, Parcel, Receipt, RefusedError, SendingError
from messaging.channels.outside import Answer, Client, ForbiddenAddressError, UnreachableError
from messaging.choices import Channel
from messaging.domain import devices
from messaging.models import Device

logger = logging.getLogger(__name__)

FCM = "FCM"
GONE = (404, 410)  # RFC 8030, 7.3
# The services of the browsers that people have. Trouble there is an outage; anywhere else it may be somebody's trick.
KNOWN = ("fcm.googleapis.com", "push.services.mozilla.com", "push.apple.com", "notify.windows.com")
# A service that did not answer is left alone, twice as long each time, so that nobody else waits for it.
FIRST_SILENCE, LONGEST_SILENCE = 60.0, 3600.0  # seconds
PATIENCE = 45.0  # seconds for all devices of one person; the lease of the row is longer


@dataclass
class _Silence:
    until: float  # on this process's clock
    seconds: float


_silent: dict[str, _Silence] = {}
_lock = threading.Lock()


class _GoneError(Exception):
    """The device is no more."""


class _RefusedHereError(Exception):
    """A final no for this device, which stays."""


class _LaterError(Exception):
    """The service has trouble."""


class PushAdapter:
    channel = Channel.PUSH

    def __init__(self) -> None:
        self._strangers: Client | None = None  # for addresses that browsers told us
        self._ours: Client | None = None

    def is_ready(self) -> bool:
        return vapid.is_ready() or fcm.is_ready()

    def open(self) -> None:
        seconds = settings.CHANNEL_TIMEOUT_SECONDS
        self._strangers = Client(seconds=seconds, only_public=not settings.PUSH_ALLOW_PRIVATE)
        self._ours = Client(seconds=seconds)

    def close(self) -> None:
        for client in (self._strangers, self._ours):
            if client is not None:
                client.close()
        self._strangers = self._ours = None

    def send(self, parcel: Parcel) -> Receipt:
        """Knock at each device that has it not yet.

        A device that is gone is forgotten. What has trouble is told as an error that names who was reached, so that
        the next try leaves those out. A known service in trouble ends the pass; any other is only passed over for a
        while, as FCM is then, too: whoever registers a deaf address does not slow the others down.
        """
        started = time.monotonic()
        reached: list[str] = []
        later: list[str] = []
        refused: list[str] = []
        passed_over: list[str] = []
        to_try = [device for device in parcel.devices if str(device.uid) not in parcel.reached]
        for device in to_try:
            if reason := self._cannot(device):
                passed_over.append(reason)
                continue
            service = _service(device)
            if _is_silent(service):
                later.append(f"{service} did not answer a moment ago.")
                continue
            if time.monotonic() - started > PATIENCE:
                later.append("There was no time for all devices.")
                break
            try:
                self._knock(device, parcel)
            except _GoneError:
                devices.forget(device)
            except _RefusedHereError as error:
                refused.append(str(error))
                devices.note_failure(device, str(error), now=timezone.now())
            except _LaterError as error:
                devices.note_failure(device, str(error), now=timezone.now())
                _note_silence(service)
                later.append(f"{service}: {error}")
                if _is_known(service):
                    raise ChannelAwayError(later[-1], reached=tuple(reached)) from error
            else:
                _note_answer(service)
                reached.append(str(device.uid))
                devices.note_reached(device)
        if later:
            raise SendingError(" ".join(dict.fromkeys(later)), reached=tuple(reached))
        if not reached and not parcel.reached:
            if refused:
                raise RefusedError(" ".join(dict.fromkeys(refused)))
            raise NoAddressError(" ".join(dict.fromkeys(passed_over)) or "No browser or app is registered any more.")
        return Receipt(reached=tuple(reached))

    def _cannot(self, device: Device) -> str:
        if device.is_browser:
            return "" if vapid.is_ready() else "Browsers cannot be reached: VAPID_PRIVATE_KEY is not set."
        return fcm.missing()

    def _knock(self, device: Device, parcel: Parcel) -> None:
        assert self._strangers is not None
        assert self._ours is not None
        now = timezone.now()
        try:
            if device.is_browser:
                if not devices.allowed_host(_service(device)):
                    raise _GoneError  # the list of services was made shorter since
                _judge(webpush.send(self._strangers, device, parcel, now=now))
            else:
                _judge_fcm(fcm.send(self._ours, device, parcel, now=now))
        except ForbiddenAddressError as error:
            logger.warning("A device of user %s is removed: %s", device.user_id, error)
            raise _GoneError from error
        except (UnreachableError, fcm.SignInError) as error:
            raise _LaterError(str(error)) from error


def _judge(answer: Answer) -> None:
    if answer.is_ok:
        return
    if answer.status in GONE:
        raise _GoneError
    if answer.status == 429 or answer.status >= 500:
        raise _LaterError(f"The push service answered {answer.status}.")
    raise _RefusedHereError(f"The push service refused it ({answer.status}).")


def _judge_fcm(answer: Answer) -> None:
    code = fcm.error_code(answer)
    # Source: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
    if answer.status == 404 and code in ("UNREGISTERED", "NOT_FOUND"):
        raise _GoneError
    if answer.status in (401, 404) or (answer.status == 403 and code != "SENDER_ID_MISMATCH"):
        raise _LaterError(f"FCM does not take our service account ({answer.status} {code}).")
    if code == "SENDER_ID_MISMATCH":
        raise _GoneError
    _judge(answer)


def _service(device: Device) -> str:
    return (urlsplit(device.address).hostname or "") if device.is_browser else FCM


def _is_known(service: str) -> bool:
    names = (*KNOWN, *settings.WEB_PUSH_HOSTS)
    return service == FCM or any(service == name or service.endswith(f".{name}") for name in names)


def _is_silent(service: str) -> bool:
    with _lock:
        silence = _silent.get(service)
        return silence is not None and silence.until > time.monotonic()


def _note_silence(service: str) -> None:
    now = time.monotonic()
    with _lock:
        for name in [name for name, one in _silent.items() if one.until + LONGEST_SILENCE < now]:
            del _silent[name]
        before = _silent.get(service)
        seconds = min(before.seconds * 2, LONGEST_SILENCE) if before else FIRST_SILENCE
        _silent[service] = _Silence(now + seconds, seconds)


def _note_answer(service: str) -> None:
    with _lock:
        _silent.pop(service, None)


def forget_silence() -> None:
    """Try every service again at once."""
    with _lock:
        _silent.clear()
