"""A Unix-socket proxy in front of PostgreSQL that holds its answers back for a few milliseconds.

The database seems far away, so the time between a check and the write after it becomes wide enough to fall into.

    python -m tests.races.proxy <folder to listen in> <folder of the server's socket> <seconds>
"""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SOCKET = ".s.PGSQL.5432"
CHUNK = 1 << 16


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Forward what is read, ``delay`` seconds later, in order; chunks on their way do not wait for each other."""
    loop = asyncio.get_running_loop()
    on_their_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def write() -> None:
        while True:
            due, data = await on_their_way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not data:
                break
            writer.write(data)
            await writer.drain()
        writer.close()

    writing = asyncio.create_task(write())
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            on_their_way.put_nowait((loop.time() + delay, data))
    on_their_way.put_nowait((0.0, b""))
    with contextlib.suppress(ConnectionError):
        await writing


async def _serve(listen: Path, target: Path, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, forth = await asyncio.open_unix_connection(target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, forth, 0.0), _pump(back, writer, delay))

    server = await asyncio.start_unix_server(connected, listen)
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, stopped.set_result, None)
    async with server:
        await stopped


@contextlib.contextmanager
def running(target: str, delay: float) -> Iterator[str]:
    """Run the proxy in a process of its own; yield the folder to connect to."""
    with tempfile.TemporaryDirectory(prefix="ppx") as folder:
        process = subprocess.Popen([sys.executable, "-m", "tests.races.proxy", folder, target, str(delay)])
        try:
            for _ in range(1000):
                if _is_listening(folder):
                    break
                time.sleep(0.02)
            else:
                raise RuntimeError("The delay proxy did not start.")
            yield folder
        finally:
            process.terminate()
            process.wait(10)


def _is_listening(folder: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(f"{folder}/{SOCKET}") == 0


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]) / SOCKET, Path(sys.argv[2]) / SOCKET, float(sys.argv[3])))
