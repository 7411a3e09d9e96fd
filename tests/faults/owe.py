"""Make people who owe something and are signed in. Prints their invoices and sessions as JSON. Run as a module."""

import json
import sys

import django
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.utils import timezone

django.setup()

from django.conf import settings  # noqa: E402 - models need the set-up above
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402

from payments.domain import invoices  # noqa: E402
from payments.domain.invoices import Line  # noqa: E402
from payments.models import LineKind  # noqa: E402
from tests import factories  # noqa: E402


def main(count: int) -> None:
    factories.UserFactory.reset_sequence(1_000_000)  # beside those who are there
    provider = factories.make_provider(name="Whom they owe", now=timezone.now())
    owed = []
    for _ in range(count):
        payer = factories.UserFactory()
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
