"""The nudge that something was written: a bare word over Redis. Nobody who writes ever waits for it.

A thread of its own sends it. Redis away or silent means that it is not sent, and the streams look by themselves.
"""

import logging
import os
import threading

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

CHANNEL = "petplace:live"
LIMIT = 0.25  # seconds, for connecting and for answering
PAUSE = 2.0  # seconds without a try after a failure


def address() -> str:
    return str(settings.CACHES["default"]["LOCATION"])


class Waker:
    """Send at most one word at a time: what is asked for meanwhile is one more word."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def wake(self) -> None:
        """Ask for a word and go on. Costs no time, whatever Redis does."""
        self._asked.set()
        if self._thread is None or self._process != os.getpid() or not self._thread.is_alive():
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None and self._process == os.getpid() and self._thread.is_alive():
                return
            self._process = os.getpid()  # a fork brings the object along, but not its thread
            self._thread = threading.Thread(target=self._run, name="live-wakeups", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        client = redis.Redis.from_url(
            address(), socket_timeout=LIMIT, socket_connect_timeout=LIMIT, retry=Retry(NoBackoff(), 0)
        )
        is_away = False
        pause = threading.Event()
        while True:
            self._asked.wait()
            self._asked.clear()
            try:
                client.publish(CHANNEL, b"")
            except (redis.RedisError, OSError) as error:
                if not is_away:
                    logger.warning("Live pages are not woken, they look by themselves: %s", error)
                is_away = True
                client.connection_pool.disconnect()
                pause.wait(PAUSE)
            else:
                is_away = False


_waker = Waker()


def wake() -> None:
    _waker.wake()
