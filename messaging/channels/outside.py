"""HTTP to the services of the channels: one request, one hard limit of time, nothing followed, little read.

Where an address came from a stranger (a push endpoint), every address behind its name must be public, and the
connection goes to the very address that was checked, so that a name which answers differently the second time
("DNS rebinding") gains nothing.
"""

import contextlib
import ipaddress
import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import certifi
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

MAX_ANSWER = 16_384  # bytes; what a service has to say is shorter
CONNECT_SECONDS = 3.0

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_6TO4 = ipaddress.ip_network("2002::/16")


class UnreachableError(Exception):
    """No answer in time, or none that is HTTP. What was asked may have been done."""


class ForbiddenAddressError(Exception):
    """The name leads into a network that is not the public one."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


def is_public(address: str) -> bool:
    """Say whether an IP address is one of the public internet, also where IPv6 carries an IPv4 address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped
        if ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        elif ip in _6TO4:
            carried = ip.sixtofour
        if carried is not None:
            return is_public(str(carried))
    return ip.is_global and not ip.is_multicast


def resolve(host: str, port: int, *, only_public: bool) -> list[str]:
    """Return the addresses of ``host``. One that is not public makes all of them forbidden."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise UnreachableError(f"The name {host} is not known: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if only_public and not all(is_public(address) for address in addresses):
        raise ForbiddenAddressError(f"{host} leads to an address that is not public.")
    return addresses


class Client:
    """Keeps its connections until ``close``. ``only_public`` is for addresses that strangers gave us."""

    def __init__(self, *, seconds: float, only_public: bool = False) -> None:
        self.seconds = seconds
        self.only_public = only_public
        self._pools: dict[tuple[str, str, int], Any] = {}

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def request(self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str]) -> Answer:
        """Ask once. Raises UnreachableError or ForbiddenAddressError; a redirect is an answer like any other.

        The limit holds for all of it together, name server and a trickle of single bytes included: the work is done
        in a thread, which is left alone, its socket closed, when the time is over.
        """
        sockets: list[socket.socket] = []
        result: dict[str, Any] = {}

        def work() -> None:
            try:
                result["answer"] = self._ask(method, url, body, headers, sockets)
            except Exception as error:
                result["error"] = error

        thread = threading.Thread(target=work, name="outside", daemon=True)
        thread.start()
        thread.join(self.seconds)
        if thread.is_alive():
            self._pools.pop(_place(url), None)
            for one in sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            raise UnreachableError(f"No answer within {self.seconds:g} seconds.")
        if error := result.get("error"):
            if isinstance(error, UnreachableError | ForbiddenAddressError):
                raise error
            raise UnreachableError(f"{type(error).__name__}: {error}"[:300]) from error
        answer: Answer = result["answer"]
        return answer

    def _ask(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], sockets: list[socket.socket]
    ) -> Answer:
        parts = urlsplit(url)
        target = parts.path or "/"
        if parts.query:
            target += f"?{parts.query}"
        pool = self._pool(_place(url))
        _current.sockets = sockets
        sockets.extend(kept.sock for kept in list(pool.pool.queue) if kept is not None and kept.sock is not None)
        answer = pool.urlopen(
            method,
            target,
            body=body,
            headers=dict(headers),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=min(CONNECT_SECONDS, self.seconds), read=self.seconds),
        )
        content = answer.read(MAX_ANSWER + 1, decode_content=False)
        if len(content) > MAX_ANSWER:
            answer.close()  # the rest is nobody's business
            content = content[:MAX_ANSWER]
        else:
            answer.release_conn()
        return Answer(answer.status, {name.lower(): value for name, value in answer.headers.items()}, content)

    def _pool(self, place: tuple[str, str, int]) -> Any:
        pool = self._pools.get(place)
        if pool is None:
            scheme, host, port = place
            if scheme == "https":
                pool = urllib3.HTTPSConnectionPool(host, port, maxsize=1, ca_certs=_trusted())
                pool.ConnectionCls = _PublicHTTPS if self.only_public else _HTTPS
            elif scheme == "http":
                pool = urllib3.HTTPConnectionPool(host, port, maxsize=1)
                pool.ConnectionCls = _PublicHTTP if self.only_public else _HTTP
            else:
                raise ForbiddenAddressError(f"{scheme} is not spoken here.")
            self._pools[place] = pool
        return pool


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _trusted() -> str:
    """Whose certificates are believed: as the other HTTP clients of this process do, so that one setting rules all."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or certifi.where()


_current = threading.local()  # of the thread that asks: the sockets that it opened


class _Checked:
    """Connects to the addresses that were checked, one after the other."""

    only_public = False

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        _current.sockets.append(self.sock)  # type: ignore[attr-defined] # under TLS another than the one it began with

    def _new_conn(self) -> socket.socket:
        trouble: OSError | None = None
        host, port, seconds = self.host, self.port, self.timeout  # type: ignore[attr-defined]
        for address in resolve(host, port, only_public=self.only_public):
            try:
                made = socket.create_connection((address, port), seconds)
            except OSError as error:
                trouble = error
            else:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _current.sockets.append(made)
                return made
        raise UnreachableError(f"{host} does not take a connection: {trouble}")


class _HTTP(_Checked, HTTPConnection):
    pass


class _HTTPS(_Checked, HTTPSConnection):
    pass


class _PublicHTTP(_HTTP):
    only_public = True


class _PublicHTTPS(_HTTPS):
    only_public = True
