"""ASGI entry point: the one-command run."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
application = get_asgi_application()
