"""What every answer says about caches, what it may ask the browser for, and where to report a weakness."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client, RequestFactory

from petplace.logs import JsonFormatter, scrub
from petplace.request_context import RequestIdFilter
from scripts import audit
from tests.api.operations import World
from tests.factories import UserFactory

PRIVATE = [
    "/account/settings/", "/pets/", "/bookings/", "/invoices/", "/notifications/", "/messages/", "/accounts/email/",
    "/accounts/sessions/", "/search/", "/",
]  # fmt: skip


@pytest.mark.parametrize("url", PRIVATE)
def test_no_cache_keeps_what_was_made_for_somebody(world: World, url: str) -> None:
    client = Client()
    client.force_login(world.owner)

    answer = client.get(url)

    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db
def test_signing_in_and_out_is_kept_nowhere(client: Client) -> None:
    entered = client.post("/accounts/login/", {"login": UserFactory().email, "password": "a-good-password-1"})
    left = client.post("/accounts/logout/")

    assert (entered.status_code, left.status_code) == (302, 302)
    assert all("no-store" in answer.headers["Cache-Control"] for answer in (entered, left))


@pytest.mark.django_db
def test_public_pages_of_strangers_stay_as_they_are(client: Client) -> None:
    assert "no-store" not in client.get("/how-it-works/").headers.get("Cache-Control", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["/", "/accounts/login/", "/admin/login/", "/api/v1/providers/", "/nowhere/", "/healthz"]
)
def test_every_answer_says_what_it_may_ask_for(client: Client, url: str) -> None:
    headers = client.get(url).headers

    policy = dict(part.split("=", 1) for part in headers["Permissions-Policy"].split(", "))
    assert (policy["camera"], policy["microphone"], policy["geolocation"]) == ("()", "()", "(self)")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["/", "/accounts/login/", "/accounts/signup/", "/admin/login/", "/search/", "/nowhere/"]
)
def test_no_page_allows_inline_script_or_style(client: Client, url: str) -> None:
    policy = client.get(url).headers["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_security_txt_can_be_read(client: Client, settings: Any) -> None:
    settings.SECURITY_CONTACT = "mailto:security@petplace.example"

    answer = client.get("/.well-known/security.txt")

    fields = dict(line.split(": ", 1) for line in answer.content.decode().splitlines())
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert fields["Contact"] == "mailto:security@petplace.example"
    days = (datetime.fromisoformat(fields["Expires"]) - datetime.now(UTC)).days
    assert 100 < days < 366
    assert client.post("/.well-known/security.txt").status_code == 405


HIDDEN = {
    "Login of ann@example.test failed": "Login of [email] failed",
    "Key (email)=(ann@example.test) already exists": "Key (email)=([email]) already exists",
    "Not Found: /search/?q=ann&place=Berlin": "Not Found: /search/?[query]",
    "Authorization: Bearer abc.def": "Authorization: Bearer [token]",
    "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl!": "token [token]!",
    "/bookings/link/eyJ1IjoxfQ:1abcDE:AAAABBBBCCCCDDDDEEEEFFFF/": "/bookings/link/[token]/",
    "/api/v1/calendar/x1y2z3x1y2z3x1y2z3x1y2z3x1y2z3x1y2z3x1y.ics": "/api/v1/calendar/[token].ics",
    "paid with 4242 4242 4242 4242": "paid with [number]",
    "called +49 30 901820 twice": "called [phone] twice",
    "from 203.0.113.7 and 2001:db8:0:1::7": "from [address] and [address]",
    "postgresql://petplace:secret@db/petplace": "postgresql://[account]@db/petplace",
}
KEPT = [
    "Not Found: /api/v1/pets/0f8fad5b-d9cb-469f-a165-70867728950e/",
    "Housekeeping: 12 idempotency keys removed",
    "took 00:10:15, at 2026-11-17 08:00:00",
    "a name like happy-paws-in-the-middle-of-berlin stays",
]


@pytest.mark.parametrize(("text", "expected"), HIDDEN.items())
def test_logs_hide_people_and_secrets(text: str, expected: str) -> None:
    assert scrub(text) == expected


@pytest.mark.parametrize("text", KEPT)
def test_logs_keep_what_helps(text: str) -> None:
    assert scrub(text) == text


def test_a_log_line_is_one_object_with_the_request_it_belongs_to(client: Client) -> None:
    try:
        raise ValueError("no room for ann@example.test\nforged line")
    except ValueError:
        record = logging.LogRecord("petplace", logging.ERROR, "x.py", 1, "Failed: %s", ("a\nb",), sys.exc_info())
    record.status_code = 500
    record.request = RequestFactory().get("/", {"secret": "x"})
    RequestIdFilter().filter(record)

    text = JsonFormatter().format(record)

    line = json.loads(text)
    assert "\n" not in text
    assert (line["level"], line["request_id"], line["message"], line["status"]) == ("ERROR", "-", "Failed: a\nb", "500")
    assert "ValueError: no room for [email]" in line["error"]
    assert "secret" not in text


def test_audit_fails_on_an_advisory_and_says_when_nothing_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"name": "x", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
    good = {"name": "y", "version": "1", "vulns": []}
    silent = {"name": "z", "skip_reason": "not found"}

    assert [audit.judge(found) for found in ([bad, good], [good], [silent, silent], [good, silent])] == [1, 0, 0, 0]

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "x 1: CVE-1, mended in 2"
    assert lines[1] == "No advisory against 1 packages."
    assert [line.startswith("note: ") for line in lines[2:]] == [True, True]
