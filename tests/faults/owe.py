"""Make people who owe something and are signed in. Prints their invoices and sessions as JSON. Run as a module."""

import json
import sys
import uuid

import django
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
from django.db import connection
from django.utils import timezone

django.setup()

from django.conf import settings  # noqa: E402 - models need the set-up above
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402

from payments.domain import invoices  # noqa: E402
from payments.domain.invoices import Line  # noqa: E402
from payments.models import LineKind  # noqa: E402
from providers.models import Provider  # noqa: E402


def main(count: int) -> None:
    with connection.cursor() as cursor:  # on a busy machine this takes its time
        cursor.execute("SET idle_in_transaction_session_timeout = 0")
    provider = Provider.objects.order_by("pk")[0]
    owed = []
    for _ in range(count):
        payer = get_user_model().objects.create_user(f"{uuid.uuid4().hex}@example.test", None, full_name="Somebody")
        line = Line(LineKind.BASE, "A walk", 1, 10_000)
        invoice = invoices.write(
            provider=provider, payer=payer, subject="A walk", currency="EUR", lines=[line], due_at=timezone.now()
        )
        session = SessionStore()
        session[SESSION_KEY] = str(payer.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = payer.get_session_auth_hash()
        session.save()
        owed.append([str(invoice.uid), session.session_key])
    sys.stdout.write(json.dumps(owed))


main(int(sys.argv[1]))
