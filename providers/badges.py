"""The published rules of badges, and which of them a provider has earned.

Two sorts. *Checks* come from papers that a person of the platform has looked at. *Figures* are counted from bookings of
the last twelve months. Both stand in columns of the provider's row, so that lists need nothing else; whether a paper
still holds is asked of the clock here, so a badge ends with its paper even before a sweep has come by.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

REQUESTS = 25  # the last so many count
MIN_REQUESTS = 5
ANSWERED_PERCENT = 90
ANSWER_MINUTES = 6 * 60
MIN_CLIENTS = 5
RETURNED_PERCENT = 30
MIN_VISITS = 10
ON_TIME_MINUTES = 10
ON_TIME_PERCENT = 95
LATE_CANCELLATION_DAYS = 5
FIGURE_MONTHS = 12


@dataclass(frozen=True)
class Rule:
    """What a badge says, and what it takes to get it."""

    code: str
    label: str
    icon: str
    text: str


CHECKS = (
    Rule(
        "identity",
        "Identity checked",
        "person-badge",
        "A person of our team compared an official photo document with the account. The document must still be valid.",
    ),
    Rule(
        "background_check",
        "Background checked",
        "shield-check",
        "A police or background check was handed in and read by our team. It counts until the date that it names.",
    ),
    Rule(
        "insurance",
        "Insured",
        "umbrella",
        "A liability policy that covers animals in care was read by our team. It counts until the policy ends.",
    ),
    Rule(
        "licence",
        "License checked",
        "file-earmark-check",
        "An official license for this work was read by our team. It counts until the license ends.",
    ),
    Rule(
        "first_aid",
        "First aid for pets",
        "bandaid",
        "The provider, or somebody of the team, has shown a certificate of a course in first aid for animals.",
    ),
)
FIGURES = (
    Rule(
        "fast_answers",
        "Answers fast",
        "lightning-charge",
        f"Of the last {REQUESTS} requests in {FIGURE_MONTHS} months (at least {MIN_REQUESTS}), {ANSWERED_PERCENT} % or "
        f"more were answered in time, half of them within {ANSWER_MINUTES // 60} hours. Requests that the owner "
        "withdrew do not count.",
    ),
    Rule(
        "repeat_clients",
        "Owners come back",
        "arrow-repeat",
        f"At least {RETURNED_PERCENT} % of the owners of the last {FIGURE_MONTHS} months (at least {MIN_CLIENTS} of "
        "them) had two or more completed visits.",
    ),
    Rule(
        "on_time",
        "On time",
        "stopwatch",
        f"Of the visits of the last {FIGURE_MONTHS} months (at least {MIN_VISITS}), {ON_TIME_PERCENT} % or more were "
        f"started no later than {ON_TIME_MINUTES} minutes after the agreed time.",
    ),
    Rule(
        "reliable",
        "Keeps bookings",
        "calendar-check",
        f"In the last {FIGURE_MONTHS} months (at least {MIN_VISITS} visits) the provider cancelled no confirmed "
        f"booking {LATE_CANCELLATION_DAYS} days or less before its start.",
    ),
)
RULES = {rule.code: rule for rule in (*CHECKS, *FIGURES)}
CHECK_CODES = frozenset(rule.code for rule in CHECKS)


@dataclass(frozen=True)
class Badge:
    """One badge with its rule, and the facts that earned it in words."""

    kind: str
    label: str
    icon: str
    rule: str
    facts: str
    checked_at: datetime | None = None
    valid_until: date | None = None


def earned(checked: Iterable[Mapping[str, Any]], figures: Mapping[str, Any], *, now: datetime) -> list[Badge]:
    """Return the badges that those columns earn at ``now``, in the order of the rules."""
    papers = {paper["kind"]: paper for paper in checked if _holds(paper, now)}
    found = [_checked(rule, papers[rule.code]) for rule in CHECKS if rule.code in papers]
    return found + _counted(figures)


def _holds(paper: Mapping[str, Any], now: datetime) -> bool:
    end = paper.get("expires_at")
    return end is None or datetime.fromisoformat(end) > now


def _checked(rule: Rule, paper: Mapping[str, Any]) -> Badge:
    at = datetime.fromisoformat(paper["at"])
    until = date.fromisoformat(paper["until"]) if paper.get("until") else None
    facts = f"Checked on {_day(at.date())}"
    facts += f", valid until {_day(until)}." if until else "."
    return Badge(rule.code, rule.label, rule.icon, rule.text, facts, at, until)


def _day(day: date) -> str:
    return f"{day:%b} {day.day}, {day.year}"


def share(part: int, whole: int) -> int:
    """Return the percentage, rounded down so that nobody reaches a limit by rounding."""
    return part * 100 // whole if whole else 0


def _counted(figures: Mapping[str, Any]) -> list[Badge]:
    def count(name: str) -> int:
        return int(figures.get(name) or 0)

    texts: dict[str, str] = {}
    asked, answered, minutes = count("asked"), count("answered"), count("answer_minutes")
    if asked >= MIN_REQUESTS and share(answered, asked) >= ANSWERED_PERCENT and minutes <= ANSWER_MINUTES:
        texts["fast_answers"] = f"{answered} of {asked} requests answered, half of them within {_length(minutes)}."
    clients, returned = count("clients"), count("returned")
    if clients >= MIN_CLIENTS and share(returned, clients) >= RETURNED_PERCENT:
        texts["repeat_clients"] = f"{returned} of {clients} owners came again ({share(returned, clients)} %)."
    visits, on_time = count("visits"), count("on_time")
    if visits >= MIN_VISITS and share(on_time, visits) >= ON_TIME_PERCENT:
        texts["on_time"] = f"{on_time} of {visits} visits started on time ({share(on_time, visits)} %)."
    completed, late = count("completed"), count("late_cancellations")
    if completed >= MIN_VISITS and not late:
        texts["reliable"] = f"{completed} visits, no late cancellation."
    return [
        Badge(rule.code, rule.label, rule.icon, rule.text, texts[rule.code]) for rule in FIGURES if rule.code in texts
    ]


def _length(minutes: int) -> str:
    if minutes < 1:
        return "a minute"
    hours, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
