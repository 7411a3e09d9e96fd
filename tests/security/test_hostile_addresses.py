"""Addresses, hosts, methods and headers that a browser would never send."""

import pytest
from django.test import Client

from tests.api.operations import World
from tests.factories import UserFactory
from tests.security.hostile import EVIL, Hostile, api, check, page

PATHS = {
    "climbs out of static": "/static/../petplace/settings.py",
    "climbs out of static, encoded": "/static/%2e%2e/%2e%2e/petplace/settings.py",
    "climbs out of static, encoded twice": "/static/%252e%252e/settings.py",
    "climbs with backslashes": "/static/..%5c..%5c.env",
    "climbs out of photos": "/p/photos/..%2f..%2f..%2fetc%2fpasswd",
    "climbs through a slug": "/p/..%2f..%2fadmin/",
    "climbs through an avatar": "/p/../../etc/avatar",
    "climbs through a feed's name": "/api/v1/calendar/..%2f..%2fetc%2fpasswd.ics",
    "climbs through an id": "/api/v1/pets/..%2fme/",
    "climbs in the API": "/api/v1/../../admin/x",
    "asks for media": "/media/pets/photo.jpg",
    "asks for the environment": "/.env",
    "asks for the repository": "/.git/config",
    "asks for a key": "/.ssh/id_rsa",
    "asks for a backup": "/db.sqlite3",
    "asks for php": "/index.php?page=php://filter/convert.base64-encode/resource=x",
    "asks for actuators": "/actuator/env",
    "asks for the proc file system": "/static//proc/self/environ",
    "semicolon trick": "/admin;/x",
    "dot segment trick": "/api/v1/..;/admin/x",
    "two slashes to another site": f"//{EVIL}/..%2f",
    "backslash to another site": f"/%5c{EVIL}",
    "NUL in the path": "/p/happy%00paws/",
    "NUL in an API path": "/api/v1/pets/%00/",
    "NUL in a file's name": "/static/css/x.css%00.png",
    "NUL in the query": "/search/?q=a%00b",
    "NUL in an API query": "/api/v1/pets/?state=%00",
    "bytes that are no text": "/p/%ff%fe/",
    "overlong slash": "/static/%c0%ae%c0%ae%c0%afetc",
    "half a surrogate": "/p/%ed%a0%80/",
    "bytes that are no text in the query": "/search/?q=%ff",
    "half a surrogate in the API's query": "/api/v1/providers/?q=%ed%a0%80",
    "path of ten thousand characters": "/p/" + "a" * 10_000 + "/",
    "line break in the path": "/p/a%0d%0aSet-Cookie:%20x=1/",
    "script in the path": "/p/%3Cscript%3Ealert(1)%3C/script%3E/",
    "template in the path": "/p/%7B%7B7*7%7D%7D/",
    "look-alike of an address": "/%D0%B0dmin/",
    "full-width look-alike": "/%EF%BD%81%EF%BD%84min/",
    "another version of the API": "/api/v2/me/",
    "format suffix": "/api/v1/pets.json",
    "unlinked number for an id": "/api/v1/pets/1/",
    "forged link in a mail": "/bookings/link/eyJ1IjoxfQ:1abc:AAAA/",
    "forged link to stop mails": "/notifications/stop/eyJ1IjoxfQ:1abc:AAAA/",
    "forged feed": "/api/v1/calendar/" + "A" * 43 + ".ics",
}
HOSTS = {
    "another host": EVIL,
    "another host with our port": f"{EVIL}:8000",
    "our name before another": f"testserver.{EVIL}",
    "another before our name": f"{EVIL}.testserver",
    "no host": "",
    "a path in the host": f"testserver/{EVIL}",
    "an account in the host": f"testserver@{EVIL}",
    "a port that is none": "testserver:x",
    "a line break in the host": "testserver\\r\\nX: y",
    "an address of the cloud": "169.254.169.254",
    "a look-alike host": "t\u0435stserver",
    "a very long host": "a" * 300,
    "two hosts": f"testserver, {EVIL}",
}
METHODS = {
    "TRACE of a page": page("trace", "/search/"),
    "TRACE of the API": api("TRACE", "/api/v1/me/"),
    "CONNECT to the API": api("CONNECT", "/api/v1/me/"),
    "PROPFIND of the API": api("PROPFIND", "/api/v1/me/"),
    "OPTIONS of the API": api("OPTIONS", "/api/v1/me/"),
    "method of no name": api("X" * 200, "/api/v1/me/"),
    "DELETE of a list": api("DELETE", "/api/v1/pets/"),
    "PUT of a row": api("PUT", "/api/v1/pets/<pets>/", {"name": "x"}),
    "PATCH of a booking": api("PATCH", "/api/v1/bookings/<bookings>/", {"state": "completed"}),
    "DELETE of a booking": api("DELETE", "/api/v1/bookings/<bookings>/"),
    "PATCH of an invoice": api("PATCH", "/api/v1/invoices/<invoices>/", {"total": 0}, by="manager"),
    "DELETE of an invoice": api("DELETE", "/api/v1/invoices/<invoices>/", by="manager"),
    "GET of a change": api("GET", "/api/v1/bookings/<bookings>/cancel/"),
    "GET of an approval": api("GET", "/api/v1/providers/<providers>/approve/", by="staff"),
    "GET of a page's change": page("get", "/pets/<pets>/archive/"),
    "GET of a sign-out of an app": page("get", "/account/apps/<pets>/end/"),
    "HEAD of a page's change": page("head", "/pets/<pets>/archive/"),
    "method in a header": api("POST", "/api/v1/me/", {}, X_HTTP_Method_Override="DELETE"),
    "method in another header": api("POST", "/api/v1/pets/<pets>/", {}, X_Method_Override="DELETE"),
    "method in the query": api("POST", "/api/v1/me/?_method=DELETE", {}),
    "method in the body": api("POST", "/api/v1/me/", {"_method": "DELETE"}),
}
HEADERS = {
    "XML with an external entity": (415, b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", "application/xml"),
    "YAML with an object": (415, b"!!python/object/apply:os.system ['id']", "application/yaml"),
    "pickle": (415, b"cos\nsystem\n(S'id'\ntR.", "application/octet-stream"),
    "form in place of JSON": (415, b"name=x&species=dog", "application/x-www-form-urlencoded"),
    "multipart in place of JSON": (415, b"--x--\r\n", "multipart/form-data; boundary=x"),
    "text that is JSON": (415, b'{"name": "x", "species": "dog"}', "text/plain"),
    "UTF-16": (415, '{"name": "x"}'.encode("utf-16"), "application/json; charset=utf-16"),
    "UTF-7": (415, b'{"name": "+ADw-script+AD4-"}', "application/json; charset=utf-7"),
    "no type at all": (415, b'{"name": "x", "species": "dog"}', ""),
    "type with a line break": (415, b"{}", "application/json\r\nX-Evil: 1"),
}


def _host(host: str, url: str) -> Hostile:
    sender = api("GET", url, Host=host) if url.startswith("/api/") else page("get", url, Host=host)
    return Hostile(f"host: {host[:40]} at {url}", sender, (400,))


HOSTILE = [
    *(
        Hostile(f"path: {name}", api("GET", url) if url.startswith("/api/") else page("get", url), (400, 404))
        for name, url in PATHS.items()
    ),
    *(_host(host, "/") for host in HOSTS.values()),
    *(_host(host, "/api/v1/me/") for host in list(HOSTS.values())[:4]),
    *(Hostile(f"method: {name}", sender, (405,)) for name, sender in METHODS.items()),
    *(
        Hostile(f"body: {name}", api("POST", "/api/v1/pets/", raw=raw, content_type=kind), (status,))
        for name, (status, raw, kind) in HEADERS.items()
    ),
    *(
        Hostile(
            f"key of an order: {name}",
            api("POST", "/api/v1/quotes/", {}, Idempotency_Key=value),
            (400,),
        )
        for name, value in {"line break": "a\r\nb", "blank": "a b", "long": "k" * 300, "no ASCII": "ключ"}.items()
    ),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_address_is_refused(world: World, hostile: Hostile) -> None:
    check(hostile, world)


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Host", "X-Original-URL", "X-Rewrite-URL", "Forwarded"])
def test_headers_that_name_another_host_or_path_change_nothing(world: World, name: str) -> None:
    client = Client()

    plain = client.get("/how-it-works/")
    asked = client.get("/how-it-works/", headers={name: f"{EVIL}/admin/" if "URL" not in name else "/admin/"})

    assert (plain.status_code, asked.status_code) == (200, 200)
    assert EVIL not in asked.content.decode()
    assert "Django administration" not in asked.content.decode()


@pytest.mark.parametrize(
    "target",
    [
        f"https://{EVIL}/", f"//{EVIL}/", f"/\\{EVIL}/", f"\\\\{EVIL}", f"http:{EVIL}", f"https:///{EVIL}",
        "javascript:alert(1)", "data:text/html,x", f"/%0d%0aLocation:%20https://{EVIL}", f"https://testserver@{EVIL}/",
        f"////{EVIL}", f" https://{EVIL}", f"\thttps://{EVIL}", f"https://{EVIL}\u3002",
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_signing_in_leads_nowhere_else(client: Client, target: str) -> None:
    data = {"login": UserFactory().email, "password": "a-good-password-1", "next": target}

    answer = client.post("/accounts/login/", data)

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/")
    assert not answer.headers["Location"].startswith(("//", "/\\"))
    assert answer.wsgi_request.build_absolute_uri(answer.headers["Location"]).startswith("http://testserver/")
