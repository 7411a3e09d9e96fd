"""What a hostile input is here, and what every one of them must come to.

Each is refused with a clear 4xx, and nothing of it stays: the rows that it could have been after are the same
afterwards, and its own marker comes back in no header.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import TokenFamily, User
from bookings.models import Booking, Quote
from messaging.models import Device
from payments.models import Expense, Invoice, PromoCode
from pets.models import CareRecord, Pet, Vaccination
from providers.models import Membership, Provider, ProviderPhoto, Resource, Service, VerificationDocument
from reviews.models import Review
from tests.api.operations import World, client_of

WATCHED = (
    User, TokenFamily, Pet, Vaccination, CareRecord, Provider, Membership, Resource, Service, ProviderPhoto,
    VerificationDocument, Booking, Quote, Invoice, Expense, PromoCode, Device, Review,
)  # fmt: skip
EVIL = "evil.example"


@dataclass(frozen=True)
class Hostile:
    """One input: ``send`` sends it and returns the answer, ``expected`` are the statuses that refuse it."""

    name: str
    send: Callable[[World], Any]
    expected: tuple[int, ...]

    def __str__(self) -> str:
        return self.name


def check(hostile: Hostile, world: World) -> None:
    with transaction.atomic():
        before = snapshot()
        answer = hostile.send(world)
        said = f"{hostile}: {answer.status_code} {bytes(answer.content)[:400]!r}"
        assert answer.status_code in hostile.expected, said
        assert_clear(answer, said)
        assert snapshot() == before, f"{hostile} left something behind"
        transaction.set_rollback(True)


def assert_clear(answer: Any, said: str) -> None:
    """A problem document under the API, a page elsewhere; no trace of our insides in either."""
    content = answer.content.decode()
    if answer.request["PATH_INFO"].startswith("/api/"):
        assert answer.headers["Content-Type"] == "application/problem+json", said
        body = json.loads(content)
        assert body["status"] == answer.status_code, said
        assert body["code"], said
        assert body["detail"], said
    elif answer.status_code == 405:
        assert answer.headers["Allow"], said
    else:
        assert content.strip(), said
        assert answer.headers["Content-Type"].startswith(("text/html", "application/json")), said
    for inside in ("Traceback", "psycopg", "django.", "site-packages", "SELECT "):
        assert inside not in content, said
    assert not any(EVIL in value for value in answer.headers.values()), said


def snapshot() -> dict[str, list[dict[str, Any]]]:
    rows = {model.__name__: list(model._default_manager.order_by("pk").values()) for model in WATCHED}
    for user in rows["User"]:
        del user["last_login"]  # which signing the sender in sets
    return rows


def api(
    method: str, url: str, data: Any = None, *, by: str | None = "owner", raw: bytes | None = None,
    content_type: str = "application/json", **headers: str,
) -> Callable[[World], Any]:  # fmt: skip
    """Return a sender of one API request by somebody of the world; ``{names}`` in ``url`` are ids of it."""

    def send(world: World) -> Any:
        client = APIClient(raise_request_exception=False) if by is None else client_of(getattr(world, by))
        body = raw if raw is not None else b"" if data is None else json.dumps(filled(data, world)).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.generic(method, address(url, world), body, content_type=content_type, headers=named)

    return send


def page(
    method: str, url: str, data: dict[str, str] | None = None, *, by: str | None = "owner", has_checks: bool = False,
    **headers: str,
) -> Callable[[World], Any]:  # fmt: skip
    """Return a sender of one request of a page's visitor."""

    def send(world: World) -> Any:
        client = Client(enforce_csrf_checks=has_checks, raise_request_exception=False)
        if by is not None:
            client.force_login(getattr(world, by))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        call = getattr(client, method.lower())
        return call(address(url, world), data or {}, headers=named)

    return send


def address(url: str, world: World) -> str:
    for name, value in world.ids.items():
        url = url.replace(f"<{name}>", value)
    return url.replace("<slug>", world.provider.slug).replace("<reference>", world.reference)


def filled(data: Any, world: World) -> Any:
    """Put ids of the world in the place of their ``<names>``."""
    if isinstance(data, str):
        return address(data, world)
    if isinstance(data, list):
        return [filled(item, world) for item in data]
    if isinstance(data, dict):
        return {name: filled(value, world) for name, value in data.items()}
    return data
