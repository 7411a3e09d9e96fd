"""ASGI entry point: the one-command run."""

import os
import threading

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
os.environ.setdefault("DATABASE_POOL_SIZE", "8")
application = get_asgi_application()

# The index of place names takes a second to build: not in the time of the first visitor.
from providers.domain import places  # noqa: E402

threading.Thread(target=places.warm_up, name="places", daemon=True).start()
