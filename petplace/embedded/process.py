"""Start processes that cannot outlive us, and stop them in time."""

import contextlib
import errno
import fcntl
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
LOG_LIMIT = 5_000_000  # bytes; a longer log is set aside at the next start


class ServerError(Exception):
    """Something that keeps the servers from running, said in a sentence for the person at the terminal."""


@dataclass(frozen=True)
class Account:
    """The account that the servers run as when we are root."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return ``nobody`` when we are root, because PostgreSQL refuses to run as root, else None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise ServerError(
            "Running as root needs an account named 'nobody' for PostgreSQL. Run as another user, or set DATABASE_URL."
        ) from error
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


class Child:
    """A process of ours in its own session, so that Ctrl-C in the terminal reaches only the supervisor."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
        self.name = name
        self.process = process
        self.stop_signal = stop_signal

    @property
    def pid(self) -> int:
        return self.process.pid

    def is_running(self) -> bool:
        return self.process.poll() is None

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)

    def stop(self, timeout: float, how: signal.Signals | None = None) -> bool:
        """Ask the process to end and wait ``timeout`` seconds, then kill its whole group. Return whether it obeyed."""
        self.send(how or self.stop_signal)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            obeyed = False
        else:
            obeyed = True
        # Also after a clean end: whatever it left in its group must go.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()
        return obeyed


_lifeline: tuple[int, int] | None = None


def _watch_pipe() -> int:
    """Return the read end of the pipe whose write end only this process holds."""
    global _lifeline
    if _lifeline is None:
        _lifeline = os.pipe()
    return _lifeline[0]


def spawn(
    name: str,
    argv: Sequence[str],
    *,
    log: Path | None = None,
    output: int | None = None,
    env: Mapping[str, str] | None = None,
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    cwd: Path | None = None,
    watch: bool = not sys.platform.startswith("linux"),
) -> Child:
    """Start ``argv`` so that it gets ``death_signal`` when this process ends in whatever way, also by ``kill -9``.

    Call it from the main thread: Linux sends the death signal when the starting thread ends.
    What it writes is added to the file ``log``; with ``output`` (``subprocess.PIPE``) only its errors are.
    ``watch`` chooses the pipe instead of the kernel's death signal.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise ServerError(f"There is no program {argv[0]}.")
    plan = {
        "parent": os.getpid(),
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "signal": int(death_signal),
        "watch": _watch_pipe() if watch else None,
    }
    errors = None
    if log is not None:
        rotate(log)
        errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(plan), program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=errors if output is None else output,
            stderr=errors,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=[_watch_pipe()] if watch else [],
        )
    finally:
        if errors is not None:
            os.close(errors)
    return Child(name, process, stop_signal)


def rotate(log: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_suffix(log.suffix + ".1"))


def tail(log: Path, lines: int = 8) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def wait_until(check: Callable[[], bool], timeout: float, pause: float = 0.02) -> bool:
    """Return whether ``check`` came true within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return state.stdout.strip().startswith("Z")


def command_line(pid: int) -> str:
    """Return the command line of a process, or nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except FileNotFoundError:
        pass
    if Path("/proc/self").exists():
        return ""
    listing = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.strip()


class FolderLock:
    """Hold a folder for one process. The kernel lets go when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "supervisor.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EACCES, errno.EAGAIN):
                return False
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def holder(self) -> str:
        """Return the process id that the holder wrote down."""
        return self.path.read_text().strip() or "unknown"

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @property
    def is_held(self) -> bool:
        return self._descriptor is not None

    def take(self) -> None:
        """Acquire, or raise ServerError saying who holds it."""
        if not self.acquire():
            raise ServerError(
                f"Pet Place is already running on {self.path.parent} (process {self.holder()}). "
                "Stop it first, or set PETPLACE_DATA_DIR to another folder."
            )
