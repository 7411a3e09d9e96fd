"""Uploads: what comes out is a picture of ours, or a sentence that says what to do."""

import io
import threading
import time
import tracemalloc
import uuid
from pathlib import PurePosixPath

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404, HttpRequest
from django.test import RequestFactory
from PIL import Image
from pypdf import PdfReader
from rest_framework.request import Request

from petplace import uploads
from petplace.api.parsers import TooLarge, UploadParser
from tests import uploads_corpus as corpus


def code_of(call, data: bytes, name: str = "x.jpg") -> str:
    with pytest.raises(ValidationError) as caught:
        call(SimpleUploadedFile(name, data))
    return caught.value.code


def opened(file: ContentFile) -> Image.Image:
    return Image.open(io.BytesIO(file.read()))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_photo_comes_back_as_a_jpeg_under_a_random_name(kind):
    cleaned = uploads.clean_photo(SimpleUploadedFile("rex.anything", corpus.photo(kind)))

    path = PurePosixPath(cleaned.name)
    assert (path.suffix, uuid.UUID(path.stem).version) == (".jpg", 4)
    assert (opened(cleaned).format, opened_size(cleaned)) == ("JPEG", (400, 300))


def opened_size(file: ContentFile) -> tuple[int, int]:
    file.seek(0)
    return opened(file).size


def test_photo_is_scaled_to_the_longest_edge():
    cleaned = uploads.clean_photo(SimpleUploadedFile("a.jpg", corpus.photo(size=(6400, 3200))))

    assert opened_size(cleaned) == (1600, 800)


def test_transparent_photo_stays_transparent():
    cleaned = uploads.clean_photo(SimpleUploadedFile("a.png", corpus.photo("PNG", mode="RGBA")))

    image = opened(cleaned)
    assert (image.format, image.mode, PurePosixPath(cleaned.name).suffix) == ("WEBP", "RGBA", ".webp")


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_gray_and_print_colors_become_screen_colors(mode):
    cleaned = uploads.clean_photo(SimpleUploadedFile("a.jpg", corpus.photo(mode=mode)))

    assert opened(cleaned).mode == "RGB"


def test_place_and_maker_are_gone_and_the_picture_stands_upright():
    data = corpus.photo_with_place()
    assert b"SECRET-MAKER" in data

    cleaned = uploads.clean_photo(SimpleUploadedFile("a.jpg", data))

    image = opened(cleaned)
    assert image.size == (300, 400)
    assert dict(image.getexif()) == {}
    cleaned.seek(0)
    assert b"SECRET" not in cleaned.read()


def test_phone_photo_with_a_second_picture_keeps_the_first():
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "red").save(
        out, "MPO", save_all=True, append_images=[Image.new("RGB", (30, 20), "blue")]
    )

    cleaned = uploads.clean_photo(SimpleUploadedFile("a.jpg", out.getvalue()))

    assert opened_size(cleaned) == (300, 200)


def test_script_behind_a_picture_is_gone():
    cleaned = uploads.clean_photo(SimpleUploadedFile("a.png", corpus.photo("PNG") + corpus.HTML))

    assert b"script" not in cleaned.read()


def test_169_megapixels_in_20_kb_are_refused_without_decoding():
    data = corpus.png_of(13_000, 13_000)
    assert len(data) < 40_000
    tracemalloc.start()

    assert code_of(uploads.clean_photo, data, "a.png") == "too_many_pixels"

    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_fifty_bombs_at_once_are_all_refused():
    data = corpus.png_of(9_000, 9_000)
    codes: list[str] = []
    threads = [
        threading.Thread(target=lambda: codes.append(code_of(uploads.clean_photo, data, "a.png"))) for _ in range(50)
    ]
    started = time.monotonic()

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == ["too_many_pixels"] * 50
    assert time.monotonic() - started < 30  # a hang, not a speed test


@pytest.mark.parametrize(
    ("pixels", "kind", "options"),
    [((4000, 3100), "PNG", {}), ((4000, 3100), "JPEG", {"progressive": True}), ((4000, 3100), "WEBP", {})],
)
def test_what_must_be_decoded_whole_is_allowed_less(pixels, kind, options):
    assert code_of(uploads.clean_photo, corpus.photo(kind, pixels, **options)) == "too_many_pixels"


def test_a_camera_jpeg_of_24_megapixels_is_fine():
    cleaned = uploads.clean_photo(SimpleUploadedFile("a.jpg", corpus.photo(size=(6000, 4000), quality=60)))

    assert opened_size(cleaned) == (1600, 1067)


def test_jpeg_with_endless_scans_is_refused():
    data = corpus.photo(size=(64, 64), progressive=True) + b"\xff\xda" * 100

    assert code_of(uploads.clean_photo, data) == "not_a_photo"


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_moving_pictures_are_refused(kind):
    assert code_of(uploads.clean_photo, corpus.animated(kind)) == "animated"


BROKEN = {
    "svg": corpus.SVG,
    "eps": corpus.EPS,
    "html": corpus.HTML,
    "zip": corpus.archive(),
    "bmp as png": corpus.photo("BMP"),
    "tiff": corpus.photo("TIFF"),
    "ico": corpus.photo("ICO", (32, 32)),
    "gif": corpus.gif(1),
    "gif of 3001 frames": corpus.gif(3001),
    "pdf": corpus.pdf(),
    "nothing in it": b" ",
    "random": bytes(range(256)) * 40,
    "half a jpeg": corpus.photo(size=(800, 800))[:900],
    "half a png": corpus.photo("PNG", (800, 800))[:80],
    "png head": b"\x89PNG\r\n\x1a\n",
    "png of no width": b"\x89PNG\r\n\x1a\n" + corpus.png_of(8, 8)[8:16] + b"\0" * 8 + corpus.png_of(8, 8)[24:],
    "jpeg head": b"\xff\xd8\xff\xe0" + b"\0" * 300,
    "webp head": b"RIFF\xff\xff\xff\xffWEBPVP8X" + b"\0" * 40,
    "nul": b"\0" * 5000,
}


@pytest.mark.parametrize("name", BROKEN)
def test_photo_refuses_what_is_no_photo(name):
    assert code_of(uploads.clean_photo, BROKEN[name], "x.png") == "not_a_photo"


def test_too_many_bytes_are_refused_by_size_and_by_reading(settings):
    settings.PHOTO_MAX_BYTES = 1000

    assert code_of(uploads.clean_photo, b"x" * 1001) == "too_big"
    nameless = ContentFile(b"x" * 1001)
    nameless.size = None
    with pytest.raises(ValidationError) as caught:
        uploads.clean_photo(nameless)
    assert caught.value.code == "too_big"


def test_pdf_is_written_anew_and_keeps_its_pages():
    data = corpus.pdf() + b"\n<script>alert(1)</script>"

    cleaned = uploads.clean_document(SimpleUploadedFile("../../x.PDF", data))

    assert PurePosixPath(cleaned.name).suffix == ".pdf"
    written = cleaned.read()
    assert b"script" not in written
    assert len(PdfReader(io.BytesIO(written)).pages) == 1


def test_document_may_be_a_photo_and_then_is_cleaned_as_one():
    cleaned = uploads.clean_document(SimpleUploadedFile("x.pdf", corpus.photo_with_place()))

    assert cleaned.name.endswith(".jpg")
    assert b"SECRET" not in cleaned.read()


@pytest.mark.parametrize(
    "data",
    [
        corpus.pdf(script="app.alert(1)"),
        corpus.pdf(attachment=b"MZ"),
        corpus.pdf(password="secret"),
        corpus.pdf(link="calc.exe"),
    ],
    ids=["script", "attachment", "password", "launch"],
)
def test_pdf_that_does_something_is_refused(data):
    assert code_of(uploads.clean_document, data, "x.pdf") == "active_pdf"


def test_pdf_of_countless_objects_is_refused(monkeypatch):
    monkeypatch.setattr(uploads, "PDF_OBJECTS", 2)

    assert code_of(uploads.clean_document, corpus.pdf(), "x.pdf") == "not_a_document"


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7\nnonsense", corpus.SVG, corpus.EPS, corpus.archive(), b"%PDF-1.4"],
    ids=["pdf-of-nonsense", "svg", "eps", "archive", "pdf-without-a-body"],
)
def test_document_refuses_what_is_neither(data):
    assert code_of(uploads.clean_document, data, "x.pdf") == "not_a_document"


def test_document_says_what_is_wrong_with_a_photo():
    assert code_of(uploads.clean_document, corpus.png_of(13_000, 13_000), "x.pdf") == "too_many_pixels"


def test_pdf_without_pages_is_refused():
    data = corpus.pdf().replace(b"/Count 1", b"/Count 0").replace(b"/Kids [ 4 0 R ]", b"/Kids [ ]")

    assert code_of(uploads.clean_document, data, "x.pdf") == "not_a_document"


class Form(forms.Form):
    photo = uploads.PhotoField(required=False)
    paper = uploads.DocumentField(required=False)


def test_form_fields_give_cleaned_files():
    form = Form(
        {},
        {
            "photo": SimpleUploadedFile("a.jpg", corpus.photo_with_place()),
            "paper": SimpleUploadedFile("a.pdf", corpus.pdf()),
        },
    )

    assert form.is_valid(), form.errors
    assert (form.cleaned_data["photo"].name[-4:], form.cleaned_data["paper"].name[-4:]) == (".jpg", ".pdf")


def test_form_fields_put_the_sentence_beside_the_field():
    form = Form({}, {"photo": SimpleUploadedFile("a.jpg", corpus.SVG), "paper": SimpleUploadedFile("b", corpus.HTML)})

    assert form.errors == {
        "photo": ["This is not a photo that we can read. Please use JPEG, PNG or WEBP."],
        "paper": ["This file is neither a PDF nor a photo (JPEG, PNG or WEBP)."],
    }


def test_form_fields_may_be_left_empty():
    assert Form({}, {}).is_valid()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../x", "x"),
        ("a\0b.jpg", "ab"),
        ("a\r\nSet-Cookie: x.jpg", "aSet-Cookie x"),
        ("x" * 300 + ".png", "x" * 80),
        ("abc\u202egpj.exe", "abcgpj"),
        ("con.jpg", "con"),
        ("..", "file"),
        ("", "file"),
        ('"; filename=x', "filenamex"),
        ("C:\\boot.ini", "boot"),
        ("Рекс.jpg", "Рекс"),
    ],
)
def test_names_shown_to_browsers_are_harmless(name, stem):
    assert uploads.safe_stem(name) == stem


class Stored:
    """As much of a FieldFile as the answer needs."""

    def __init__(self, name: str, content: bytes = b"x", missing: bool = False) -> None:
        self.name, self.content, self.missing = name, content, missing

    def __bool__(self) -> bool:
        return bool(self.name)

    def open(self, mode: str) -> io.BytesIO:
        if self.missing:
            raise FileNotFoundError
        return io.BytesIO(self.content)


def test_private_photo_is_shown_with_a_fixed_type_and_never_kept():
    response = uploads.private_response(Stored("pets/1.jpg", b"pixels"), filename="Rex\r\n.html")

    assert response.content == b"pixels"
    assert {name: response[name] for name in ("Content-Type", "Content-Disposition", "X-Content-Type-Options")} == {
        "Content-Type": "image/jpeg",
        "Content-Disposition": 'inline; filename="Rex.jpg"',
        "X-Content-Type-Options": "nosniff",
    }
    assert response["Cache-Control"] == "private, no-store"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(("name", "kind"), [("a.pdf", "application/pdf"), ("a.html", "application/octet-stream")])
def test_private_paper_is_a_download(name, kind):
    response = uploads.private_response(Stored(name), filename="paper")

    assert (response["Content-Type"], response["Content-Disposition"].split(";")[0]) == (kind, "attachment")


@pytest.mark.parametrize("stored", [Stored(""), Stored("a.jpg", missing=True)])
def test_private_answer_without_a_file_is_404(stored):
    with pytest.raises(Http404):
        uploads.private_response(stored)


def posted(size: int) -> HttpRequest:
    request = RequestFactory().post("/", {"photo": SimpleUploadedFile("a.jpg", b"x" * size)})
    request.user = AnonymousUser()
    return request


def test_body_that_says_it_is_too_large_is_not_read(settings):
    settings.UPLOAD_MAX_BODY_BYTES = 1000
    request = posted(2000)

    with pytest.raises(RequestDataTooBig):
        _ = request.FILES

    assert posted(500).FILES["photo"].size == 500


def test_api_answers_413_to_a_body_that_is_too_large(settings):
    settings.UPLOAD_MAX_BODY_BYTES = 1000

    with pytest.raises(TooLarge) as caught:
        _ = Request(posted(2000), parsers=[UploadParser()]).data
    assert (caught.value.status_code, str(caught.value.detail)) == (413, "The request is larger than 1,000 bytes.")
