"""Make the icons of the installed app from the logo: ``python scripts/make_icons.py``. Needs Playwright and Chromium.

The mark alone for most; on a ground that may be cut to any shape (maskable) for Android; a white print on nothing for
the status bar, where only the outline counts.
"""

import re
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "static" / "img"
GROUND = "#faf7f2"
PAGE = """<!doctype html><style>html,body{{margin:0;background:{ground}}}
svg{{position:absolute;left:{edge}px;top:{edge}px;width:{inner}px;height:{inner}px}}</style>{svg}"""


def main() -> None:
    logo = (IMAGES / "logo.svg").read_text()
    paw = re.search(r"<g .*</g>", logo, re.DOTALL)
    assert paw is not None
    # The print fills the middle of the logo's 48 units.
    badge = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="10 8 28 25">{paw[0].replace("#fff6e3", "#ffffff")}</svg>'
    icons = [
        ("icon-192.png", 192, logo, "transparent", 1.0),
        ("icon-512.png", 512, logo, "transparent", 1.0),
        ("icon-maskable-512.png", 512, logo, GROUND, 0.62),  # all of it within the safe circle of 80 %
        ("badge-96.png", 96, badge, "transparent", 1.0),
    ]
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        for name, size, svg, ground, part in icons:
            inner = round(size * part)
            page = browser.new_page(viewport={"width": size, "height": size})
            page.set_content(PAGE.format(ground=ground, edge=(size - inner) // 2, inner=inner, svg=svg))
            page.screenshot(path=IMAGES / name, omit_background=ground == "transparent")
            page.close()
            print(f"{name}: {size} x {size}")
        browser.close()


if __name__ == "__main__":
    main()
