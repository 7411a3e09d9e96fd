"""WSGI entry point: pages and API in production."""

import os
import threading

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
application = get_wsgi_application()

# The index of place names takes a second to build: not in the time of the first visitor.
from providers.domain import places  # noqa: E402

threading.Thread(target=places.warm_up, name="places", daemon=True).start()
