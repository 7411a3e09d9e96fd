"""``python -m petplace.embedded run -- command``: run a command against fresh servers that go away with it.

The command finds ``DATABASE_URL``, ``REDIS_URL`` and ``PETPLACE_DATA_DIR`` in its environment. For benchmarks and
fault suites. ``--fast`` trades durability for speed.

``python -m petplace.embedded clean``: remove the data folder and what the servers keep for it elsewhere.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from petplace.embedded import paths
from petplace.embedded.process import FolderLock, ServerError
from petplace.embedded.servers import EmbeddedServers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m petplace.embedded", description=__doc__)
    parser.add_argument("action", choices=["run", "clean"])
    parser.add_argument("--fast", action="store_true", help="data may be lost in a crash")
    arguments, command = sys.argv[1:], []
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, command = arguments[:cut], arguments[cut + 1 :]
    options = parser.parse_args(arguments)
    if options.action == "clean":
        return _clean()
    if not command:
        parser.error("no command given")
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="petplace-run-"))
    if os.geteuid() == 0:
        folder.chmod(0o711)  # the account that the servers run as must get through
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ["PETPLACE_DATA_DIR"] = str(folder)
    servers = EmbeddedServers(is_durable=not options.fast)
    try:
        servers.start()
        return subprocess.run(command, env={**os.environ, **servers.environment()}, check=False).returncode
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        servers.stop()
        shutil.rmtree(servers.root, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _clean() -> int:
    root, folder = paths.servers_dir(), paths.data_dir()
    lock = FolderLock(folder)
    if folder.exists() and not lock.acquire():
        print(f"Pet Place is running on {folder}. Stop it first.", file=sys.stderr)
        return 1
    for path in (root, folder):
        shutil.rmtree(path, ignore_errors=True)
    return 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
