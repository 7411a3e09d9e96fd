"""What makes the site an app that can be installed, and that says something when there is no network."""

import hashlib
import json
import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

# Fonts are named in style sheets, where the shell's own addresses do not show them.
FONTS = (
    "vendor/fonts/onest/files/onest-latin-wght-normal.woff2",
    "vendor/fonts/bricolage-grotesque/files/bricolage-grotesque-latin-wght-normal.woff2",
)
ICONS = (("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("icon-maskable-512.png", 512, "maskable"))


@require_safe
@cache_control(public=True, max_age=3600)
def manifest(request: HttpRequest) -> HttpResponse:
    """The web app manifest: https://www.w3.org/TR/appmanifest/."""
    body = {
        "id": "/",
        "name": "Pet Place",
        "short_name": "Pet Place",
        "description": "Pet care that is really free, at the final price.",
        "lang": "en",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#faf7f2",
        "theme_color": "#faf7f2",
        "categories": ["lifestyle"],
        "icons": [
            {"src": static(f"img/{name}"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
            for name, size, purpose in ICONS
        ]
        + [{"src": static("img/favicon.svg"), "sizes": "any", "type": "image/svg+xml", "purpose": "any"}],
        "shortcuts": [
            {"name": "My bookings", "url": reverse("bookings:list")},
            {"name": "Find care", "url": reverse("search")},
            {"name": "Notifications", "url": reverse("messaging:list")},
        ],
    }
    return JsonResponse(body, content_type="application/manifest+json")


@require_safe
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """The service worker, at the root so that it may serve the whole site. A new shell makes it a new one."""
    code = _source("js/sw.js") if settings.IS_PRODUCTION else _read("js/sw.js")
    shell = _shell() if settings.IS_PRODUCTION else make_shell()
    return HttpResponse(f"const SHELL = {json.dumps(shell)};\n{code}", content_type="text/javascript")


@require_safe
@cache_control(public=True, max_age=300)
def offline(request: HttpRequest) -> HttpResponse:
    """The page that is shown without a network. It is made for nobody: what it shows is kept on the device."""
    return HttpResponse(_offline_page())


def make_shell() -> dict[str, Any]:
    """Return what the service worker keeps: the offline page and what that page loads, with a name for this state."""
    page = _offline_page()
    files = sorted({*re.findall(r'(?:href|src)="([^"]+)"', page)} | {static(name) for name in FONTS})
    urls = [url for url in files if url.startswith(settings.STATIC_URL)]
    digest = hashlib.sha256(page.encode())
    for url in urls:
        digest.update(url.encode() + _read_bytes(url.removeprefix(settings.STATIC_URL).partition("?")[0]))
    return {
        "version": digest.hexdigest()[:16],
        "page": reverse("offline"),
        "bookings": reverse("offline_bookings"),
        "logout": reverse("account_logout"),
        "icon": static("img/icon-192.png"),
        "badge": static("img/badge-96.png"),
        "files": urls,
    }


@lru_cache(maxsize=1)
def _shell() -> dict[str, Any]:
    return make_shell()


def _offline_page() -> str:
    return render_to_string("pages/offline.html")


@lru_cache(maxsize=1)
def _source(name: str) -> str:
    return _read(name)


def _read(name: str) -> str:
    return _read_bytes(name).decode()


def _read_bytes(name: str) -> bytes:
    """Return a static file: the collected one where there is one, else the source."""
    path = finders.find(name)
    if path is None:
        if not staticfiles_storage.exists(name):
            return b""
        with staticfiles_storage.open(name) as file:
            content: bytes = file.read()
            return content
    with open(str(path), "rb") as source:
        return source.read()
