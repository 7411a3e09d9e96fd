"""The embedded PostgreSQL and Valkey: their life, their end, and what a crash leaves."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from petplace.embedded import paths, postgres, valkey
from petplace.embedded.postgres import Postgres
from petplace.embedded.process import FolderLock, ServerError, is_alive, server_account, spawn, wait_until
from petplace.embedded.servers import EmbeddedServers, prepare_folder
from tests.runtime.conftest import Run, leftovers

pytestmark = pytest.mark.fault

READY = "Ctrl-C stops the servers"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the servers as another account")


def connect(folder: Path) -> "psycopg.Connection[tuple[object, ...]]":
    return psycopg.connect(f"postgresql://postgres@/petplace?host={folder / 'data' / 'run'}", autocommit=True)


def cache(folder: Path) -> redis.Redis:
    return redis.Redis(unix_socket_path=str(folder / "data" / "run" / "valkey.sock"))


def test_kill_of_the_supervisor_leaves_no_process_and_loses_no_data(run: Callable[..., Run], folder: Path) -> None:
    first = run("up", "--only-servers")
    first.wait_for(READY)
    with connect(folder) as connection, cache(folder) as client:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept SELECT generate_series(1, 1000)")
        client.set("kept", "yes")
    time.sleep(1.1)  # Valkey writes its file every second

    first.end(signal.SIGKILL)

    assert leftovers(folder) == []
    second = run("up", "--only-servers")
    second.wait_for(READY)
    with connect(folder) as connection, cache(folder) as client:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)
        assert client.get("kept") == b"yes"
    assert second.end(signal.SIGTERM) == 0


def test_start_right_after_a_kill_waits_for_the_old_server(run: Callable[..., Run], folder: Path) -> None:
    first = run("up", "--only-servers")
    first.wait_for(READY)
    with connect(folder) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 10) AS n")
    first.process.kill()

    second = run("up", "--only-servers")
    second.wait_for(READY)

    with connect(folder) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (10,)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_asked_to_stop_it_stops_everything_in_order(run: Callable[..., Run], folder: Path, number: int) -> None:
    servers = run("up", "--only-servers")
    servers.wait_for(READY)

    code = servers.end(number)

    assert (code, leftovers(folder)) == (0, [])
    assert "database system is shut down" in (folder / "data" / "logs" / "postgres.log").read_text()


def test_second_start_on_the_same_data_is_refused(run: Callable[..., Run], folder: Path) -> None:
    first = run("up", "--only-servers")
    first.wait_for(READY)

    second = run("up")

    assert second.process.wait(20) == 1
    assert f"Pet Place is already running on {folder / 'data'} (process {first.process.pid})" in second.text
    assert "Stop it first, or set PETPLACE_DATA_DIR to another folder." in second.text
    with connect(folder) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_killed_server_is_started_again(run: Callable[..., Run], folder: Path) -> None:
    servers = run("up", "--only-servers")
    servers.wait_for(READY)
    postmaster = int((folder / "data" / "postgres" / "postmaster.pid").read_text().splitlines()[0])
    with cache(folder) as client:
        valkey_pid = client.info("server")["process_id"]

    os.kill(postmaster, signal.SIGKILL)
    os.kill(valkey_pid, signal.SIGKILL)

    servers.wait_for("postgres ended and was started again")
    servers.wait_for("valkey ended and was started again")
    with connect(folder) as connection, cache(folder) as client:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert client.ping()


@pytest.mark.parametrize("watch", [False, True], ids=["death signal", "watch pipe"])
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the death signal is Linux's")
def test_child_ends_with_a_killed_parent(folder: Path, watch: bool) -> None:
    parent = subprocess.Popen(
        [
            sys.executable, "-c",
            "import sys, time; from petplace.embedded.process import spawn;"
            f"print(spawn('x', ['sleep', '120', '{folder}'][:2], watch={watch}).pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        cwd=paths.BASE_DIR,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)  # the launcher becomes the program
    was_alive = is_alive(child)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    assert was_alive
    assert wait_until(lambda: not is_alive(child), 5)


def test_child_that_ignores_the_request_is_killed(folder: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
    child = spawn("stubborn", [sys.executable, "-c", code], log=folder / "log")
    wait_until(lambda: "on" in (folder / "log").read_text(), 10)

    obeyed = child.stop(0.2)

    assert (obeyed, child.is_running()) == (False, False)


@pytest.fixture
def server(folder: Path) -> Postgres:
    root = folder / "data"
    prepare_folder(root)
    (root / "run").mkdir(mode=0o700)
    account = server_account()
    postgres.own(root / "run", account)
    return Postgres(root, root / "run", folder / "postgres.log", account=account, is_durable=False)


def test_lock_file_naming_an_unrelated_process_does_not_block(server: Postgres, folder: Path) -> None:
    server.start()
    server.wait()
    lock = server.data / "postmaster.pid"
    kept = lock.read_text()
    server.stop()
    assert not lock.exists()
    other = spawn("other", ["sleep", "60"], account=server.account)
    time.sleep(0.3)
    lock.write_text(kept.replace(kept.splitlines()[0], str(other.pid), 1))
    postgres.own(lock, server.account)

    server.start()
    server.wait()

    was_running = other.is_running()
    server.stop()
    other.stop(5)
    assert was_running


def test_interrupted_first_start_begins_anew(server: Postgres) -> None:
    half = server.root / "postgres.new"
    half.mkdir()
    (half / "half-written").write_text("x")

    server.start()
    server.wait()
    server.stop()

    assert (half.exists(), (server.data / "PG_VERSION").exists()) == (False, True)


def test_data_of_another_version_is_left_alone(server: Postgres) -> None:
    server.data.mkdir()
    (server.data / "PG_VERSION").write_text("15\n")

    with pytest.raises(ServerError, match="was written by PostgreSQL 15, this is 18"):
        server.start()


def test_server_that_cannot_start_says_why(server: Postgres) -> None:
    server.start()
    server.wait()
    server.stop()
    (server.data / "postgresql.conf").write_text("shared_buffers = nonsense\n")
    server.start()

    with pytest.raises(ServerError, match=r"PostgreSQL did not start(?s:.*)shared_buffers"):
        server.wait()
    server.stop()


def test_valkey_that_cannot_start_says_why(folder: Path) -> None:
    (folder / "valkey").mkdir()
    (folder / "valkey" / "appendonlydir").write_text("in the way")
    (folder / "run").mkdir()
    account = server_account()
    postgres.own(folder / "run", account)
    server = valkey.Valkey(folder, folder / "run", folder / "valkey.log", account=account)
    server.start()

    with pytest.raises(ServerError, match="Valkey did not start"):
        server.wait()
    server.stop()


def test_crash_keeps_what_was_committed(server: Postgres) -> None:
    server.is_durable = True
    server.start()
    server.wait()
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")

    server.crash()
    server.start()
    server.wait()

    with psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
    server.stop()


def test_long_data_path_gets_short_sockets(
    run: Callable[..., Run], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = folder / ("d" * 100)
    monkeypatch.setenv("PETPLACE_DATA_DIR", str(deep))
    sockets = paths.run_dir()
    servers = run("up", "--only-servers", PETPLACE_DATA_DIR=str(deep))
    servers.wait_for(READY)

    with psycopg.connect(f"postgresql://postgres@/petplace?host={sockets}") as connection:
        answer = connection.execute("SELECT 1").fetchone()

    assert answer == (1,)
    assert (sockets.parent, len(str(sockets)) < 80) == (Path(paths.tempfile.gettempdir()).resolve(), True)
    assert sockets.stat().st_mode & 0o777 == 0o700
    servers.end(signal.SIGTERM)
    shutil.rmtree(sockets)


@AS_ROOT
def test_closed_data_folder_puts_the_servers_elsewhere(
    run: Callable[..., Run], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.chmod(0o700)
    monkeypatch.setenv("PETPLACE_DATA_DIR", str(folder / "data"))
    elsewhere = paths.servers_dir()
    servers = run("up", "--only-servers")
    servers.wait_for(READY)

    with psycopg.connect(f"postgresql://postgres@/petplace?host={elsewhere / 'run'}") as connection:
        answer = connection.execute("SELECT 1").fetchone()

    assert answer == (1,)
    assert (elsewhere.parent, (elsewhere / "belongs-to").read_text()) == (
        paths.SHARED_STATE_DIR,
        f"{folder / 'data'}\n",
    )
    assert f"The account 'nobody' may not enter {folder / 'data'}" in servers.text
    servers.end(signal.SIGTERM)
    shutil.rmtree(elsewhere)


@AS_ROOT
def test_closed_packages_are_copied_to_where_the_servers_account_can_run_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "is_open_to_others", lambda path: False)
    account = server_account()
    assert account is not None

    binaries = postgres.find_binaries(folder, account)
    server = valkey.find_binary(folder, account)

    for command in ([str(binaries / "psql"), "--version"], [str(server), "--version"]):
        subprocess.run(command, user=account.uid, group=account.gid, extra_groups=[], check=True, capture_output=True)
    assert (folder in binaries.parents, folder in server.parents) == (True, True)
    assert (postgres.find_binaries(folder, account), valkey.find_binary(folder, account)) == (binaries, server)


@pytest.mark.parametrize(
    ("find", "name", "variable"),
    [(postgres.find_binaries, "PostgreSQL", "DATABASE_URL"), (valkey.find_binary, "Valkey", "REDIS_URL")],
)
def test_platform_without_binaries_asks_for_a_url(
    folder: Path, monkeypatch: pytest.MonkeyPatch, find: Callable[..., Path], name: str, variable: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    with pytest.raises(ServerError, match=f"no embedded {name} .* Set {variable} to"):
        find(folder, None)


def test_given_urls_start_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PETPLACE_DATA_DIR", str(folder / "data"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("REDIS_URL", "redis://somewhere")

    with EmbeddedServers() as servers:
        environment = servers.environment()

    assert environment == {"PETPLACE_DATA_DIR": str(folder / "data")}
    assert sorted(path.name for path in (folder / "data").iterdir()) == ["logs", "supervisor.lock"]


def test_lock_is_for_one_and_ends_with_its_holder(folder: Path) -> None:
    first, second = FolderLock(folder), FolderLock(folder)
    first.take()

    with pytest.raises(ServerError, match="already running"):
        second.take()
    first.release()
    second.take()

    assert (second.is_held, second.holder()) == (True, str(os.getpid()))
    second.release()


def test_data_folder_must_be_a_folder(folder: Path) -> None:
    (folder / "file").write_text("x")
    (folder / "link").symlink_to(folder)

    for path in (folder / "file", folder / "link"):
        with pytest.raises(ServerError, match="is in the way"):
            prepare_folder(path)


@AS_ROOT
def test_data_folder_of_another_user_is_refused(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    os.chown(other, 12345, 12345)

    with pytest.raises(ServerError, match="belongs to another user"):
        prepare_folder(other)
