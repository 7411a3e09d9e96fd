"""ASGI entry point: the one-command run. Pages, API and streams in one process."""

import os
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
django.setup(set_prefix=False)

from messaging.live.stream import WithStreams  # noqa: E402
from petplace.threaded import ThreadedHandler  # noqa: E402

application = WithStreams(ThreadedHandler())

from petplace.warming import warm_up  # noqa: E402

threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
