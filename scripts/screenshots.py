"""Take pictures of the running demo with Chromium.

``python scripts/screenshots.py`` makes the two pictures of the README. With ``--all DIR`` it visits the main pages as
each kind of person, at phone and desktop width, light and dark, and runs axe on them (exit 1 on a serious finding).
The demo must be running (``make run``).
"""

import argparse
import os
import sys
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDTHS = {390: 844, 1280: 900}
SEARCH = "/search/?near=Berlin&service=grooming&species=dog&weight_kg=12&pets=1&radius_km=10"
SALON = "spree-paws-grooming"
PAGES = {
    "": [
        "/",
        SEARCH,
        f"/p/{SALON}/",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/how-it-works/",
        "/trust/",
        "/terms/",
        "/privacy/",
        "/no-such-page/",
    ],
    "owner": [
        "/bookings/home/",
        "/bookings/",
        "/pets/",
        "/messages/",
        "/notifications/",
        "/notifications/settings/",
        "/invoices/",
        "/account/settings/",
        "/account/close/",
        "/accounts/2fa/",
        "/accounts/sessions/",
        "/accounts/3rdparty/",
    ],
    "provider": [
        f"/provider/{SALON}/{page}/"
        for page in (
            "today",
            "requests",
            "messages",
            "calendar",
            "bookings",
            "services",
            "hours",
            "team",
            "resources",
            "branches",
            "documents",
            "profile",
            "finance",
            "finance/receivables",
            "invoices",
            "promo-codes",
            "expenses",
            "payouts",
            "reviews",
        )
    ],
    "staff": [
        "/dev/outbox/",
        "/admin/",
        "/admin/providers/provider/",
        "/admin/bookings/incident/",
        "/admin/reviews/review/",
        "/admin/accounts/auditentry/",
    ],
}


def visit(page: Page, url: str) -> int:
    """Open a page and let it settle: one with a stream of events is never idle."""
    answer = page.goto(url, wait_until="load")
    page.wait_for_timeout(400)
    return answer.status if answer else 0


def sign_in(page: Page, base: str, name: str, password: str) -> None:
    page.goto(f"{base}/accounts/login/")
    page.fill("input[name=login]", f"{name}@demo.petplace.test")
    page.fill("input[name=password]", password)
    page.press("input[name=password]", "Enter")
    page.wait_for_url(lambda url: "/accounts/login" not in url)


def open_page(browser: Browser, width: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": WIDTHS[width]}, color_scheme=scheme, reduced_motion="reduce"
    )
    return context.new_page()


def owner_pages(page: Page, base: str) -> list[str]:
    """Return pages whose address changes: the newest invoice, where it is paid, a booking and a conversation."""
    found = []
    for listed, selector in (
        ("/invoices/", "tbody a[href^='/invoices/']"),
        ("/bookings/", "main a[href^='/bookings/BK-']"),
        ("/messages/", "main a[href^='/messages/'][href$='/']"),
    ):
        page.goto(base + listed)
        links = page.locator(selector)
        if links.count():
            found.append(str(links.first.get_attribute("href")))
    return [*found, *(path.replace("/invoices/", "/pay/", 1) for path in found if path.startswith("/invoices/"))]


def file_name(path: str, width: int, scheme: str) -> str:
    parts = [part for part in path.split("?")[0].strip("/").split("/") if len(part) != 36]  # ids change each time
    slug = "-".join(parts).replace(SALON, "salon") or "home"
    if len(parts) == 1 and path.count("/") > 2:
        slug += "-one"
    return f"{slug}-{width}-{scheme}.png"


def visit_all(browser: Browser, base: str, password: str, folder: Path) -> int:
    """Photograph every page; return the number of serious or critical findings of axe."""
    folder.mkdir(parents=True, exist_ok=True)
    found = 0
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            for who, paths in PAGES.items():
                page = open_page(browser, width, scheme)
                if who:
                    sign_in(page, base, who, password)
                for path in [*paths, *(owner_pages(page, base) if who == "owner" else [])]:
                    status = visit(page, base + path)
                    page.screenshot(path=folder / file_name(path, width, scheme), full_page=True, animations="disabled")
                    overflow = page.evaluate(
                        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    )
                    results = Axe().run(page).response["violations"]
                    serious = [
                        f"{v['id']} x{len(v['nodes'])}" for v in results if v["impact"] in ("serious", "critical")
                    ]
                    found += len(serious)
                    trouble = serious + ([f"{overflow}px too wide"] if overflow > 0 else [])
                    print(
                        f"{status} {width} {scheme:5} {path.split('?')[0]:45} {', '.join(trouble) or 'ok'}", flush=True
                    )
                page.context.close()
    return found


def readme_pictures(browser: Browser, base: str, password: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = open_page(browser, 1280, "light")
    visit(page, base + SEARCH)
    page.screenshot(path=folder / "search.png")
    sign_in(page, base, "provider", password)
    visit(page, f"{base}/provider/{SALON}/calendar/")
    page.screenshot(path=folder / "calendar.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default=f"http://127.0.0.1:{os.environ.get('PORT', '8000')}")
    parser.add_argument("--all", type=Path, metavar="DIR", help="photograph every page into DIR and run axe")
    options = parser.parse_args()
    password = os.environ.get("PETPLACE_DEMO_PASSWORD", "pet-place-demo")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        if options.all:
            sys.exit(1 if visit_all(browser, options.base, password, options.all) else 0)
        readme_pictures(browser, options.base, password, ROOT / "docs" / "images")


if __name__ == "__main__":
    main()
