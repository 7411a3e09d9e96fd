"""Log lines for machines: one JSON object a line, with the request's id and without people's data or secrets."""

import json
import logging
import re
from datetime import UTC, datetime

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_HEX = "[0-9a-f]{1,4}"  # a part of an IPv6 address
# In this order: what a later rule would find inside of what an earlier one hides is gone by then.
_HIDDEN: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|basic)\s+\S+"), r"\1 [token]"),
    (re.compile(r"\b(\w+://)[^\s/@]+@"), r"\1[account]@"),  # what a connection signs in with
    (re.compile(r"""[^\s@<>()\[\]"'=,;:/]+@[^\s@<>()\[\]"'=,;:/]+"""), "[email]"),
    (re.compile(r"(?<=[\w/])\?[^\s\"'<>]+"), "?[query]"),
    (re.compile(r"[\w=-]{6,}:[\w-]{4,10}:[\w-]{20,}"), "[token]"),  # what Django's signer makes
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), "[token]"),
    # Long and with a digit: keys, sessions, links of calendars and of new passwords; the ids of rows are none.
    (re.compile(rf"\b(?!{_UUID}\b)(?=[\w-]*\d)[\w-]{{30,}}"), "[token]"),
    (re.compile(r"\b(?:\d[ -]?){12,18}\d\b"), "[number]"),
    (re.compile(r"\+\d[\d ()/-]{6,}\d"), "[phone]"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "[address]"),
    (
        re.compile(
            rf"(?i)(?<![\w:.])(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,6}}(?::{_HEX}){{1,6}}|::{_HEX})(?![\w:])"
        ),
        "[address]",
    ),
)


def scrub(text: str) -> str:
    """Return ``text`` without mail addresses, phone numbers, network addresses, query strings, tokens and card numbers.

    A net under the rule that such things are not logged: libraries and the database put them into their errors.
    """
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object. Extras that a caller attached (the request among them) stay out."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "request_id": getattr(record, "request_id", "-"),
            "message": scrub(record.getMessage()),
        }
        if isinstance(status := getattr(record, "status_code", None), int):
            line["status"] = str(status)
        if record.exc_info:
            line["error"] = scrub(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = scrub(record.stack_info)
        return json.dumps(line, ensure_ascii=False)
