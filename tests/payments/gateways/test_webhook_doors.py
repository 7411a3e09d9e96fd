"""Where gateways tell what happened: signed events are stored once, nothing else is."""

import json
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone

from payments.gateways import sandbox_webhooks
from payments.models import GatewayEvent
from petplace import cache as cache_module
from tests.payments.gateways.worlds import PayPalWorld, SandboxWorld, World

pytestmark = pytest.mark.django_db


def url(name: str) -> str:
    return f"/api/v1/webhooks/{name}/"


def post(world: World, body: bytes, headers: dict[str, str], *, name: str = "") -> Any:
    client = Client(enforce_csrf_checks=True)
    return client.post(url(name or world.name), body, content_type="application/json", headers=headers)


def signed(world: World) -> tuple[bytes, dict[str, str]]:
    body = world.event(world.captured().ref)
    return body, world.headers(body, at=timezone.now())


def test_signed_event_is_stored_before_it_is_acknowledged(world: World) -> None:
    body, headers = signed(world)

    answer = post(world, body, headers)

    event = GatewayEvent.objects.get()
    assert (answer.status_code, answer.json()) == (200, {"status": "stored"})
    assert (event.gateway, event.event_id, event.state) == (world.name, json.loads(body)["id"], "new")
    assert event.payload == json.loads(body)


def test_repeated_event_is_stored_once(world: World) -> None:
    body, headers = signed(world)

    statuses = {post(world, body, headers).status_code for _ in range(5)}

    assert (statuses, GatewayEvent.objects.count()) == ({200}, 1)


@pytest.mark.parametrize("fault", ["secret", "scheme", "body", "missing", "empty"])
def test_forged_event_changes_nothing(world: World, fault: str) -> None:
    charge = world.captured()
    body = world.event(charge.ref)
    headers = world.headers(body, at=timezone.now(), is_good=fault != "secret", is_old_scheme=fault == "scheme")
    body = {"body": world.other_body(body), "empty": b""}.get(fault, body)

    answer = post(world, body, {} if fault == "missing" else headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_signature")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert not GatewayEvent.objects.exists()


def test_event_of_another_gateway_is_refused(world: World, sandbox_world: SandboxWorld) -> None:
    body, headers = signed(world)
    other = "sandbox" if world.name == "stripe" else "stripe"

    assert post(world, body, headers, name=other).status_code == 400
    assert not GatewayEvent.objects.exists()


@pytest.mark.parametrize("name", ["bank", "stripe"])
def test_door_of_a_gateway_that_is_not_set_up_is_not_there(settings: Any, client: Client, name: str) -> None:
    settings.PAYMENT_GATEWAYS = ["sandbox"]

    assert client.post(url(name), b"{}", content_type="application/json").status_code == 404


def test_only_posts_are_taken(gateways: Any, client: Client) -> None:
    assert client.get(url("sandbox")).status_code == 405


def test_huge_body_is_refused(sandbox_world: SandboxWorld) -> None:
    body = b" " * (django_settings.API_MAX_BODY_BYTES + 1)

    assert post(sandbox_world, body, {}).status_code == 413


def test_redis_is_not_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module.Circuit, "is_open", lambda self: True)
    body, headers = signed(world)

    assert post(world, body, headers).status_code == 200
    assert GatewayEvent.objects.count() == 1


def test_signature_that_cannot_be_checked_now_comes_again(paypal_world: PayPalWorld) -> None:
    body, headers = signed(paypal_world)
    paypal_world.fake.fail_next("drop", path="verify-webhook-signature")

    answers = [post(paypal_world, body, headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["Retry-After"] == "30"
    assert GatewayEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_sandbox_posts_to_the_site(sandbox_world: SandboxWorld, live_server: Any, gateways: Any) -> None:
    gateways.SANDBOX_WEBHOOK_URL = f"{live_server.url}{url('sandbox')}"
    gateways.SANDBOX_REPEAT = 2
    charge = sandbox_world.authorized()
    sandbox_world.gateway.capture(charge.ref, amount=10_000, currency="EUR", key="c")

    posted = [sandbox_webhooks.post_events(now=timezone.now()) for _ in range(3)]

    stored = GatewayEvent.objects.order_by("pk").values_list("kind", "object_ref", "payment_uid")
    uid = charge.metadata["payment"]
    assert posted == [2, 2, 0]
    assert [(kind, ref, str(found)) for kind, ref, found in stored] == [
        ("charge.authorized", charge.ref, uid),
        ("charge.captured", charge.ref, uid),
    ]
