"""The installed app: its manifest, its service worker, and the page without a network."""

import datetime as dt
import json
from io import BytesIO
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from PIL import Image

from petplace import pwa
from tests.factories import NOW, UserFactory, make_booking, manager_of
from tests.queries import assert_constant

BOOKINGS = "/offline/bookings/"


def shell_of(client: Client) -> dict[str, Any]:
    first = client.get("/sw.js").content.decode().splitlines()[0]
    shell: dict[str, Any] = json.loads(first.removeprefix("const SHELL = ").removesuffix(";"))
    return shell


def file_of(url: str) -> bytes:
    path = finders.find(url.removeprefix("/static/"))
    assert path is not None, url
    with open(str(path), "rb") as file:
        return file.read()


def test_manifest_names_icons_that_are_what_they_say(client: Client) -> None:
    answer = client.get("/manifest.webmanifest")

    manifest = answer.json()
    assert answer.headers["Content-Type"] == "application/manifest+json"
    assert (manifest["display"], manifest["start_url"], manifest["scope"]) == ("standalone", "/", "/")
    sizes = {}
    for icon in manifest["icons"]:
        content = file_of(icon["src"])
        if icon["type"] == "image/png":
            image = Image.open(BytesIO(content))
            assert icon["sizes"] == f"{image.width}x{image.height}"
            sizes[icon["sizes"], icon["purpose"]] = image
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= set(sizes)
    corner = sizes["512x512", "maskable"].convert("RGBA").getpixel((0, 0))
    assert corner == (0xFA, 0xF7, 0xF2, 255)  # may be cut to any shape


@pytest.mark.django_db
def test_manifest_shortcuts_lead_somewhere(client: Client) -> None:
    for shortcut in client.get("/manifest.webmanifest").json()["shortcuts"]:
        assert client.get(shortcut["url"]).status_code in (200, 302)


def test_service_worker_serves_the_whole_site_and_is_asked_for_anew(client: Client) -> None:
    answer = client.get("/sw.js")

    assert answer.headers["Content-Type"] == "text/javascript"
    assert "no-cache" in answer.headers["Cache-Control"]
    policy = answer.headers["Content-Security-Policy"]
    assert "worker-src 'self'" in policy
    assert "manifest-src 'self'" in policy


def test_shell_is_all_that_the_page_loads(client: Client) -> None:
    shell = shell_of(client)

    assert shell["page"] == "/offline/"
    assert all(file_of(url) for url in shell["files"])
    assert {"/static/js/offline.js", "/static/css/base.css"} <= set(shell["files"])


def test_shell_has_a_new_name_when_anything_in_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    before = pwa.make_shell()["version"]
    read = pwa._read_bytes
    monkeypatch.setattr(pwa, "_read_bytes", lambda name: read(name) + (b" " if name == "css/base.css" else b""))

    assert pwa.make_shell()["version"] != before


@pytest.mark.django_db
def test_offline_page_is_made_for_nobody(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        client.get("/offline/")
    client.force_login(UserFactory(full_name="Somebody Known"))
    page = client.get("/offline/").content.decode()

    assert "Somebody Known" not in page
    assert "data-person" not in page
    assert "csrfmiddlewaretoken" not in page


@pytest.mark.django_db
def test_pages_say_who_reads_them_and_error_pages_say_nothing(client: Client) -> None:
    user = UserFactory()

    assert 'data-person=""' in client.get("/").content.decode()
    client.force_login(user)
    assert f'data-person="{user.uid}"' in client.get("/").content.decode()


@pytest.mark.django_db
def test_kept_visits_are_the_readers_own_and_those_of_the_business(client: Client, time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    booking = make_booking(state="confirmed")
    make_booking(state="confirmed")  # of others
    found = {}
    for name, user in {"owner": booking.owner, "manager": manager_of(booking), "stranger": UserFactory()}.items():
        client.force_login(user)
        answer = client.get(BOOKINGS)
        found[name] = answer.json()
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert found[name]["person"] == str(user.uid)

    shown = found["owner"]["visits"]
    assert [visit["reference"] for visit in shown] == [booking.reference]
    assert shown[0]["title"] == booking.service.name
    assert shown[0]["address"] == booking.service.branch.address
    assert booking.provider.name in shown[0]["who"]
    assert booking.owner.get_full_name() in found["manager"]["visits"][0]["who"]
    assert found["stranger"]["visits"] == []


@pytest.mark.django_db
def test_place_of_a_request_is_not_told_before_it_is_agreed(client: Client, time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    booking = make_booking(state="pending")
    client.force_login(booking.owner)

    assert client.get(BOOKINGS).json()["visits"][0]["address"] == ""


@pytest.mark.django_db
def test_kept_visits_are_nobodys_without_a_sign_in(client: Client) -> None:
    assert client.get(BOOKINGS).headers["Location"].startswith(reverse("account_login"))


@pytest.mark.django_db
def test_kept_visits_ask_the_same_for_one_and_for_many(client: Client, time_machine: Any) -> None:
    time_machine.move_to(NOW, tick=False)
    booking = make_booking(state="confirmed")
    client.force_login(booking.owner)

    assert_constant(
        lambda: client.get(BOOKINGS),
        lambda: make_booking(booking.service, owner=booking.owner, starts_at=NOW + dt.timedelta(days=3)),
    )
