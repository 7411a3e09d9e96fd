"""Fill a fresh database with what the fault suites book. Prints the services' ids as JSON. Run as a module."""

import json
import sys

import django
from django.db import connection
from django.utils import timezone

django.setup()

from tests import factories  # noqa: E402 - models need the set-up above

SERVICES = 6


def main() -> None:
    now = timezone.now()
    with connection.cursor() as cursor:  # on a busy machine this takes its time
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    services = []
    for number in range(SERVICES):
        branch = factories.make_branch(factories.make_provider(name=f"Provider {number}", now=now), now=now)
        factories.make_resource(branch, kind="person", now=now)
        service = factories.make_service(branch, is_instant=True, maximum_advance_days=400, now=now)
        services.append(str(service.uid))
    sys.stdout.write(json.dumps(services))


main()
