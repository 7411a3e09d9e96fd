"""The one command: servers, migrations, demo, web, worker and beat under one supervisor.

This process imports no Django. It starts the servers and the programs at once and lets them load side by side, which
brings the first page seconds sooner than loading Django here first.
"""

import argparse
import contextlib
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import environ

from petplace.embedded.paths import BASE_DIR
from petplace.embedded.process import ServerError, spawn, tail
from petplace.embedded.servers import EmbeddedServers
from petplace.embedded.supervisor import Program, Supervisor

READY_TIMEOUT = 180.0  # seconds from the start of the web process; a busy machine may take long to load it
DEMO_LOGINS = {"Pet owner": "owner", "Provider": "provider", "Staff": "staff"}


def main(arguments: Sequence[str]) -> int:
    """Run until Ctrl-C or SIGTERM. Returns the exit code; what went wrong is said in one sentence."""
    options = _parser().parse_args(arguments)
    environ.Env.read_env(BASE_DIR / ".env")
    if options.no_demo:
        os.environ["PETPLACE_DEMO"] = "0"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if options.with_parent:
        end_with_parent()
    try:
        if options.only_servers:
            _run_servers()
        else:
            _run_site()
    except ServerError as error:
        print(f"\nPet Place cannot start. {error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py up", description="Run the whole site with one command.")
    parser.add_argument("--no-demo", action="store_true", help="an empty marketplace without demo data and logins")
    parser.add_argument(
        "--only-servers", action="store_true", help="start only PostgreSQL and Valkey, print their URLs"
    )
    parser.add_argument("--with-parent", action="store_true", help="stop when the starting process ends (make run)")
    return parser


def end_with_parent() -> None:
    """Have a kill -9 of ``make`` end the site too: a thread watches for our parent's end and asks us to stop."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let the end come to its end: a second Ctrl-C must not leave half of it running."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _say(text: str) -> None:
    # A terminal that has gone away must not keep the end from coming.
    with contextlib.suppress(BrokenPipeError, OSError):
        print(text, flush=True)


def _run_servers() -> None:
    servers = EmbeddedServers(report=_say)
    try:
        servers.start()
        for name, value in servers.environment().items():
            _say(f"export {name}='{value}'")
        _say("# Ctrl-C stops the servers.")
        while True:
            time.sleep(0.5)
            for name in servers.revive():
                _say(f"{name} ended and was started again")
    finally:
        with _uninterrupted():
            servers.stop()


def _run_site() -> None:
    started = time.monotonic()
    host, port = os.environ.get("HOST") or "127.0.0.1", _port()
    servers = EmbeddedServers(report=_say)
    servers.claim()
    check_port(host, port)
    supervisor: Supervisor | None = None
    try:
        _say("Starting PostgreSQL and Valkey" if servers.postgres or servers.valkey else "Using the given servers")
        servers.start()
        environment = _environment(servers, port)
        supervisor = Supervisor(servers.logs, environment, report=_say)
        programs = _programs(host, port, servers.data_dir)
        stamp = Preparation(servers.data_dir, environment)
        _say("Starting the site")
        supervisor.start(programs["web"])
        is_prepared = stamp.is_current()
        if not is_prepared:
            _prepare(servers.logs / "prepare.log", environment)
        supervisor.start(programs["worker"])
        if not _wait_until_ready(host, port, supervisor):
            _prepare(servers.logs / "prepare.log", environment)  # the database is not the one that was prepared
            if not _wait_until_ready(host, port, supervisor):
                raise ServerError(f"The database is still not migrated. See {servers.logs / 'prepare.log'}.")
        stamp.write()
        supervisor.start(programs["beat"])
        _announce(port, environment, servers.logs, time.monotonic() - started)
        while True:
            supervisor.tick()
            for name in servers.revive():
                _say(f"{name} ended and was started again")
            time.sleep(0.2)
    finally:
        with _uninterrupted():
            _say("Stopping ...")
            killed = supervisor.stop() if supervisor else []
            servers.stop()
            _say(f"Stopped{', after killing ' + ', '.join(killed) if killed else ''}.")


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdecimal()) or not 0 < int(text) < 65536:
        raise ServerError(f"PORT is {text!r}: it must be a number from 1 to 65535.")
    return int(text)


def check_port(host: str, port: int) -> None:
    """Raise ServerError when nobody could listen there, before anything is started."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise ServerError(f"Only root may use port {port}. Choose another one: PORT=8001 make run") from error
        except OSError as error:
            raise ServerError(
                f"Port {port} on {host} cannot be used ({error.strerror}). Choose another one: PORT=8001 make run"
            ) from error


def _environment(servers: EmbeddedServers, port: int) -> dict[str, str]:
    static = servers.data_dir / "staticfiles"
    static.mkdir(exist_ok=True)
    environment = {
        **os.environ,
        **servers.environment(),
        "DJANGO_SETTINGS_MODULE": "petplace.settings",
        "PYTHONPATH": str(BASE_DIR),
        "PYTHONUNBUFFERED": "1",
    }
    environment.setdefault("STATIC_ROOT", str(static))
    environment.setdefault("SITE_URL", f"http://localhost:{port}")
    # One process is what the supervisor can end for sure; uvicorn would start others by itself.
    environment.pop("WEB_CONCURRENCY", None)
    return environment


def _programs(host: str, port: int, data_dir: Path) -> dict[str, Program]:
    celery = (sys.executable, "-m", "celery", "-A", "petplace", "--workdir", str(BASE_DIR), "--quiet")
    return {
        program.name: program
        for program in (
            Program(
                "web",
                (
                    sys.executable, "-m", "uvicorn", "petplace.asgi:application", "--host", host, "--port", str(port),
                    "--app-dir", str(BASE_DIR), "--log-level", "warning", "--no-access-log", "--no-server-header",
                    "--lifespan", "off", "--timeout-graceful-shutdown", "5",
                ),
            ),
            Program(
                "worker",
                (
                    *celery, "worker", "--concurrency", "2", "--loglevel", "INFO", "--hostname", "worker@petplace",
                    "--without-gossip", "--without-mingle", "--without-heartbeat",
                ),
            ),
            Program(
                "beat",
                (
                    *celery, "beat", "--loglevel", "WARNING", "--pidfile", "",
                    "--schedule", str(data_dir / "celerybeat-schedule"),
                ),
            ),
        )
    }  # fmt: skip


class Preparation:
    """Remember which code prepared which database, so that the next start need not load Django to find out."""

    def __init__(self, data_dir: Path, environment: dict[str, str]) -> None:
        self.path = data_dir / "prepared"
        digest = hashlib.sha256()
        sources = [BASE_DIR / "requirements.txt", *sorted(BASE_DIR.glob("*/migrations/*.py"))]
        for source in sources:
            digest.update(str(source).encode())
            digest.update(source.read_bytes())
        for name in ("DATABASE_URL", "PETPLACE_DEMO", "PETPLACE_ENV"):
            digest.update(f"{name}={environment.get(name, '')}\n".encode())
        self.fingerprint = digest.hexdigest()

    def is_current(self) -> bool:
        return self.path.exists() and self.path.read_text() == self.fingerprint

    def write(self) -> None:
        self.path.write_text(self.fingerprint)


def _prepare(log: Path, environment: dict[str, str]) -> None:
    """Migrate and load the demo in a process of its own, showing its progress; its errors go to the log."""
    command = [sys.executable, str(BASE_DIR / "manage.py"), "prepare"]
    child = spawn("prepare", command, env=environment, log=log, output=subprocess.PIPE)
    try:
        assert child.process.stdout is not None
        for line in child.process.stdout:
            _say(line.decode(errors="replace").rstrip())
        child.process.wait()
    finally:
        with _uninterrupted():
            child.stop(5)
    if child.process.returncode != 0:
        raise ServerError(f"The database could not be prepared. The end of {log}:\n{tail(log, 15)}")


def _wait_until_ready(host: str, port: int, supervisor: Supervisor) -> bool:
    """Wait until the site says that it is ready. Returns False when its database is not migrated."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - a comparison
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        time.sleep(0.1)
        web = supervisor.children["web"]
        if not web.is_running():
            raise ServerError(f"The web process ended. The end of its log:\n{tail(supervisor.logs / 'web.log', 15)}")
        connection = http.client.HTTPConnection(address, port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/readyz", headers={"Host": "localhost"})
            answer = connection.getresponse()
            if answer.status == 200:
                return True
            if b'"migrations": "missing"' in answer.read():
                return False
    raise ServerError(f"The site did not get ready in {READY_TIMEOUT:.0f} s. See the logs in {supervisor.logs}.")


def _announce(port: int, environment: dict[str, str], logs: Path, seconds: float) -> None:
    lines = ["", f"Pet Place is ready after {seconds:.1f} s:  http://localhost:{port}", ""]
    if _is_demo(environment):
        lines += [f"  {role:<10} {name}@demo.petplace.test" for role, name in DEMO_LOGINS.items()]
        lines += [f"  {'Password':<10} {environment.get('PETPLACE_DEMO_PASSWORD') or 'pet-place-demo'}", ""]
    lines += [f"  API        http://localhost:{port}/api/v1/docs/", f"  Logs       {logs}", "", "Ctrl-C stops it.", ""]
    _say("\n".join(lines))


def _is_demo(environment: dict[str, str]) -> bool:
    env = environ.Env()
    env.ENVIRON = environment
    return bool(env.bool("PETPLACE_DEMO", default=environment.get("PETPLACE_ENV") != "production"))
