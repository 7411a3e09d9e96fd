"""Files that want to be something else: scripts, programs, bombs, empty shells of pictures and papers."""

import gzip
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests import uploads_corpus as corpus
from tests.api.operations import World, client_of
from tests.security.hostile import Hostile, check

PNG = b"\x89PNG\r\n\x1a\n"
XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


def _zip_bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("../../../../etc/cron.d/x", b"\0" * 20_000_000)
    return out.getvalue()


def _ihdr(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))


# Refused wherever a file goes.
ANYWHERE: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "empty file": ("x.png", "image/png", lambda: b""),
    "svg with a script": ("x.svg", "image/svg+xml", lambda: corpus.SVG),
    "svg named png": ("x.png", "image/png", lambda: corpus.SVG),
    "eps for ghostscript": ("x.eps", "application/postscript", lambda: corpus.EPS),
    "eps named jpg": ("x.jpg", "image/jpeg", lambda: corpus.EPS),
    "html page": ("x.html", "text/html", lambda: corpus.HTML),
    "html named png": ("x.png", "image/png", lambda: corpus.HTML),
    "zip archive": ("x.zip", "application/zip", corpus.archive),
    "zip bomb with a traversing name": ("../../x.jpg", "image/jpeg", _zip_bomb),
    "gzip bomb": ("x.png", "image/png", lambda: gzip.compress(b"\0" * 20_000_000)),
    "gif of many frames": ("x.gif", "image/gif", lambda: corpus.gif(50)),
    "gif header with php": ("x.php.gif", "image/gif", lambda: b"GIF89a<?php system($_GET['c']); ?>"),
    "php named jpg": ("x.jpg", "image/jpeg", lambda: b"<?php system('id'); ?>"),
    "shell script": ("x.sh", "text/x-sh", lambda: b"#!/bin/sh\nrm -rf /\n"),
    "linux program": ("x.png", "image/png", lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 200),
    "windows program": ("x.jpg", "image/jpeg", lambda: b"MZ" + b"\0" * 58 + b"PE\0\0" * 4),
    "xml with an external entity": ("x.xml", "application/xml", lambda: XXE),
    "office file of nothing": ("x.docx", "application/msword", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 50),
    "imagemagick commands": ("x.mvg", "image/png", lambda: b'push graphic-context\nimage over 0,0 0,0 "|id"\n'),
    "png that only begins": ("x.png", "image/png", lambda: PNG),
    "png of no size": ("x.png", "image/png", lambda: _ihdr(0, 0)),
    "png of four billion pixels": ("x.png", "image/png", lambda: _ihdr(65_000, 65_000)),
    "png of the largest size": ("x.png", "image/png", lambda: _ihdr(2**31 - 1, 2**31 - 1)),
    "png bomb": ("x.png", "image/png", lambda: corpus.png_of(13_000, 13_000)),
    "moving png": ("x.png", "image/png", lambda: corpus.animated("PNG")),
    "moving webp": ("x.webp", "image/webp", lambda: corpus.animated("WEBP")),
    "jpeg cut short": ("x.jpg", "image/jpeg", lambda: corpus.photo()[:200]),
    "bmp": ("x.bmp", "image/bmp", lambda: corpus.photo("BMP")),
    "tiff": ("x.tif", "image/tiff", lambda: corpus.photo("TIFF")),
    "icon": ("x.ico", "image/x-icon", lambda: corpus.photo("ICO", (32, 32))),
    "too many bytes": ("x.jpg", "image/jpeg", lambda: corpus.photo() + b"\0" * 10_000_001),
}
PAPERS: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "pdf with a script": ("x.pdf", "application/pdf", lambda: corpus.pdf(script="app.alert(1)")),
    "pdf with an attachment": ("x.pdf", "application/pdf", lambda: corpus.pdf(attachment=b"MZ")),
    "pdf that starts a program": ("x.pdf", "application/pdf", lambda: corpus.pdf(link="cmd.exe")),
    "pdf with a password": ("x.pdf", "application/pdf", lambda: corpus.pdf(password="x")),
    "pdf of one line": ("x.pdf", "application/pdf", lambda: b"%PDF-1.7\n"),
    "pdf header with html": ("x.pdf", "application/pdf", lambda: b"%PDF-1.4\n" + corpus.HTML),
    "pdf header with a zip": ("x.pdf", "application/pdf", lambda: b"%PDF-1.4\n" + corpus.archive()),
    "pdf of a root that is none": ("x.pdf", "application/pdf", lambda: b"%PDF-1.4\ntrailer<</Root 9 0 R>>\n%%EOF"),
}
# A picture is no place for a paper.
PICTURES = {"pdf as a picture": ("x.jpg", "image/jpeg", corpus.pdf)}
DOORS: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "photo of a pet": ("put", "/api/v1/pets/<pets>/photo/", "file", "owner", ANYWHERE | PICTURES),
    "paper of a provider": ("post", "/api/v1/providers/<providers>/documents/", "file", "manager", PAPERS),
    "vaccination paper": ("put", "/api/v1/pets/<pets>/vaccinations/<vaccinations>/document/", "file", "owner", PAPERS),
}


@cache
def _content(name: str) -> bytes:
    return (ANYWHERE | PAPERS | PICTURES)[name][2]()


def _sender(method: str, url: str, field: str, by: str, name: str) -> Callable[[World], Any]:
    filename, kind, _ = (ANYWHERE | PAPERS | PICTURES)[name]

    def send(world: World) -> Any:
        head = (
            f'--x\r\nContent-Disposition: form-data; name="kind"\r\n\r\nidentity\r\n'
            f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        body = head.encode() + _content(name) + b"\r\n--x--\r\n"
        path = url
        for key, value in world.ids.items():
            path = path.replace(f"<{key}>", value)
        client = client_of(getattr(world, by))
        return client.generic(method.upper(), path, body, content_type="multipart/form-data; boundary=x")

    return send


def _body(raw: bytes, content_type: str) -> Callable[[World], Any]:
    def send(world: World) -> Any:
        url = f"/api/v1/pets/{world.pet.uid}/photo/"
        return client_of(world.owner).generic("PUT", url, raw, content_type=content_type)

    return send


GOOD = b'--x\r\nContent-Disposition: form-data; name="%s"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
BODIES: list[Hostile] = [
    Hostile("multipart of nothing", _body(b"", "multipart/form-data; boundary=x"), (400,)),
    Hostile("multipart without a boundary", _body(b"--x", "multipart/form-data"), (400,)),
    Hostile("multipart with a boundary that is no text", _body(b"--x", "multipart/form-data; boundary=\xff"), (400,)),
    Hostile("multipart with a huge boundary", _body(b"--x", f"multipart/form-data; boundary={'b' * 5000}"), (400, 415)),
    Hostile("file as JSON", _body(b'{"file": "x"}', "application/json"), (415,)),
    Hostile("file as its bytes", _body(corpus.photo(), "image/jpeg"), (415,)),
    Hostile("file as a form's text", _body(b"file=x", "application/x-www-form-urlencoded"), (415,)),
    Hostile(
        "file in another field",
        _body(GOOD % b"photo_url" + corpus.photo() + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (400,),
    ),
    Hostile(
        "address in place of a file",
        _body(
            encode_multipart(BOUNDARY, {"file": "http://169.254.169.254/latest/meta-data/"}), MULTIPART_CONTENT
        ),
        (400,),
    ),
    Hostile(
        "path in place of a file", _body(encode_multipart(BOUNDARY, {"file": "/etc/passwd"}), MULTIPART_CONTENT), (400,)
    ),
    Hostile(
        "two thousand fields",
        _body(encode_multipart(BOUNDARY, {f"f{n}": "x" for n in range(2000)}), MULTIPART_CONTENT),
        (400, 413),
    ),
]  # fmt: skip
HOSTILE = [
    *(
        Hostile(f"{door}: {name}", _sender(method, url, field, by, name), (400,))
        for door, (method, url, field, by, files) in DOORS.items()
        for name in files
    ),
    *BODIES,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_file_is_refused(world: World, hostile: Hostile) -> None:
    check(hostile, world)


NAMES = [
    "../../../../etc/passwd.png",
    "..\\..\\boot.png",
    "a\x00.php",
    "/etc/passwd",
    "x.php",
    "CON",
    "a" * 400,
    "\u202egnp.exe",
]


@pytest.mark.parametrize("name", NAMES)
def test_name_of_a_file_decides_nothing(world: World, name: str) -> None:
    """A good picture under a bad name is a good picture: the name is thrown away."""
    raw = GOOD.replace(b"a.png", name.encode()) % b"file" + corpus.photo() + b"\r\n--x--\r\n"
    answer = _body(raw, "multipart/form-data; boundary=x")(world)

    world.pet.refresh_from_db()
    assert answer.status_code in (204, 400)
    if answer.status_code == 204:
        stem, _, suffix = world.pet.photo.name.rpartition("/")[2].partition(".")
        assert (len(stem), suffix) == (36, "jpg")
        assert ".." not in world.pet.photo.name
