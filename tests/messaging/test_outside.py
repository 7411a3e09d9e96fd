"""One request to the outside: never into our own network, never longer than its limit, never more than was asked."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from messaging.channels import outside
from messaging.channels.outside import Client, ForbiddenAddressError, UnreachableError

HEADERS = {"Content-Type": "text/plain"}


def read_request(line: socket.socket) -> bytes:
    """Return one request, whose head and body may come in two pieces; b"" at the end of the line."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            return received
        piece = line.recv(65536)
        if not piece:
            return received
        received += piece


class Server:
    """Answers each connection with what ``talk`` does, on raw sockets."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self.talk = talk
        self.requests: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/x"

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line:
            try:
                self.requests.append(read_request(line))
                self.talk(line)
            except OSError:
                return


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(talk: Callable[[socket.socket], None] | bytes) -> Server:
        answer = talk if callable(talk) else lambda line: line.sendall(talk)
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.close()


def ask(url: str, *, seconds: float = 2.0, only_public: bool = False) -> outside.Answer:
    client = Client(seconds=seconds, only_public=only_public)
    try:
        return client.request("POST", url, body=b"hello", headers=HEADERS)
    finally:
        client.close()


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let the name server give these addresses, one list for each question; return who was asked for."""
    asked: list[str] = []
    left = list(answers)

    def getaddrinfo(host: str, port: int, *_: object, **__: object) -> list[object]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "0.1.2.3", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "::", "ff02::1",
    ],
)  # fmt: skip
def test_address_of_a_closed_network_is_not_public(address: str) -> None:
    assert not outside.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_address_of_the_internet_is_public(address: str) -> None:
    assert outside.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]"])
def test_own_machine_is_not_asked_under_any_of_its_names(serve: Callable[..., Server], host: str) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises((ForbiddenAddressError, UnreachableError)):
        ask(f"http://{host}:{server.port}/", only_public=True)

    assert server.requests == []


def test_own_machine_is_asked_where_that_is_meant(serve: Callable[..., Server]) -> None:
    """The control: the same server answers when the address is one of ours."""
    server = serve(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Said: yes\r\n\r\nok")

    answer = ask(server.url)

    assert (answer.status, answer.body, answer.headers["x-said"]) == (201, b"ok", "yes")
    assert server.requests[0].endswith(b"hello")


def test_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, ["8.8.8.8", "10.0.0.1"])

    with pytest.raises(ForbiddenAddressError):
        ask("http://mixed.example.test/", only_public=True)


def test_rebinding_name_is_connected_where_it_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name answers with a public address first and with our own after that: only the first is ever used."""
    asked = names(monkeypatch, ["203.0.113.1"], ["127.0.0.1"])
    monkeypatch.setattr(outside, "is_public", lambda address: address != "127.0.0.1")  # 203.0.113.0/24 is for texts
    tried: list[str] = []

    def connect(address: tuple[str, int], *_: object) -> socket.socket:
        tried.append(address[0])
        raise OSError("refused")

    monkeypatch.setattr(socket, "create_connection", connect)

    with pytest.raises(UnreachableError):
        ask("https://rebinding.example.test/", only_public=True)

    assert asked == ["rebinding.example.test"]
    assert tried == ["203.0.113.1"]


def test_redirect_is_an_answer_and_not_followed(serve: Callable[..., Server]) -> None:
    secret = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
    server = serve(f"HTTP/1.1 307 Go\r\nLocation: {secret.url}\r\nContent-Length: 0\r\n\r\n".encode())

    answer = ask(server.url)

    assert answer.status == 307
    assert secret.requests == []


def test_huge_answer_is_cut(serve: Callable[..., Server]) -> None:
    sent = []

    def flood(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        while len(sent) < 2000:
            line.sendall(b"x" * 65536)
            sent.append(1)

    answer = ask(serve(flood).url)

    assert len(answer.body) == outside.MAX_ANSWER
    assert len(sent) < 2000


def test_packed_answer_is_not_unpacked(serve: Callable[..., Server]) -> None:
    """A few kilobytes can be gigabytes once unpacked."""
    import gzip

    bomb = gzip.compress(b"0" * 5_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()

    assert ask(serve(head + bomb).url).body == bomb[: outside.MAX_ANSWER]


def silence(line: socket.socket) -> None:
    time.sleep(3)


def drip(line: socket.socket) -> None:
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(300):
        line.sendall(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [silence, drip])
def test_limit_of_time_holds_for_all_of_it(serve: Callable[..., Server], talk: Callable[..., None]) -> None:
    """A byte now and then keeps the time limits of single reads from ever striking."""
    began = time.monotonic()

    with pytest.raises(UnreachableError):
        ask(serve(talk).url, seconds=0.4)

    assert time.monotonic() - began < 2.9  # both would talk on


def test_name_server_that_hangs_is_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(4))
    began = time.monotonic()

    with pytest.raises(UnreachableError):
        ask("http://slow.example.test/", seconds=0.2)

    assert time.monotonic() - began < 3.5


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\x16\x03\x01\x00\x00"])
def test_what_is_not_http_is_no_answer(serve: Callable[..., Server], answer: bytes) -> None:
    with pytest.raises(UnreachableError):
        ask(serve(answer).url)


def test_other_schemes_and_unknown_names_are_refused() -> None:
    with pytest.raises(ForbiddenAddressError):
        ask("file:///etc/passwd")
    with pytest.raises(UnreachableError):
        ask("http://does-not-exist.invalid/")


def test_connection_is_kept_between_two_requests(serve: Callable[..., Server]) -> None:
    def twice(line: socket.socket) -> None:
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert read_request(line)
        line.sendall(b"HTTP/1.1 202 OK\r\nContent-Length: 0\r\n\r\n")

    server = serve(twice)
    client = Client(seconds=2)

    statuses = [client.request("POST", server.url, body=b"x", headers=HEADERS).status for _ in range(2)]
    client.close()

    assert statuses == [200, 202]
