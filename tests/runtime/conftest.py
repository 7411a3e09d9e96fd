"""Helpers to start the real command in a process of its own and to see what it leaves."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from petplace.embedded.paths import BASE_DIR


class Run:
    """A command of ours in its own process, with a data folder of its own and its output in a file."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        self.folder = folder
        self.output = folder / f"output-{time.monotonic_ns()}"
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "REDIS_URL", "PETPLACE_TEST_RUN", "STATIC_ROOT", "EMAIL_URL")
        }
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, str(BASE_DIR / "manage.py"), *arguments],
                env={**kept, "PETPLACE_DATA_DIR": str(folder / "data"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while words not in self.text:
            assert time.monotonic() < deadline, f"never said {words!r}:\n{self.text}"
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.text}"
            time.sleep(0.05)

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(40)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' account may enter; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="petplace-test-"))
    if os.geteuid() == 0:
        path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., Run]]:
    """Start a command; what still runs at the end of the test is killed."""
    started: list[Run] = []

    def start(*arguments: str, **environment: str) -> Run:
        started.append(Run(folder, *arguments, **environment))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
    assert leftovers(folder) == []


def leftovers(folder: Path, timeout: float = 15) -> list[str]:
    """Return the command lines that mention the folder and do not end within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        found = [line for line in listing.splitlines() if str(folder) in line]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)
