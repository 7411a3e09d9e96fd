"""Files that people upload, honest and hostile."""

import io
import struct
import zipfile
import zlib

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject


def photo(kind: str = "JPEG", size: tuple[int, int] = (400, 300), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (200, 120, 40, 128)[: len(mode)] if mode != "L" else 90).save(out, kind, **options)
    return out.getvalue()


def photo_with_place(orientation: int = 6) -> bytes:
    """A JPEG as phones write it: lying on its side, with a GPS position and a maker's comment."""
    image = Image.new("RGB", (400, 300), "teal")
    exif = image.getexif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET-MAKER"
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 36.0)}
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"SECRET-COMMENT")
    return out.getvalue()


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int) -> bytes:
    """A one-bit PNG of any size; 13,000 x 13,000 takes 20 KB and would take 169 MP to decode."""
    row = zlib.compressobj(9)
    line = b"\0" * (1 + (width + 7) // 8)
    body = b"".join(row.compress(line) for _ in range(height)) + row.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def gif(frames: int) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("P", (8, 8), n % 250) for n in range(frames)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:])
    return out.getvalue()


def animated(kind: str) -> bytes:
    out = io.BytesIO()
    pictures = [Image.new("RGB", (40, 40), color) for color in ("red", "blue", "green")]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:])
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("x.html", "<script>alert(1)</script>")
    return out.getvalue()


def pdf(script: str = "", attachment: bytes = b"", password: str = "", link: str = "") -> bytes:
    writer = PdfWriter()
    page = writer.add_blank_page(200, 200)
    if script:
        action = {NameObject("/S"): NameObject("/JavaScript"), NameObject("/JS"): TextStringObject(script)}
        writer.root_object[NameObject("/OpenAction")] = DictionaryObject(action)
    if attachment:
        writer.add_attachment("x.exe", attachment)
    if link:
        action = DictionaryObject({NameObject("/S"): NameObject("/Launch"), NameObject("/F"): TextStringObject(link)})
        page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"
HTML = b"<!doctype html><script>alert(1)</script>"
