"""Devices: what can be one, whose it is, and when it stops being told anything."""

import datetime as dt
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.domain import closing, credentials, families
from accounts.models import TokenFamily
from messaging.domain import devices
from messaging.models import Device
from petplace.errors import InvalidInput
from tests.factories import DEVICE_KEYS, DeviceFactory, UserFactory

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 11, 24, 16, 0, tzinfo=dt.UTC)
DEVICES = "/api/v1/devices/"
ENDPOINT = "https://push.example.test/send/abc"
BROWSER = {"kind": "webpush", "endpoint": ENDPOINT, "p256dh": DEVICE_KEYS[0], "auth": DEVICE_KEYS[1]}
PASSWORD = "a-good-password-1"


def register(user: Any, **fields: Any) -> Device:
    return devices.register(user, **(BROWSER | {"now": NOW} | fields))


def signed_in_app(user: Any) -> APIClient:
    client = APIClient()
    answer = client.post("/api/v1/auth/login/", {"email": user.email, "password": PASSWORD}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer['access']}")
    return client


def signed_in_browser(user: Any) -> Client:
    client = Client(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
    client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD})
    return client


def add(client: Client, **fields: str) -> Any:
    return client.post(reverse("messaging:device_add"), {name: BROWSER[name] for name in BROWSER} | fields)


# --- What can be one ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    [
        "", "x", "http://push.example.test/x", "https://127.0.0.1/x", "https://10.0.0.1/x", "https://[::1]/x",
        "https://localhost/x", "https://db/x", "https://printer.local/x", "https://2130706433/x", "https://8.8.8.8/x",
        "https://a:b@push.example.test/x", "https://push.example.test:22/x", "https://push.example.test:x/x",
        "ftp://push.example.test/x", "https://push.example.test/a b", "https://push.example.test/\r\nX: y",
        "https://push.example.test/" + "x" * 1000, "https://127.1/x", "javascript:alert(1)", "https://[::1",
        "https://push.example.test/#x",
    ],
)  # fmt: skip
def test_endpoint_that_is_no_push_service_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(UserFactory(), endpoint=endpoint)

    assert list(refused.value.fields) == ["endpoint"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("p256dh", ""), ("p256dh", "x"), ("p256dh", "B" + "A" * 86), ("p256dh", "é" * 20), ("p256dh", "A" * 101),
        ("auth", ""), ("auth", "AAAA"), ("auth", "!" * 22), ("token", "x"),
    ],
)  # fmt: skip
def test_keys_that_are_none_are_refused(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        register(UserFactory(), **{field: value})

    assert list(refused.value.fields) == [field]


def test_app_has_a_token_and_nothing_else() -> None:
    with pytest.raises(InvalidInput) as refused:
        register(UserFactory(), kind="fcm")
    device = devices.register(UserFactory(), kind="fcm", token="abc:DEF-1", now=NOW)

    assert set(refused.value.fields) == {"token", "endpoint", "p256dh", "auth"}
    assert (device.address, device.is_browser) == ("abc:DEF-1", False)


def test_list_of_push_services_is_kept_to(settings: Any) -> None:
    settings.WEB_PUSH_HOSTS = ["example.test"]

    assert register(UserFactory()).pk
    with pytest.raises(InvalidInput):
        register(UserFactory(), endpoint="https://push.example.test.evil.test/x")


def test_database_keeps_browsers_with_keys_and_apps_without() -> None:
    for fields in ({"kind": "webpush", "p256dh": "", "auth": ""}, {"kind": "fcm"}, {"kind": "pager"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            DeviceFactory(**fields)


# --- Whose it is --------------------------------------------------------------------------------


def test_same_device_again_is_one_row_that_was_seen() -> None:
    user = UserFactory()
    first = register(user, label="Firefox on Linux")

    again = register(user, now=NOW + dt.timedelta(days=1))

    assert Device.objects.get() == again == first
    assert (again.last_seen_at, again.label) == (NOW + dt.timedelta(days=1), "Firefox on Linux")


def test_device_belongs_to_who_signed_in_last() -> None:
    before, now = UserFactory(), UserFactory()
    first = register(before)

    second = register(now)

    assert Device.objects.get() == second
    assert (second.user, second.uid != first.uid) == (now, True)


def test_person_has_twenty_at_most_and_the_longest_unseen_goes() -> None:
    user = UserFactory()
    for number in range(devices.PER_PERSON + 2):
        register(user, endpoint=f"{ENDPOINT}{number}", now=NOW + dt.timedelta(minutes=number))

    kept = Device.objects.owned_by(user)
    assert kept.count() == devices.PER_PERSON
    assert not kept.filter(address__in=[f"{ENDPOINT}0", f"{ENDPOINT}1"]).exists()


def test_those_that_answer_are_tried_first() -> None:
    user = UserFactory()
    failing = DeviceFactory(user=user, failed_at=NOW, last_seen_at=NOW)
    well = DeviceFactory(user=user)
    DeviceFactory()

    assert list(Device.objects.reachable([user.pk], NOW)) == [well, failing]


# --- When it ends -------------------------------------------------------------------------------


def test_signing_out_ends_this_browser_alone() -> None:
    user = UserFactory()
    here, there = signed_in_browser(user), signed_in_browser(user)
    assert add(here).status_code == 201
    assert add(there, endpoint=f"{ENDPOINT}2").status_code == 201

    here.post(reverse("account_logout"))

    assert [device.address for device in Device.objects.all()] == [f"{ENDPOINT}2"]


def test_browser_that_was_signed_out_from_elsewhere_ends() -> None:
    user = UserFactory()
    browser = signed_in_browser(user)
    add(browser)

    UserSession.objects.get(user=user).end()

    assert not Device.objects.exists()


def test_new_password_ends_all_of_them() -> None:
    user = UserFactory()
    register(user)

    credentials.set_password(user, "another-good-password-2", now=NOW)

    assert not Device.objects.exists()


def test_closed_account_has_none() -> None:
    user = UserFactory()
    register(user)

    closing.close(user, now=NOW)

    assert not Device.objects.exists()


def test_app_that_was_signed_out_hears_nothing() -> None:
    user = UserFactory()
    app = signed_in_app(user)
    assert app.post(DEVICES, {"kind": "fcm", "token": "t"}, format="json").status_code == 201
    now = timezone.now()
    assert Device.objects.reachable([user.pk], now).count() == 1

    families.end_family(TokenFamily.objects.get(user=user), now=now)

    assert not Device.objects.reachable([user.pk], now).exists()


# --- The API ------------------------------------------------------------------------------------


def test_api_registers_lists_and_removes() -> None:
    user = UserFactory()
    api = signed_in_app(user)

    made = api.post(DEVICES, BROWSER | {"label": "My app"}, format="json")
    listed = api.get(DEVICES).json()["results"]
    shown = api.get(f"{DEVICES}{made.json()['id']}/").json()
    removed = api.delete(f"{DEVICES}{made.json()['id']}/")

    assert made.status_code == 201
    assert set(shown) == {"id", "kind", "label", "last_seen_at", "failed_at", "created_at"}
    assert ENDPOINT not in str(listed)
    assert listed == [shown] == [made.json()]
    assert (removed.status_code, Device.objects.count()) == (204, 0)
    assert api.delete(f"{DEVICES}{made.json()['id']}/").status_code == 404


def test_api_names_the_field_that_is_wrong() -> None:
    answer = signed_in_app(UserFactory()).post(DEVICES, BROWSER | {"endpoint": "https://10.0.0.1/"}, format="json")

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["endpoint"])


def test_api_shows_and_removes_only_ones_own() -> None:
    others = DeviceFactory()
    api = signed_in_app(UserFactory())

    assert api.get(DEVICES).json()["results"] == []
    assert api.get(f"{DEVICES}{others.uid}/").status_code == 404
    assert api.delete(f"{DEVICES}{others.uid}/").status_code == 404
    assert APIClient().get(DEVICES).status_code == 401
    assert Device.objects.count() == 1


def test_api_tells_the_key_to_subscribe_with(settings: Any) -> None:
    key = signed_in_app(UserFactory()).get(f"{DEVICES}push-key/").json()["public_key"]

    assert len(key) == 87


# --- Pages --------------------------------------------------------------------------------------


def test_page_lists_removes_and_forgets() -> None:
    user = UserFactory()
    browser = signed_in_browser(user)
    device = DeviceFactory(user=user, label="Safari on iPhone")
    add(browser)

    page = browser.get(reverse("messaging:devices")).content.decode()
    browser.post(reverse("messaging:device_remove", args=[device.uid]))
    left = list(Device.objects.values_list("label", flat=True))
    browser.post(reverse("messaging:device_forget"), {"endpoint": ENDPOINT})

    assert "Safari on iPhone" in page
    assert "Firefox on Linux" in page
    assert left == ["Firefox on Linux"]
    assert not Device.objects.exists()


def test_page_refuses_what_is_no_endpoint_and_what_is_not_ones_own() -> None:
    others = DeviceFactory()
    browser = signed_in_browser(UserFactory())

    refused = add(browser, endpoint="https://10.0.0.1/x")
    browser.post(reverse("messaging:device_forget"), {"endpoint": others.address})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["endpoint"])
    assert browser.post(reverse("messaging:device_remove", args=[others.uid])).status_code == 404
    assert Device.objects.get() == others


def test_page_without_a_key_says_so(settings: Any) -> None:
    settings.VAPID_PRIVATE_KEY, settings.IS_PRODUCTION = "", True
    client = Client()
    client.force_login(UserFactory())

    assert "Not available here" in client.get(reverse("messaging:devices")).content.decode()
