"""What people upload: checked by what it decodes to, re-made, stored under our own name, served privately.

Nothing of an uploaded photo is kept but its pixels, so neither a script behind the picture nor the place where it was
taken survives. Every limit is checked on the header, before the first pixel is decoded.
"""

from __future__ import annotations

import io
import threading
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import RequestDataTooBig, ValidationError
from django.core.files.base import ContentFile, File
from django.core.files.uploadhandler import FileUploadHandler
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpResponse
from django.utils.http import content_disposition_header
from PIL import Image, ImageOps
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP")
PHOTO_ACCEPT = "image/jpeg,image/png,image/webp"
PHOTO_EDGE = 1600  # pixels; the longest edge of what is kept
# Each scan of a progressive JPEG visits every block again, and costs its sender some bytes. Cameras write about ten.
JPEG_SCANS = 64
PDF_OBJECTS = 20_000
# Names that make a PDF do something (ISO 32000-1, 12.6): such a file is refused, not repaired.
PDF_ACTIVE = frozenset(
    {"/JS", "/JavaScript", "/Launch", "/EmbeddedFile", "/EmbeddedFiles", "/EF", "/RichMedia", "/XFA",
     "/SubmitForm", "/ImportData", "/GoToR", "/GoToE", "/Rendition", "/Movie", "/Sound", "/3D", "/Encrypt"}
)  # fmt: skip
CONTENT_TYPES = {".jpg": "image/jpeg", ".webp": "image/webp", ".png": "image/png", ".pdf": "application/pdf"}

# Two pictures at once per process: their memory is bounded, however many arrive together.
_decoding = threading.BoundedSemaphore(2)


def clean_photo(file: File[bytes]) -> ContentFile[bytes]:
    """Return ``file`` as a new JPEG (WEBP where it is transparent) of at most 1600 pixels, with a random name.

    Raises ValidationError (codes ``too_big``, ``too_many_pixels``, ``animated``, ``not_a_photo``) that says what to do.
    """
    data = _read(file)
    with _decoding:
        try:
            return _remade(data)
        except ValidationError:
            raise
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise _too_many_pixels(settings.PHOTO_MAX_PIXELS) from None
        except Exception:  # a decoder may fail on hostile bytes in any way it likes
            raise _not_a_photo() from None


def clean_document(file: File[bytes]) -> ContentFile[bytes]:
    """Return a photo as ``clean_photo`` does, or a PDF that holds no scripts, actions or attachments, renamed.

    Raises ValidationError (also codes ``not_a_document``, ``active_pdf``).
    """
    data = _read(file)
    if not data.startswith(b"%PDF-"):
        try:
            return clean_photo(ContentFile(data))
        except ValidationError as error:
            if error.code != "not_a_photo":
                raise
            raise ValidationError(
                "This file is neither a PDF nor a photo (JPEG, PNG or WEBP).", code="not_a_document"
            ) from None
    with _decoding:
        try:
            data = _remade_pdf(data)
        except ValidationError:
            raise
        except Exception:  # the same for the reader of PDFs
            raise ValidationError("This PDF cannot be read. Please save it again.", code="not_a_document") from None
    return ContentFile(data, name=f"{uuid.uuid4()}.pdf")


class CappedUploadHandler(FileUploadHandler):
    """Refuse a body that says it is too large, before a byte of it is stored. The first of the upload handlers."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: Any,  # noqa: N803  Django names it so
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > settings.UPLOAD_MAX_BODY_BYTES:
            raise RequestDataTooBig(f"A request of {content_length} bytes is too large.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None


class PhotoField(forms.FileField):
    """A form field whose value is a cleaned photo, ready to store."""

    widget = forms.FileInput(attrs={"accept": PHOTO_ACCEPT})
    default_help_text = "JPEG, PNG or WEBP, up to 10 MB. Where it was taken is removed."

    def __init__(self, **options: Any) -> None:
        options.setdefault("help_text", self.default_help_text)
        super().__init__(**options)

    def clean(self, data: Any, initial: Any = None) -> Any:
        file = super().clean(data, initial)
        return self.made_safe(file) if data and file else file

    @staticmethod
    def made_safe(file: File[bytes]) -> ContentFile[bytes]:
        return clean_photo(file)


class DocumentField(PhotoField):
    """A form field whose value is a cleaned PDF or photo."""

    widget = forms.FileInput(attrs={"accept": f"application/pdf,{PHOTO_ACCEPT}"})
    default_help_text = "PDF, JPEG, PNG or WEBP, up to 10 MB."

    @staticmethod
    def made_safe(file: File[bytes]) -> ContentFile[bytes]:
        return clean_document(file)


def private_download(file: FieldFile, *, filename: str) -> FileResponse:
    """Send a stored file of any size piece by piece, as a download that nobody keeps. Raises Http404 without one."""
    try:
        stream = file.open("rb")
    except (FileNotFoundError, ValueError):
        raise Http404 from None
    suffix = PurePosixPath(file.name or "").suffix.lower()
    response = FileResponse(stream, as_attachment=True, filename=f"{safe_stem(filename)}{suffix}")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response


def private_response(file: FieldFile, *, filename: str = "", inline: bool = True) -> HttpResponse:
    """Serve a stored file to the one who may see it (the caller has checked that), never to a cache or as a page.

    The type comes from our own name of it. PDFs are always downloads. Raises Http404 when there is no file.
    """
    if not file:
        raise Http404
    suffix = PurePosixPath(file.name or "").suffix.lower()
    content_type = CONTENT_TYPES.get(suffix, "application/octet-stream")
    try:
        with file.open("rb") as stream:
            content: bytes = stream.read()  # ours, so it has been checked for size
    except FileNotFoundError:
        raise Http404 from None
    response = HttpResponse(content, content_type=content_type)
    is_download = not (inline and content_type.startswith("image/"))
    disposition = content_disposition_header(is_download, f"{safe_stem(filename)}{suffix}")
    assert disposition is not None
    response["Content-Disposition"] = disposition
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def safe_stem(name: str) -> str:
    """Return what is harmless of a file's name, without its ending: letters, digits, space, dash, underscore."""
    stem = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).name).rsplit(".", 1)[0]
    kept = "".join(char for char in stem if char.isalnum() or char in " -_").strip()
    return kept[:80] or "file"


def _read(file: File[bytes]) -> bytes:
    limit = settings.PHOTO_MAX_BYTES
    size = getattr(file, "size", None)
    if size is not None and size > limit:
        raise _too_big(limit)
    file.seek(0)
    data: bytes = file.read(limit + 1)
    if len(data) > limit:
        raise _too_big(limit)
    return data


def _remade(data: bytes) -> ContentFile[bytes]:
    with Image.open(io.BytesIO(data), formats=PHOTO_FORMATS) as image:
        _check_header(image, data)
        image.draft("RGB", (PHOTO_EDGE, PHOTO_EDGE))  # a JPEG is decoded at a fraction of its size
        image.thumbnail((PHOTO_EDGE, PHOTO_EDGE))
        upright = ImageOps.exif_transpose(image)
        is_transparent = upright.has_transparency_data
        pixels = upright.convert("RGBA" if is_transparent else "RGB")
    out = io.BytesIO()
    # A fresh image has no metadata to carry over: `convert` keeps `info`, so drop it.
    pixels.info = {}
    if is_transparent:
        pixels.save(out, "WEBP", quality=85)
    else:
        pixels.save(out, "JPEG", quality=85, optimize=True)
    return ContentFile(out.getvalue(), name=f"{uuid.uuid4()}{'.webp' if is_transparent else '.jpg'}")


def _check_header(image: Image.Image, data: bytes) -> None:
    is_jpeg = image.format in ("JPEG", "MPO")  # MPO: a phone's JPEG with a preview behind it
    if not is_jpeg and getattr(image, "n_frames", 1) > 1:
        raise ValidationError("Moving pictures are not accepted. Please upload a still photo.", code="animated")
    is_progressive = is_jpeg and bool(image.info.get("progressive") or image.info.get("progression"))
    if is_progressive and data.count(b"\xff\xda") > JPEG_SCANS:
        raise _not_a_photo()
    # Only a baseline JPEG can be decoded small; the others take their whole size in memory.
    limit = settings.PHOTO_MAX_PIXELS if is_jpeg and not is_progressive else settings.PHOTO_MAX_PIXELS_WHOLE
    if image.width * image.height > limit:
        raise _too_many_pixels(limit)


def _remade_pdf(data: bytes) -> bytes:
    """Write the PDF anew from what can be reached from its root, and refuse it when any of that is active."""
    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted:
        raise _active_pdf()
    if sum(len(table) for table in reader.xref.values()) + len(reader.xref_objStm) > PDF_OBJECTS:
        raise ValidationError("This PDF is too complicated. Please print it to a new PDF.", code="not_a_document")
    if not reader.pages:
        raise ValidationError("This PDF has no pages.", code="not_a_document")
    out = io.BytesIO()
    PdfWriter(clone_from=reader).write(out)
    remade = PdfReader(out, strict=False)
    ids = {(number, generation) for generation, table in remade.xref.items() for number in table}
    names = set(_walk(remade.trailer))
    for number, generation in ids:
        names.update(_walk(remade.get_object(IndirectObject(number, generation, remade))))
    if names & PDF_ACTIVE:
        raise _active_pdf()
    return out.getvalue()


def _walk(root: Any) -> Iterator[str]:
    """Yield the names in one object. Other objects that it points to are met by their own number."""
    left = [root]
    while left:
        value = left.pop()
        if isinstance(value, DictionaryObject):
            yield from (str(key) for key in value)
            left.extend(dict.values(value))
        elif isinstance(value, ArrayObject):
            left.extend(list.__iter__(value))
        elif isinstance(value, str) and value.startswith("/"):
            yield str(value)


def _too_big(limit: int) -> ValidationError:
    return ValidationError(
        f"The file is larger than {limit // 1_000_000} MB. Please choose a smaller one.", code="too_big"
    )


def _active_pdf() -> ValidationError:
    return ValidationError(
        "This PDF holds scripts, actions, attachments or a password. Please print it to a new PDF and upload that.",
        code="active_pdf",
    )


def _too_many_pixels(limit: int) -> ValidationError:
    return ValidationError(
        f"The picture has more than {limit // 1_000_000} megapixels. Please scale it down.", code="too_many_pixels"
    )


def _not_a_photo() -> ValidationError:
    return ValidationError("This is not a photo that we can read. Please use JPEG, PNG or WEBP.", code="not_a_photo")
