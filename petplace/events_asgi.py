"""ASGI entry point of production's ``events`` process: open streams, nothing else. Pages and API are gunicorn's."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
django.setup(set_prefix=False)

from messaging.live.stream import OPENED_AT_ONCE, WithStreams  # noqa: E402
from petplace.threaded import ThreadedHandler  # noqa: E402
from petplace.warming import freeze  # noqa: E402

application = WithStreams(ThreadedHandler(OPENED_AT_ONCE + 1), only_streams=True)

freeze()
