"""ASGI entry point: the one-command run."""

import os
import threading

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
django.setup(set_prefix=False)

from petplace.threaded import ThreadedHandler  # noqa: E402

application = ThreadedHandler()

# The index of place names takes a second to build: not in the time of the first visitor.
from providers.domain import places  # noqa: E402

threading.Thread(target=places.warm_up, name="places", daemon=True).start()
