"""Check everything that a machine can see without running the tests. Exit 1 when something is wrong.

Usage: python scripts/check.py [name ...]. Two checks run side by side; each prints its output when it ends.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MANAGE = (sys.executable, "manage.py")
PRODUCTION = {
    "PETPLACE_ENV": "production",
    "PETPLACE_DEMO": "0",
    "SECRET_KEY": "c" * 30 + "0123456789" + "k" * 30,
    "JWT_SIGNING_KEY": "j" * 30 + "9876543210" + "w" * 30,
    "ALLOWED_HOSTS": "petplace.example",
    "SITE_URL": "https://petplace.example",
}


@dataclass(frozen=True)
class Check:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def checks(scratch: Path) -> list[Check]:
    """List all of them, the slow ones first."""
    servers = (sys.executable, "-m", "petplace.embedded", "run", "--fast", "--")
    found = [
        Check("types", (str(BIN / "mypy"),)),
        Check("static", (*MANAGE, "collectstatic", "--noinput", "-v0"), {**PRODUCTION, "STATIC_ROOT": str(scratch)}),
        Check("migrations", (*servers, *MANAGE, "makemigrations", "--check", "--dry-run")),
        Check("deploy", (*MANAGE, "check", "--deploy", "--fail-level", "WARNING"), PRODUCTION),
        Check("format", (str(BIN / "ruff"), "format", "--check", ".")),
        Check("lint", (str(BIN / "ruff"), "check", ".")),
        Check("templates", (str(BIN / "djlint"), "templates", "--lint", "--quiet")),
        Check("layers", (str(BIN / "lint-imports"),)),
        Check("advisories", (sys.executable, "scripts/audit.py")),
    ]
    schema = ROOT / "docs" / "openapi.yaml"
    if schema.exists():
        fresh = scratch / "openapi.yaml"
        script = f"{sys.executable} manage.py spectacular --file {fresh} && diff -u {schema} {fresh}"
        found.insert(2, Check("openapi", ("sh", "-c", script)))
    return found


def run(check: Check) -> bool:
    started = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        env={**os.environ, **check.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    is_good = done.returncode == 0
    text = f"{'ok  ' if is_good else 'FAIL'} {check.name} ({time.monotonic() - started:.0f} s)"
    if is_good and done.stdout.startswith("note: "):
        text = f"{text}: {done.stdout.removeprefix('note: ').rstrip()}"
    print(text if is_good else f"{text}\n{done.stdout.rstrip()}", flush=True)
    return is_good


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(2) as pool:
        chosen = [check for check in checks(Path(scratch)) if not sys.argv[1:] or check.name in sys.argv[1:]]
        results = list(pool.map(run, chosen))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
