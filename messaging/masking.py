"""Hiding phone numbers and e-mail addresses until a booking is confirmed.

A message is stored as it was written; what the other side reads goes through :func:`mask`. Searched is a copy as long
as the text: digits of every script are plain digits in it, signs that nobody sees are spaces. What looks like a number
to call and is none (prices, dates, times, weights, references) is blotted out in the copy first.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

DOTS = "\N{BULLET}" * 4
HINT = "(shown after the booking is confirmed)"
FEWEST_DIGITS = 7  # a local number; by E.164 the longest has 15
BLOT = "\0"


@dataclass(frozen=True)
class Masked:
    text: str
    is_masked: bool


def mask(text: str) -> Masked:
    """Return ``text`` with dots in place of what one could call or write to. The first place says when it is shown."""
    copy = _plain(text)
    spans = _merged([*_addresses(copy), *_numbers(copy)])
    if not spans:
        return Masked(text, is_masked=False)
    parts, at = [], 0
    for number, (start, end) in enumerate(spans):
        parts += [text[at:start], DOTS if number else f"{DOTS} {HINT}"]
        at = end
        while at < len(text) and _is_unseen(text[at]):
            at += 1
    return Masked("".join([*parts, text[at:]]), is_masked=True)


# --- The copy -------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    return "".join(map(_plain_char, text))


def _plain_char(char: str) -> str:
    if char.isascii():
        return char
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    if _is_unseen(char):
        return " "
    folded = unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 else char


def _is_unseen(char: str) -> bool:
    """Zero-width signs, variation selectors, the frames of keycaps."""
    return unicodedata.category(char) in ("Cf", "Mn", "Me")


# --- What is no number to call --------------------------------------------------------------------

# Not in the middle of a longer number.
_START = r"(?<![\d+])(?<!\d[ \-./()])(?<!\d[ \-./()]{2})"
_END = r"(?!\d)(?![ \-./]\d)"
_DAY, _MONTH, _YEAR = r"(?:0?[1-9]|[12]\d|3[01])", r"(?:0?[1-9]|1[0-2])", r"(?:19|20)\d\d"
_TO = r"\s?(?:-|\u2013|\u2014|/|to|until)\s?"
_NAME = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\b"
_DAYS = r"\d{1,2}(?:st|nd|rd|th|\.)?(?:(?:\s?(?:,|-|\u2013|and|&|to|until)\s?|\s)\d{1,2}(?:st|nd|rd|th|\.)?){0,12}"
_SIGN = (
    r"(?:[$\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u20ba\u20ab\u20aa\u20b4]"
    r"|\b(?:eur|usd|gbp|chf|jpy|kwd|inr|idr|krw|sek|nok|dkk|pln|czk|cad|aud|nzd|euros?|dollars?|pounds?|yen)\b)"
)
# At most eight digits before the fraction: a longer one is a number in disguise.
_AMOUNT = r"(?!0\d)(?:\d{1,2}[.,' ]\d{3}[.,' ]\d{3}|\d{1,3}[.,' ]\d{3}|\d{1,7})(?:[.,]\d{1,3})?(?!\d)"
_SMALL = r"(?!0\d)\d{1,5}(?:[.,]\d{1,3})?(?!\d)"
_UNIT = (
    r"(?:kgs?|kilos?|g|grams?|mg|lbs?|pounds?|oz|km|m|cm|mm|miles?|ml|l|min(?:ute)?s?|h|hrs?|hours?|days?|nights?"
    r"|weeks?|months?|years?|times|steps|%|\u00b0)(?![a-z])"
)
_CLOCK = r"(?:[01]?\d|2[0-4])[:.h][0-5]\d"
_HARMLESS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bBK-[2-9A-Z]{6}\b|\bINV-[0-9A-F]{8}\b|(?<![\d-])(?:19|20)\d\d-\d{6}(?![\d-])",  # ours
        r"\bchip\w{0,5}[^\d\n]{0,20}\d{15}(?!\d)",
        rf"(?<!\d){_YEAR}([-/.]){_MONTH}\1{_DAY}(?!\d)",
        rf"(?<!\d)(?:{_DAY}([-/.]){_MONTH}|{_MONTH}([-/.]){_DAY})(?:\1|\2)?(?:[-/.]){_YEAR}(?!\d)",
        rf"{_START}(?:{_DAY} {_MONTH}|{_MONTH} {_DAY}) {_YEAR}{_END}",
        rf"{_START}{_DAY}([-/.]){_MONTH}\1\d\d{_END}|{_START}{_MONTH}/{_DAY}/\d\d{_END}",
        rf"{_START}20\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_END}",
        rf"{_START}{_YEAR}{_TO}{_YEAR}{_END}",
        rf"{_START}{_DAY}[./]{_DAY}\.?{_TO}{_DAY}[./]{_DAY}\.?{_END}",
        rf"(?<![\d+:.]){_CLOCK}(?::[0-5]\d)?{_TO}{_CLOCK}(?!\d)|(?<![\d+:])(?:[01]?\d|2[0-4]):[0-5]\d(?::[0-5]\d)?(?!\d)",
        rf"{_START}(?:[01]\d|2[0-4])[0-5]\d{_TO}(?:[01]\d|2[0-4])[0-5]\d{_END}",
        rf"(?<!\d){_DAYS}\s?(?:of\s)?{_NAME}|\b{_NAME}\s{_DAYS}(?:,?\s{_YEAR})?(?!\d)",
        rf"{_SIGN}\s?(?:{_SMALL}{_TO}{_SMALL}|{_AMOUNT})|{_START}(?:{_SMALL}{_TO}{_SMALL}|{_AMOUNT})\s?{_SIGN}",
        rf"{_START}\d{{1,5}}[.,]\d\d(?:(?:[,;/]\s|\s[/\u2013-]\s)\d{{1,5}}[.,]\d\d){{1,20}}(?!\d)",
        rf"{_START}\d{{1,6}}(?:[.,]\d{{1,3}})?(?:{_TO}\d{{1,6}}(?:[.,]\d{{1,3}})?)?\s?{_UNIT}",
    )
]

# --- What is ----------------------------------------------------------------------------------------

_GAP = r"[\s\-\u2010-\u2015._,;:/\\()\[\]{}*|~'\"\u00b7\u2022+=<>#]"
_WORDS = r"(?:zero|oh|nil|one|two|three|four|five|six|seven|eight|nine|double|triple)"
_DIGIT = rf"(?:\d|(?<=\d)o(?![a-z])|\bo(?=\d)|\b{_WORDS}\b)"
_BETWEEN = rf"{_GAP}{{0,4}}(?:(?:dot|dash|space|minus){_GAP}{{1,4}})?"
_NUMBER = re.compile(rf"[+(]{{0,2}}{_DIGIT}(?:{_BETWEEN}{_DIGIT}){{{FEWEST_DIGITS - 1},}}", re.IGNORECASE)
_PIECE = re.compile(r"[^,;]+")
_SAID_AT = re.compile(r"\bat\b", re.IGNORECASE)

_LABEL = r"[\w-]{1,63}"
_LOCAL = r"(?<![\w.+%-])[\w.+%-]{1,64}"
_AT = r"(?:\s{0,3}@\s{0,3}|\s{0,3}[(\[{<]\s{0,2}(?:at|@)\s{0,2}[)\]}>]\s{0,3})"
_SAID_DOT = r"(?:\s{1,3}dot\s{1,3}|\s{0,3}[(\[{<]\s{0,2}(?:dot|\.)\s{0,2}[)\]}>]\s{0,3})"
_HOSTS = r"(?:gmail|googlemail|yahoo|hotmail|icloud|gmx|protonmail|aol)\b"
_TOP = r"(?:com|net|org|de|io|co|uk|fr|eu|info|me|app|dev|es|it|nl|ch|at|be|pl|ru|in|us|ca|au|biz)\b"
_ADDRESSES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LOCAL}{_AT}{_LABEL}(?:(?:\.|\s{{1,3}}\.\s{{0,3}}|{_SAID_DOT}){_LABEL}){{1,5}}",
        rf"{_LOCAL}(?:{_AT}|\s{{1,3}}at\s{{1,3}}){_HOSTS}(?:\s?\.\s?{_LABEL})?",
        rf"{_LOCAL}\s{{1,3}}at\s{{1,3}}{_LABEL}(?:{_SAID_DOT}{_LABEL}){{1,5}}",
        rf"{_LOCAL}\s{{1,3}}at\s{{1,3}}(?:{_LABEL}\.){{1,4}}{_TOP}",
    )
]
Span = tuple[int, int]


def _addresses(copy: str) -> Iterator[Span]:
    if "@" not in copy and not _SAID_AT.search(copy):
        return
    for pattern in _ADDRESSES:
        for found in pattern.finditer(copy):
            yield found.span()


def _numbers(copy: str) -> Iterator[Span]:
    if not _NUMBER.search(copy):
        return
    for pattern in _HARMLESS:
        copy = pattern.sub(lambda found: BLOT * len(found[0]), copy)
    for found in _NUMBER.finditer(copy):
        if _is_list(found[0]):
            yield from _long_pieces(found)
        else:
            yield found.span()


def _is_list(run: str) -> bool:
    """Say whether it is a list such as ``20, 30, 40, 50``: commas, but not between single digits."""
    pieces = _PIECE.findall(run)
    return len(pieces) > 1 and any(_digits(piece) > 1 for piece in pieces)


def _long_pieces(found: re.Match[str]) -> Iterator[Span]:
    for piece in _PIECE.finditer(found[0]):
        if _digits(piece[0]) >= FEWEST_DIGITS:
            yield found.start() + piece.start(), found.start() + piece.end()


def _digits(piece: str) -> int:
    return sum(char.isdigit() for char in piece)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged
