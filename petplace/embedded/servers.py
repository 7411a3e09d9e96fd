"""PostgreSQL and Valkey together, for whatever of the two the environment does not name."""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from petplace.embedded import paths
from petplace.embedded.postgres import Postgres, own
from petplace.embedded.process import FolderLock, ServerError, server_account
from petplace.embedded.valkey import Valkey


def _silent(_: str) -> None:
    pass


class EmbeddedServers:
    """Start what ``DATABASE_URL`` and ``REDIS_URL`` do not name, in the data folder, one owner at a time.

    Use it as a context manager, or call ``start`` and ``stop``. Both servers are started together; they stop in the
    opposite order. Not durable means faster and only for data that may be lost.
    """

    def __init__(self, *, is_durable: bool = True, report: Callable[[str], None] = _silent) -> None:
        self.data_dir = paths.data_dir()
        self.root = paths.servers_dir()
        self.run = paths.run_dir()
        self.logs = self.data_dir / "logs"
        self.report = report
        self.lock = FolderLock(self.data_dir)
        account = server_account()
        self.account = account
        self.postgres: Postgres | None = None
        self.valkey: Valkey | None = None
        if not os.environ.get("DATABASE_URL"):
            self.postgres = Postgres(
                self.root, self.run, self.logs / "postgres.log", account=account, is_durable=is_durable
            )
        if not os.environ.get("REDIS_URL"):
            self.valkey = Valkey(self.root, self.run, self.logs / "valkey.log", account=account, is_durable=is_durable)

    def start(self) -> None:
        """Take the data folder and start the servers. Raises ServerError with a sentence when that cannot be."""
        self.claim()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def claim(self) -> None:
        """Take the data folder for this process, once."""
        if not self.lock.is_held:
            prepare_folder(self.data_dir)
            prepare_folder(self.logs, mode=0o700)
            self.lock.take()

    def _start(self) -> None:
        if self.postgres is None and self.valkey is None:
            return
        if self.root != self.data_dir:
            paths.SHARED_STATE_DIR.mkdir(mode=0o755, parents=True, exist_ok=True)
            prepare_folder(self.root)
            (self.root / "belongs-to").write_text(f"{self.data_dir}\n")
            name = self.account.name if self.account else "nobody"
            self.report(
                f"The account '{name}' may not enter {self.data_dir}: the servers keep their data in {self.root}"
            )
        prepare_folder(self.run, mode=0o700)
        own(self.run, self.account)
        if self.valkey is not None:
            self.valkey.start()
        if self.postgres is not None:
            if not self.postgres.data.exists():
                self.report("Creating the database")
            self.postgres.start()
            self.postgres.wait()
        if self.valkey is not None:
            self.valkey.wait()

    def revive(self) -> list[str]:
        """Start again what ended by itself; return the names."""
        revived = []
        for server in (self.postgres, self.valkey):
            if server is not None and server.child is not None and not server.child.is_running():
                revived.append(server.child.name)
                server.start()
                server.wait()
        return revived

    def stop(self) -> None:
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
        self.lock.release()

    def environment(self) -> dict[str, str]:
        """Return the variables that lead other processes to these servers."""
        found = {"PETPLACE_DATA_DIR": str(self.data_dir)}
        if self.postgres is not None:
            found["DATABASE_URL"] = self.postgres.url
        if self.valkey is not None:
            found["REDIS_URL"] = self.valkey.url
        return found

    def __enter__(self) -> "EmbeddedServers":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def prepare_folder(path: Path, mode: int | None = None) -> None:
    """Create a folder that is ours: private for a user, for root passable so that the servers' account gets through."""
    if mode is None:
        mode = 0o711 if os.geteuid() == 0 else 0o700
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ServerError(f"{path} is in the way: it must be a folder.")
    is_new = not path.exists()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = server_account()
    if path.stat().st_uid not in {os.geteuid(), account.uid if account else os.geteuid()}:
        raise ServerError(f"{path} belongs to another user. Set PETPLACE_DATA_DIR to a folder of yours.")
    if is_new or mode == 0o700:
        path.chmod(mode)
