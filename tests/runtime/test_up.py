"""``manage.py up``: what it refuses, and one whole life of the site."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from petplace.embedded import up
from petplace.embedded.paths import BASE_DIR
from petplace.embedded.process import ServerError, wait_until
from tests.runtime.conftest import Run, leftovers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": "localhost"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "80 80", "٨٠٠٠"])
def test_port_that_is_no_port_is_named(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)

    with pytest.raises(ServerError, match="it must be a number from 1 to 65535"):
        up._port()


def test_taken_port_is_refused_before_anything_starts(run: Callable[..., Run], folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        site = run("up", PORT=str(port))

        assert site.process.wait(20) == 1
    assert f"Port {port} on 127.0.0.1 cannot be used" in site.text
    assert "PORT=8001 make run" in site.text
    assert not (folder / "data" / "postgres").exists()


def test_given_servers_that_do_not_answer_end_in_a_sentence(run: Callable[..., Run], folder: Path) -> None:
    nowhere = f"postgresql://postgres@/petplace?host={folder}"
    site = run("up", PORT=str(free_port()), DATABASE_URL=nowhere, REDIS_URL=f"unix://{folder}/none.sock")

    assert site.process.wait(60) == 1
    assert "Pet Place cannot start. The database could not be prepared." in site.text
    assert "Using the given servers" in site.text


@pytest.mark.fault
def test_whole_life_of_the_site(run: Callable[..., Run], folder: Path) -> None:
    port = free_port()
    data = folder / "data"
    first = run("up", "--no-demo", PORT=str(port))
    first.wait_for("Ctrl-C stops it", 240)
    assert "Pet Place is ready after" in first.text
    assert (status(port, "/readyz"), status(port, "/healthz")) == (200, 200)
    assert "@demo.petplace.test" not in first.text  # no demo, no demo logins
    assert wait_until(lambda: len(_pids(data)["celery"]) == 4, 60)  # worker, its two children, beat

    os.kill(_pids(data)["uvicorn"][0], signal.SIGKILL)
    first.wait_for("web ended (signal SIGKILL); starting it again", 20)
    assert first.end(signal.SIGINT) == 0
    assert first.text.rstrip().endswith("Stopped.")
    assert leftovers(folder) == []

    second = run("up", "--no-demo", PORT=str(port))
    second.wait_for("Ctrl-C stops it", 120)
    assert "Migrating" not in second.text
    second.end(signal.SIGKILL)
    assert leftovers(folder) == []
    with pytest.raises(OSError):
        status(port, "/healthz")


def _pids(data: Path) -> dict[str, list[int]]:
    """Find the site's processes: they carry the data folder in their environment or command line."""
    found: dict[str, list[int]] = {"uvicorn": [], "celery": []}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes()
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if f"PETPLACE_DATA_DIR={data}\0".encode() in environment:
            for name, pids in found.items():
                if name.encode() in command:
                    pids.append(int(entry.name))
    return found


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"PETPLACE_ENV": "production"}, False),
        ({"PETPLACE_DEMO": "0"}, False),
        ({"PETPLACE_DEMO": "1"}, True),
    ],
)
def test_demo_follows_the_settings_rule(environment: dict[str, str], expected: bool) -> None:
    assert up._is_demo(environment) is expected


def test_announcement_names_the_address_and_the_logins(capsys: pytest.CaptureFixture[str]) -> None:
    up._announce(8123, {"PETPLACE_DEMO_PASSWORD": "a-word"}, Path("/logs"), 3.21)

    lines = capsys.readouterr().out.split("\n")
    assert lines[1] == "Pet Place is ready after 3.2 s:  http://localhost:8123"
    assert [line.split()[-1] for line in lines[3:7]] == [
        "owner@demo.petplace.test", "provider@demo.petplace.test", "staff@demo.petplace.test", "a-word",
    ]  # fmt: skip


def test_preparation_is_asked_for_again_when_the_database_changes(tmp_path: Path) -> None:
    first = up.Preparation(tmp_path, {"DATABASE_URL": "a"})
    before = first.is_current()
    first.write()

    answers = (before, first.is_current(), up.Preparation(tmp_path, {"DATABASE_URL": "b"}).is_current())
    assert answers == (False, True, False)


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes in /proc")
def test_end_of_the_parent_ends_the_site(folder: Path) -> None:
    # As `make run` starts it: a kill -9 of make must reach the site.
    (folder / "out").touch()
    command = f"{sys.executable} manage.py up --only-servers --with-parent > {folder}/out 2>&1; true"
    parent = subprocess.Popen(
        ["sh", "-c", command],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"], "PETPLACE_DATA_DIR": str(folder / "data")},
        stdin=subprocess.DEVNULL,
    )
    assert wait_until(lambda: "Ctrl-C stops the servers" in (folder / "out").read_text(), 60)

    parent.kill()
    parent.wait()

    assert leftovers(folder) == []


def test_run_gives_a_command_servers_that_go_away_with_it() -> None:
    code = "import os, psycopg as p; p.connect(os.environ['DATABASE_URL']); print(os.environ['PETPLACE_DATA_DIR'])"
    done = subprocess.run(
        [sys.executable, "-m", "petplace.embedded", "run", "--fast", "--", sys.executable, "-c", f"{code}; exit(7)"],
        cwd=BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (7, "")
    assert not Path(done.stdout.strip()).exists()
