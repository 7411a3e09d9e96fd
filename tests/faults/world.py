"""A whole site for the fault suites: durable servers of its own, gunicorn, worker and beat as real processes."""

import contextlib
import http.client
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from petplace.embedded.paths import BASE_DIR
from petplace.embedded.postgres import Postgres
from petplace.embedded.process import Child, spawn, tail, wait_until
from petplace.embedded.servers import EmbeddedServers
from petplace.embedded.valkey import Valkey

SLOT = timedelta(minutes=30)
PASSWORD = "a-long-enough-password-7"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any
    seconds: float


@dataclass(frozen=True)
class Owner:
    """Somebody who books over the API."""

    token: str
    pet: str


@dataclass
class Site:
    """The servers, the processes started on them, and the way in."""

    folder: Path
    servers: EmbeddedServers
    port: int = 0
    services: list[str] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    _slots: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def postgres(self) -> Postgres:
        assert self.servers.postgres is not None
        return self.servers.postgres

    @property
    def valkey(self) -> Valkey:
        assert self.servers.valkey is not None
        return self.servers.valkey

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **self.servers.environment(),
            "DJANGO_SETTINGS_MODULE": "petplace.settings",
            "PYTHONPATH": str(BASE_DIR),
            "LOG_LEVEL": "WARNING",
            "EMAIL_URL": "dummymail://",
            "BIND": f"127.0.0.1:{self.port}",
            "WEB_CONCURRENCY": "2",
        }

    # --- processes ------------------------------------------------------------------------------

    def start(self, name: str, *arguments: str, **environment: str) -> Child:
        """Start ``python -m arguments`` as a process of the site, with its log in the folder."""
        child = spawn(
            name,
            [sys.executable, "-m", *arguments],
            log=self.folder / f"{name}.log",
            env={**self.environment, **environment},
            cwd=BASE_DIR,
        )
        self.children.append(child)
        return child

    def start_web(self) -> None:
        """Start gunicorn as production does, with two processes, and wait until it answers."""
        web = self.start("web", "gunicorn", "--config", "deploy/gunicorn.conf.py", "petplace.wsgi")
        assert wait_until(lambda: self._is_up() or not web.is_running(), 120, 0.1)
        assert web.is_running(), tail(self.folder / "web.log", 30)

    def start_worker(self, **environment: str) -> Child:
        return self.start(
            "worker", "celery", "-A", "petplace", "worker", "--concurrency", "2", "--loglevel", "WARNING",
            "--without-gossip", "--without-mingle", "--without-heartbeat", **environment,
        )  # fmt: skip

    def start_beat(self) -> Child:
        schedule = str(self.folder / "schedule")
        return self.start("beat", "celery", "-A", "petplace", "beat", "--pidfile", "", "--schedule", schedule)

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._run(sys.executable, "manage.py", *arguments)

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(command, cwd=BASE_DIR, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done

    def prepare(self) -> None:
        self.manage("migrate", "--no-input", "-v0")
        self.services = json.loads(self._run(sys.executable, "-m", "tests.faults.populate").stdout.splitlines()[-1])

    def check_invariants(self) -> None:
        """Fails the test with the command's lines when something in the database is broken."""
        self.manage("check_invariants")

    def stop_processes(self, *names: str) -> None:
        """Stop those of these names, or all."""
        for child in reversed(self.children.copy()):
            if not names or child.name in names:
                child.stop(10)
                self.children.remove(child)

    # --- the API --------------------------------------------------------------------------------

    def _is_up(self) -> bool:
        try:
            return self.call("GET", "/healthz", timeout=2).status == 200
        except OSError:
            return False

    def call(self, method: str, path: str, body: Any = None, *, timeout: float = 30, **headers: str) -> Answer:
        """Send one request on a connection of its own."""
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            if body is not None:
                fields["Content-Type"] = "application/json"
            data = None if body is None else json.dumps(body)
            connection.request(method, path, body=data, headers={"Host": "localhost", **fields})
            response = connection.getresponse()
            raw = response.read()
        content = json.loads(raw) if "json" in response.headers.get("Content-Type", "") else raw
        return Answer(response.status, dict(response.headers), content, time.monotonic() - started)

    def sign_up(self, count: int) -> list[Owner]:
        owners = []
        for _ in range(count):
            email = f"{uuid.uuid4().hex}@example.test"
            body = {"email": email, "password": PASSWORD, "full_name": "Somebody"}
            registered = self.call("POST", "/api/v1/auth/register/", body)
            assert registered.status == 201, registered
            token = registered.body["access"]
            pet = {"name": "Rex", "species": "dog", "weight_kg": 12.5}
            made = self.call("POST", "/api/v1/pets/", pet, Authorization=f"Bearer {token}")
            assert made.status == 201, made
            owners.append(Owner(token, made.body["id"]))
        return owners

    def next_booking(self, owner: Owner) -> dict[str, Any]:
        """Return a request for a time that nobody else of this site asks for."""
        number = next(self._slots)
        tomorrow = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
        return {
            "service": self.services[number % len(self.services)],
            "start": (tomorrow + number * SLOT).isoformat(),
            "pets": [owner.pet],
        }

    def book(self, owner: Owner, body: dict[str, Any], *, key: str | None = None, timeout: float = 30) -> Answer:
        headers = {"Authorization": f"Bearer {owner.token}", "Idempotency_Key": key or uuid.uuid4().hex}
        return self.call("POST", "/api/v1/bookings/", body, timeout=timeout, **headers)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def running_site(*, is_durable: bool = True, disk: Path | None = None) -> Iterator[Site]:
    """Give a site with a migrated and populated database, and gunicorn; the workers are the test's to start.

    ``disk`` is where its data lie instead of a new folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="petplace-test-"))
    folder.chmod(0o711)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PETPLACE_DATA_DIR", str((disk or folder) / "data"))
        patch.delenv("DATABASE_URL", raising=False)
        patch.delenv("REDIS_URL", raising=False)
        servers = EmbeddedServers(is_durable=is_durable)
    site = Site(folder, servers, port=free_port())
    try:
        servers.start()
        site.prepare()
        site.start_web()
        yield site
    finally:
        site.stop_processes()
        servers.stop()
        shutil.rmtree(servers.root, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Writer:
    """Books one time after the other; repeats a request under its key until it has the booking."""

    site: Site
    owner: Owner
    stop: threading.Event
    acknowledged: dict[str, str] = field(default_factory=dict)  # key -> booking
    unexpected: list[str] = field(default_factory=list)
    unavailable: int = 0

    def run(self) -> None:
        while not self.stop.is_set():
            self.book_one(uuid.uuid4().hex, self.site.next_booking(self.owner))

    def book_one(self, key: str, body: dict[str, Any]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.site.book(self.owner, body, key=key)
            except OSError as error:
                self.unexpected.append(f"no answer: {error!r}")
                return
            if answer.status == 201:
                self.acknowledged[key] = answer.body["id"]
                return
            if answer.status == 503 and "Retry-After" in answer.headers:
                self.unavailable += 1
            elif (answer.status, answer.body.get("code")) != (409, "idempotency_in_progress"):
                self.unexpected.append(f"{answer.status} {answer.body}")
                return
            time.sleep(0.1)
        self.unexpected.append(f"{key}: still no booking after a minute")


@contextlib.contextmanager
def writers(site: Site, count: int) -> Iterator[list[Writer]]:
    """Keep ``count`` people booking; at the end each finishes what it has begun."""
    stop = threading.Event()
    found = [Writer(site, owner, stop) for owner in site.sign_up(count)]
    threads = [threading.Thread(target=writer.run, daemon=True) for writer in found]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)


def children_of(pid: int) -> list[int]:
    listing = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(number) for number in listing.stdout.split()]


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
