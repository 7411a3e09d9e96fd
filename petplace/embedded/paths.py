"""Where the embedded servers live, and the URLs that lead to them. Imported by the settings: standard library only."""

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SOCKET_PATH_LIMIT = 107  # bytes, of which our longest file name takes about 20


def data_dir() -> Path:
    """Return the folder of all local data, from ``PETPLACE_DATA_DIR`` or ``.data`` beside ``manage.py``."""
    return Path(os.environ.get("PETPLACE_DATA_DIR") or BASE_DIR / ".data").resolve()


def run_dir() -> Path:
    """Return the folder of the sockets: under the data folder, or a short hashed one where that path is too long."""
    path = data_dir() / "run"
    if len(os.fsencode(path)) + 24 <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"petplace-{digest}"


def database_url() -> str:
    return f"postgresql://postgres@/petplace?host={quote(str(run_dir()), safe='/')}"


def redis_url() -> str:
    return f"unix://{run_dir() / 'valkey.sock'}"


@dataclass(frozen=True)
class RedisUrls:
    cache: str
    celery: str


def derive_redis_urls(url: str) -> RedisUrls:
    """Spell one ``REDIS_URL`` the way the cache (database 1) and Celery (database 0) want it."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return RedisUrls(cache=f"unix://{parts.path}?db=1", celery=f"redis+socket://{parts.path}?virtual_host=0")
    base = url.split("?")[0].rstrip("/")
    if parts.path.strip("/"):
        return RedisUrls(cache=url, celery=url)
    return RedisUrls(cache=f"{base}/1", celery=f"{base}/0")


def origins_of(url: str) -> list[str]:
    """Return the origin of a tile URL for the content security policy, or nothing when it is on this site."""
    parts = urlsplit(url.replace("{s}", "*"))
    return [f"{parts.scheme}://{parts.netloc}"] if parts.netloc else []
