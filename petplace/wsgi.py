"""WSGI entry point: pages and API in production. gunicorn loads it once and forks its workers from there."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
application = get_wsgi_application()

from petplace.warming import warm_up  # noqa: E402

warm_up()
