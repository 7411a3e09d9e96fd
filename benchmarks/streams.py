"""``make bench-streams``: pages on one web process without streams and beside a thousand open ones.

Options: ``--streams 1000``, ``--pages 150`` (requests of a round), ``--rounds 2``, ``--lines 200`` (for the latency).
Rounds alternate between no streams and all of them, so that a machine that wanders hurts both.
"""

import argparse
import asyncio
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "petplace.settings")
os.environ.setdefault("LOG_LEVEL", "ERROR")

import django

django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # noqa: E402
from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from benchmarks import database  # noqa: E402
from benchmarks.measure import Table  # noqa: E402
from messaging.domain import live  # noqa: E402
from messaging.live.hub import STREAMS_PER_PERSON  # noqa: E402

PAGES = ("/notifications/", "/bookings/", "/messages/")
GOAL = 1.5  # how much slower a page may be beside all streams


class Visitor:
    """One open stream; notes when each line arrives."""

    def __init__(self, user: int, cookie: str) -> None:
        self.user, self.cookie = user, cookie
        self.arrived: dict[int, float] = {}
        self.is_open = asyncio.Event()

    async def read(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /events/ HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={self.cookie}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"event: place"):
                    self.is_open.set()
                elif line.startswith(b'data: {"number"'):
                    self.arrived.setdefault(int(line.split(b":")[2].strip(b" }\n")), time.perf_counter())
        finally:
            writer.close()


async def page_times(port: int, cookie: str, number: int) -> list[float]:
    """Return the milliseconds of ``number`` pages, one after the other over one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    for index in range(number + 9):
        began = time.perf_counter()
        path = PAGES[index % len(PAGES)]
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: sessionid={cookie}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.split(b"\r\n")[0], head
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        await reader.readexactly(length)
        if index >= 9:
            times.append((time.perf_counter() - began) * 1000)
    writer.close()
    return times


async def latencies(visitors: list[Visitor], number: int) -> list[float]:
    """Return the milliseconds from a commit to the arrival at the person's streams."""
    chosen = [random.choice(visitors).user for _ in range(number)]
    sent = []
    for index, user in enumerate(chosen):
        sent.append(time.perf_counter())
        await asyncio.to_thread(live.emit, [user], "badge", {"number": index})
        await asyncio.sleep(0.03)
    await asyncio.sleep(2)
    readers = {user: [one for one in visitors if one.user == user] for user in set(chosen)}
    missing = sum(index not in one.arrived for index, user in enumerate(chosen) for one in readers[user])
    assert missing == 0, f"{missing} lines did not arrive"
    return [(one.arrived[index] - sent[index]) * 1000 for index, user in enumerate(chosen) for one in readers[user]]


def memory(pid: int) -> tuple[float, int]:
    """Return the megabytes that a process has taken, also those that were swapped out, and its threads."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    return sum(int(status[name].split()[0]) for name in ("RssAnon", "VmSwap")) / 1024, int(status["Threads"])


def processor(pid: int) -> float:
    """Return the seconds of processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def connections(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()", [name])
        return int(cursor.fetchone()[0])


def sign_in(user: User) -> str:
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    return str(store.session_key)


async def measure(port: int, pid: int, name: str, people: list[tuple[int, str]], options: argparse.Namespace) -> Table:
    table = Table()
    page_user = people.pop()[1]
    times: dict[str, list[float]] = {"none": [], "all": []}
    late: list[float] = []
    await page_times(port, page_user, 30)
    for number in range(options.rounds):
        times["none"] += await page_times(port, page_user, options.pages)
        before = memory(pid)
        visitors = [Visitor(*people[index % len(people)]) for index in range(options.streams)]
        began = time.perf_counter()
        readers = [asyncio.create_task(one.read(port)) for one in visitors]
        await asyncio.gather(*[asyncio.wait_for(one.is_open.wait(), 180) for one in visitors])
        opened = time.perf_counter() - began
        times["all"] += await page_times(port, page_user, options.pages)
        late += await latencies(visitors, options.lines)
        after = memory(pid)
        used = processor(pid)
        await asyncio.sleep(10)
        used = (processor(pid) - used) / 10
        if not number:
            table.add(f"opening {options.streams:,} streams at once", f"{opened:.1f} s")
            table.add("memory of a stream", f"{(after[0] - before[0]) * 1024 / options.streams:.0f} KB")
            table.add("threads before and beside the streams", f"{before[1]} and {after[1]}")
            table.add(
                "database connections of the process beside them",
                str(await asyncio.to_thread(connections, name)),
            )
            table.add("processor time beside idle streams", f"{used * 100:.1f} % of a core")
        for one in readers:
            one.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        await asyncio.sleep(1)
    for label, part in (("p50", 50), ("p95", 95)):
        none, beside = (statistics.quantiles(times[name], n=100)[part - 1] for name in ("none", "all"))
        table.add(f"page, no streams, {label}", f"{none:.1f} ms")
        table.ratio(
            f"page beside {options.streams:,} streams, {label}", beside / none, GOAL, note=f" ({beside:.1f} ms)"
        )
        table.add(f"from the commit to the reader, {label}", f"{statistics.quantiles(late, n=100)[part - 1]:.0f} ms")
    return table


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    for flag, default in (("--streams", 1000), ("--pages", 150), ("--rounds", 2), ("--lines", 200)):
        parser.add_argument(flag, type=int, default=default)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    name = f"{database.PREFIX}_streams"
    database.drop_all()
    database.create(name)
    users = [
        User.objects.create(
            email=f"reader{number}@example.test", full_name=f"Reader {number}", password=make_password(None)
        )
        for number in range(options.streams // (STREAMS_PER_PERSON - 1) + 2)
    ]
    people = [(user.pk, sign_in(user)) for user in users]
    given = connection.get_connection_params()
    host = quote(str(given.get("host", "localhost")), safe="")
    user = f"{given.get('user', 'postgres')}{':' + quote(given['password']) if given.get('password') else ''}"
    url = f"postgresql://{user}@/{name}?host={host}" + (f"&port={given['port']}" if given.get("port") else "")
    port = 8900 + os.getpid() % 1000
    command = [sys.executable, "-m", "uvicorn", "petplace.asgi:application", "--port", str(port), "--lifespan", "off"]
    command += ["--log-level", "error", "--no-access-log", "--timeout-graceful-shutdown", "2"]
    server = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": url})
    try:
        deadline = time.monotonic() + 120
        while subprocess.run(
            ["curl", "-sf", "-o", "/dev/null", f"http://localhost:{port}/readyz"], check=False
        ).returncode:
            assert time.monotonic() < deadline, "The server did not start."
            time.sleep(0.3)
        table = asyncio.run(measure(port, server.pid, name, people, options))
    finally:
        server.terminate()
        server.wait(20)
        connection.close()
        database.drop_all()
    print()
    table.print()
    print("\nAbsolute times wander with the machine: read the ratios.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
