"""Shared checks of what people type."""

from petplace.errors import InvalidInput

NOTE_LENGTH = 2000
REASON_LENGTH = 1000
COMPLAINT_LENGTH = 2000
ACCESS_LENGTH = 1000


def clean_note(text: str) -> str:
    return _clean(text, field="note", length=NOTE_LENGTH)


def clean_access_note(text: str) -> str:
    return _clean(text, field="text", length=ACCESS_LENGTH)


def clean_reason(text: str, *, is_required: bool = False) -> str:
    text = _clean(text, field="reason", length=REASON_LENGTH)
    if is_required and not text:
        raise InvalidInput(
            "Please give a reason.", code="reason_required", fields={"reason": ["Please give a reason."]}
        )
    return text


def clean_complaint(text: str, *, field: str) -> str:
    text = _clean(text, field=field, length=COMPLAINT_LENGTH)
    if not text:
        raise InvalidInput("Say what happened.", fields={field: ["Say what happened."]})
    return text


def _clean(text: str, *, field: str, length: int) -> str:
    """Return ``text`` without spaces around it. PostgreSQL stores no NUL, and UTF-8 has no lone surrogates."""
    text = text.strip()
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        message = "This contains characters that are not text."
        raise InvalidInput(message, fields={field: [message]})
    if len(text) > length:
        message = f"At most {length} characters, this has {len(text)}."
        raise InvalidInput(message, fields={field: [message]})
    return text
