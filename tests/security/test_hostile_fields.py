"""Fields that are not the sender's to set, numbers and texts that are none, addresses that lead inside."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from petplace.tables import inert
from tests.api.operations import World
from tests.factories import DEVICE_KEYS
from tests.security.hostile import EVIL, Hostile, api, check

PET: dict[str, Any] = {"name": "Rex", "species": "dog"}
BOOK: dict[str, Any] = {"service": "<services>", "start": "2026-11-21T08:00:00Z", "pets": ["<pets>"]}
MONEY = {"amount": 1, "currency": "EUR"}
# Door, a body that is fine, who sends it, and the fields that nobody may send there.
ASSIGNED: list[tuple[str, str, dict[str, Any], str, dict[str, Any]]] = [
    (
        "PATCH", "/api/v1/me/", {}, "owner",
        {
            "is_staff": True, "is_superuser": True, "is_active": True, "email": f"x@{EVIL}", "id": "<pets>", "pk": 1,
            "uid": "<pets>", "token_version": 0, "password": "x", "date_joined": "2020-01-01T00:00:00Z",
            "email_verified": True, "groups": [1], "user_permissions": [1], "last_login": None,
        },
    ),
    ("POST", "/api/v1/pets/", PET, "owner", {"owner": "<pets>", "owner_id": 1, "photo": "/etc/passwd", "id": "<pets>"}),
    ("PATCH", "/api/v1/pets/<pets>/", {}, "owner", {"owner": "<pets>", "archived_at": None, "__proto__": {"owner": 1}}),
    (
        "PATCH", "/api/v1/providers/<providers>/", {}, "manager",
        {
            "state": "approved", "slug": "other", "rating_sum": 500, "review_count": 100, "commission_bp": 0,
            "approved_at": "2020-01-01T00:00:00Z", "is_verified": True, "owner": "<pets>",
        },
    ),
    (
        "POST", "/api/v1/bookings/", BOOK, "owner",
        {
            "state": "confirmed", "price": MONEY, "total": MONEY, "owner": "<pets>", "provider": "<providers>",
            "currency": "USD", "is_paid": True, "reference": "AAAA", "expires_at": "2030-01-01T00:00:00Z",
        },
    ),
    ("POST", "/api/v1/quotes/", BOOK, "owner", {"total": MONEY, "lines": [], "discount": MONEY, "tax": 0}),
    ("POST", "/api/v1/bookings/<bookings>/cancel/", {}, "owner", {"refund": MONEY, "state": "declined", "fee": 0}),
    ("POST", "/api/v1/bookings/<bookings>/tip/", {"amount": MONEY}, "owner", {"owner": "<pets>", "paid": True}),
    (
        "PATCH", "/api/v1/providers/<providers>/services/<services>/", {}, "manager",
        {"provider": "<pets>", "commission": 0, "rating": 5},
    ),
    (
        "PATCH", "/api/v1/providers/<providers>/documents/<documents>/", {}, "manager",
        {"accepted": True, "state": "accepted", "checked_by": "<pets>", "file": "/etc/passwd"},
    ),
    (
        "POST", "/api/v1/providers/<providers>/promo-codes/", {"code": "SUMMER", "percent_bp": 1000}, "manager",
        {"used": -5, "provider": "<pets>", "is_platform": True},
    ),
    (
        "PATCH", "/api/v1/providers/<providers>/finance/expenses/<expenses>/", {}, "manager",
        {"provider": "<pets>", "receipt": "/etc/passwd", "by": "<pets>"},
    ),
    ("PATCH", "/api/v1/providers/<providers>/members/<members>/", {}, "manager", {"user": "<pets>", "role": "owner"}),
    ("POST", "/api/v1/auth/login/", {"email": "a@example.test", "password": "x"}, "", {"is_staff": True, "user": 1}),
    (
        "POST", "/api/v1/auth/register/",
        {"email": "new@example.test", "password": "a-good-password-1", "full_name": "New"}, "",
        {"is_staff": True, "is_superuser": True, "email_verified": True, "role": "admin"},
    ),
]  # fmt: skip
NUMBERS: dict[str, Any] = {
    "below nothing": -1,
    "beyond any price": 10**13,
    "beyond 64 bits": 2**63,
    "beyond everything": 10**400,
    "a fraction of a cent": 0.5,
    "true": True,
    "a text": "100",
    "an exponent": "1e3",
    "digits of another script": "١٢٣",
    "a list": [100],
    "nothing": None,
}
TEXTS: dict[str, str] = {
    "NUL": "Rex\0",
    "line break for a header": "Rex\r\nBcc: all@evil.example",
    "bell": "Rex\a",
    "escape of a terminal": "\x1b[2JRex",
    "line separator": "Rex\u2028Bcc: x",
    "half a surrogate": "\ud800",
    "only blanks": " \u2003 ",
    "ten thousand letters": "x" * 10_000,
    "no text": "",
}
JSONS: dict[str, bytes] = {
    "the same key twice": b'{"name": "Rex", "name": "Max", "species": "dog"}',
    "not a number": b'{"name": "Rex", "species": "dog", "weight_kg": NaN}',
    "infinity": b'{"name": "Rex", "species": "dog", "weight_kg": Infinity}',
    "an exponent without end": b'{"name": "Rex", "species": "dog", "weight_kg": 1e999}',
    "a hundred thousand brackets": b"[" * 100_000,
    "deep objects": b'{"a":' * 2000 + b"1" + b"}" * 2000,
    "a comment": b'{"name": "Rex", /* x */ "species": "dog"}',
    "two documents": b'{"name": "Rex", "species": "dog"}{"name": "Max"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "Rex", "species": "dog"}',
    "bytes that are no text": b'{"name": "\xff\xfe"}',
    "a list": b"[]",
    "a text": b'"Rex"',
    "nothing": b"",
    "digits without end": b'{"name": "Rex", "species": "dog", "weight_kg": ' + b"9" * 100_000 + b"}",
}
ENDPOINTS = {
    "plain http": "http://push.example.test/x",
    "this machine": "https://127.0.0.1/x",
    "this machine by name": "https://localhost/x",
    "this machine by name with a dot": "https://localhost./x",
    "this machine in IPv6": "https://[::1]/x",
    "this machine as IPv4 in IPv6": "https://[::ffff:127.0.0.1]/x",
    "this machine as one number": "https://2130706433/x",
    "this machine in hexadecimal": "https://0x7f000001/x",
    "this machine in octal": "https://0177.0.0.1/x",
    "this machine, short": "https://127.1/x",
    "any address": "https://0.0.0.0/x",
    "the cloud's meta data": "https://169.254.169.254/latest/meta-data/",
    "the cloud's meta data in IPv6": "https://[fd00:ec2::254]/x",
    "a private network": "https://10.0.0.1/x",
    "another private network": "https://192.168.1.1/x",
    "a name of the house": "https://redis.local/x",
    "a name without a dot": "https://redis/x",
    "another port": "https://push.example.test:6379/x",
    "with an account": "https://user:pass@push.example.test/x",
    "with another host behind the account": "https://push.example.test@127.0.0.1/x",
    "with a fragment": "https://push.example.test/x#@127.0.0.1",
    "a file": "file:///etc/passwd",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict": "dict://127.0.0.1:6379/info",
    "ftp": "ftp://push.example.test/x",
    "a script": "javascript:fetch('/')",
    "a line break": "https://push.example.test/\r\nHost: redis",
    "dots that only look like dots": "https://127\u30020\u30020\u30021/x",
    "digits that only look like digits": "https://①②⑦.0.0.1/x",
    "no host": "https:///x",
    "an address without end": "https://push.example.test/" + "x" * 5000,
}
FORMULAS = ["=1+1", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("http://evil.example")']
ORDERS = ["password", "-owner__password", "id;DROP TABLE x", "(SELECT 1)", "id--", "starts_at,owner__email"]
DEVICE = {"kind": "webpush", "p256dh": DEVICE_KEYS[0], "auth": DEVICE_KEYS[1]}

HOSTILE = [
    *(
        Hostile(f"set {field} by {method} {url}", api(method, url, {**good, field: value}, by=by or None), (400,))
        for method, url, good, by, fields in ASSIGNED
        for field, value in fields.items()
    ),
    *(
        Hostile(
            f"tip of {name}",
            api("POST", "/api/v1/bookings/<bookings>/tip/", {"amount": {"amount": value, "currency": "EUR"}}),
            (400,),
        )
        for name, value in NUMBERS.items()
    ),
    *(
        Hostile(
            f"expense of {name}",
            api(
                "POST",
                "/api/v1/providers/<providers>/finance/expenses/",
                {"category": "supplies", "on": "2026-06-01", "amount": {"amount": value, "currency": "EUR"}},
                by="manager",
            ),
            (400,),
        )
        for name, value in NUMBERS.items()
    ),
    *(
        Hostile(f"page number {value[:30]}", api("GET", f"/api/v1/pets/?page={value}"), (400, 404))
        for value in ("0", "-1", "1e9", "9" * 400, "١", "1.5", "true")
    ),
    *(
        Hostile(f"name of a pet: {name}", api("POST", "/api/v1/pets/", {**PET, "name": text}), (400,))
        for name, text in TEXTS.items()
    ),
    *(
        Hostile(f"name of a person: {name}", api("PATCH", "/api/v1/me/", {"full_name": text}), (400,))
        for name, text in TEXTS.items()
    ),
    *(
        Hostile(f"JSON: {name}", api("POST", "/api/v1/pets/", raw=raw, content_type="application/json"), (400,))
        for name, raw in JSONS.items()
    ),
    Hostile("JSON: more than a megabyte", api("POST", "/api/v1/pets/", {**PET, "name": "x" * 1_000_001}), (413,)),
    *(
        Hostile(f"push to {name}", api("POST", "/api/v1/devices/", {**DEVICE, "endpoint": url}), (400,))
        for name, url in ENDPOINTS.items()
    ),
    *(
        Hostile(
            f"formula for a code: {text[:12]!r}",
            api(
                "POST",
                "/api/v1/providers/<providers>/promo-codes/",
                {"code": text, "percent_bp": 1000},
                by="manager",
            ),
            (400,),
        )
        for text in FORMULAS
    ),
    *(
        Hostile(
            f"formula for a category: {text[:12]!r}",
            api(
                "POST",
                "/api/v1/providers/<providers>/finance/expenses/",
                {"category": text, "amount": MONEY, "on": "2026-06-01"},
                by="manager",
            ),
            (400,),
        )
        for text in FORMULAS[:2]
    ),
    *(
        Hostile(f"template for a {field}", api("PATCH", "/api/v1/me/", {field: text}), (400,))
        for field, text in {
            "locale": "{{7*7}}", "time_zone": "{% debug %}", "phone": "${7*7}", "home_latitude": "#{7*7}",
        }.items()
    ),
    *(
        Hostile(f"state for a filter: {text}", api("GET", f"/api/v1/bookings/?state={text}"), (400,))
        for text in ("' OR 1=1 --", "confirmed' UNION SELECT 1--", "confirmed);DROP TABLE x", "{{7*7}}")
    ),
    *(
        Hostile(
            f"sign in with {name}",
            api("POST", "/api/v1/auth/login/", {"email": email, "password": "x"}, by=None),
            (400, 401),
        )
        for name, email in {
            "a query": "' OR 1=1 --@example.test",
            "a line break": "user0@example.test\r\nBcc: x@evil.example",
            "two addresses": "user0@example.test,x@evil.example",
            "an object": {"$gt": ""},
            "a list": ["user0@example.test", "x@evil.example"],
            "full-width letters": "ｕser0@example.test",
            "a dotless i": "us\u0131er@example.test",
            "a Kelvin sign": "\u212aate@example.test",
        }.items()
    ),
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_field_is_refused(world: World, hostile: Hostile) -> None:
    check(hostile, world)


@pytest.mark.parametrize("text", FORMULAS)
def test_formula_in_a_text_runs_in_no_spreadsheet(text: str) -> None:
    assert inert(text).startswith("'")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "look_alike", ["ann\u0131e@example.test", "ann\u0456e@example.test", "\uff41nnie@example.test"]
)
def test_look_alike_address_never_reaches_another_account(mailoutbox: list[Any], look_alike: str) -> None:
    User.objects.create_user("annie@example.test", "a-good-password-1", full_name="Annie")

    answer = APIClient().post("/api/v1/auth/password/reset/", {"email": look_alike})

    assert answer.status_code in (202, 400)
    assert all(look_alike in mail.to or "annie@example.test" not in mail.to for mail in mailoutbox)
