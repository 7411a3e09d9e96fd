"""Give the test run its own PostgreSQL and Valkey, before Django reads its settings.

Loaded by ``-p tests.plugin`` (pyproject.toml), so a bare ``pytest`` works. ``DATABASE_URL`` / ``REDIS_URL`` in the
environment are used as they are. Each of pytest-xdist's workers has servers of its own: on a shared one an open
transaction of one worker holds back what the other's live streams may tell (they follow the whole server's oldest).
"""

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from petplace.embedded.servers import EmbeddedServers

PREFIX = "petplace-test-"

_servers: EmbeddedServers | None = None
_folder: Path | None = None


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Start the servers; as a wrapper this runs before pytest-django, which imports the settings."""
    is_worker = "PYTEST_XDIST_WORKER" in os.environ
    has_workers = bool(getattr(early_config.known_args_namespace, "numprocesses", None))
    _start(has_tests=is_worker or not has_workers)
    return (yield)


def pytest_unconfigure() -> None:
    _stop()


def _start(*, has_tests: bool) -> None:
    global _servers, _folder
    _sweep()
    _folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    if os.geteuid() == 0:
        _folder.chmod(0o711)  # the account that the servers run as must get through
    os.environ.update(_environment(_folder))
    (_folder / "static").mkdir()  # WhiteNoise warns when it is not there
    # A kill must end like Ctrl-C: servers stopped, folder removed.
    signal.signal(signal.SIGTERM, _interrupt)
    _servers = EmbeddedServers(is_durable=False)
    try:
        if has_tests:
            _servers.start()
            os.environ.update(_servers.environment())
        else:
            _servers.claim()
    except BaseException:
        _stop()
        raise


def _environment(folder: Path) -> dict[str, str]:
    """Return settings for tests: the demo's, in a folder that goes away, with nothing read from the developer's."""
    return {
        "PETPLACE_TEST_RUN": "1",
        "PETPLACE_DATA_DIR": str(folder),
        "STATIC_ROOT": str(folder / "static"),
        "PETPLACE_ENV": "development",
        "PETPLACE_DEMO": "1",
        "PETPLACE_DEMO_PASSWORD": "pet-place-demo",
        "LOG_LEVEL": "ERROR",
        # Two dozen clients and their servers share the cores of this machine: who waits longer is slow, not refused.
        # The full-size races keep production's limit, or they could not see what it refuses.
        "LOCK_TIMEOUT_MS": "2000" if os.environ.get("PETPLACE_RACES") else "10000",
        "EMAIL_URL": "memorymail://",
        "THROTTLE_ANON": "1000000/min",
        "THROTTLE_USER": "1000000/min",
        "THROTTLE_SIGN_IN": "1000000/min",
    }


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stop() -> None:
    global _servers, _folder
    if _servers is not None:
        _servers.stop()
        shutil.rmtree(_servers.root, ignore_errors=True)
        _servers = None
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None


def _sweep() -> None:
    """Remove what runs that were killed with -9 left. A run that lives holds the lock in its folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), (folder / "supervisor.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
