"""Where the embedded servers live, and the URLs that lead to them. Imported by the settings: standard library only."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SOCKET_PATH_LIMIT = 103  # bytes: 107 on Linux, 103 on macOS
LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432")
SHARED_STATE_DIR = Path("/var/lib/petplace")


def data_dir() -> Path:
    """Return the folder of all local data, from ``PETPLACE_DATA_DIR`` or ``.data`` beside ``manage.py``."""
    return Path(os.environ.get("PETPLACE_DATA_DIR") or BASE_DIR / ".data").resolve()


def servers_dir() -> Path:
    """Return the folder that the embedded servers write to: the data folder, where their account can enter it.

    PostgreSQL refuses to run as root, so root starts it as ``nobody``. When a folder above the data is closed to
    others (``/root``, a private temporary folder), the servers' files go to a folder of their own below ``/var/lib``.
    """
    base = data_dir()
    if os.geteuid() != 0 or (base / "postgres").exists():
        return base
    elsewhere = SHARED_STATE_DIR / _digest(base)
    return elsewhere if elsewhere.exists() or not is_open_to_others(base) else base


def is_open_to_others(path: Path) -> bool:
    """Tell whether any account may pass through every existing folder on the way to ``path``."""
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents) if folder.exists())


def run_dir() -> Path:
    """Return the folder of the sockets: beside the servers' data, or a short hashed one where that path is too long."""
    path = servers_dir() / "run"
    if len(os.fsencode(path)) + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
        return path
    return Path(tempfile.gettempdir()).resolve() / f"petplace-{_digest(path)}"


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]


def database_url() -> str:
    return f"postgresql://postgres@/petplace?host={quote(str(run_dir()), safe='/')}"


def redis_url() -> str:
    return f"unix://{run_dir() / 'valkey.sock'}"


@dataclass(frozen=True)
class RedisUrls:
    cache: str
    celery: str


def derive_redis_urls(url: str) -> RedisUrls:
    """Spell one ``REDIS_URL`` the way the cache and Celery want it.

    Celery gets the database that the URL names, or 0; the cache gets the one after it. A network URL that names a
    database is used for both, because a hosted server may have only one.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        first = int(parse_qs(parts.query).get("db", ["0"])[0])
        return RedisUrls(
            cache=f"unix://{parts.path}?db={first + 1}", celery=f"redis+socket://{parts.path}?virtual_host={first}"
        )
    base = url.split("?")[0].rstrip("/")
    if parts.path.strip("/"):
        return RedisUrls(cache=url, celery=url)
    return RedisUrls(cache=f"{base}/1", celery=f"{base}/0")


def origins_of(url: str) -> list[str]:
    """Return the origin of a tile URL for the content security policy, or nothing when it is on this site."""
    parts = urlsplit(url.replace("{s}", "*"))
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
