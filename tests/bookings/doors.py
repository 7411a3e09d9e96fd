"""What the tests of the doors share."""

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient


def client_of(user: Any) -> Client:
    """Return a browser in which ``user`` is signed in."""
    client = Client()
    client.force_login(user)
    return client


def api_of(user: Any) -> APIClient:
    """Return an API client that acts for ``user``."""
    client = APIClient()
    client.force_authenticate(user)
    return client


def queries_of(client: Client, url: str, **data: Any) -> int:
    """Count the queries of a page that answers 200, after a first visit that remembers the session."""
    assert client.get(url, data).status_code == 200
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url, data).status_code == 200
    return len(queries)
