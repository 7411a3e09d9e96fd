"""WSGI entry point: pages and API in production."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
application = get_wsgi_application()
