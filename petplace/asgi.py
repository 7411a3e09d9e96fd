"""ASGI entry point: the one-command run. Pages, API and streams in one process."""

import os
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
django.setup(set_prefix=False)

from messaging.live.stream import WithStreams  # noqa: E402
from petplace.threaded import ThreadedHandler  # noqa: E402

application = WithStreams(ThreadedHandler())

# The index of place names takes a second to build: not in the time of the first visitor.
from providers.domain import places  # noqa: E402

threading.Thread(target=places.warm_up, name="places", daemon=True).start()
