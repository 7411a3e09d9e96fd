"""Timing: interleaved, in rounds, medians of each question; so a machine that wanders hurts all sides alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Times:
    """Milliseconds, one median for each question."""

    of_each: tuple[float, ...]

    @property
    def p50(self) -> float:
        return statistics.median(self.of_each)

    @property
    def p95(self) -> float:
        return sorted(self.of_each)[min(len(self.of_each) - 1, int(len(self.of_each) * 0.95))]


def interleaved(
    ways: dict[str, Callable[[Any], Any]], questions: Sequence[Any], *, rounds: int = 5
) -> dict[str, Times]:
    """Ask every question in every way, alternately, ``rounds`` times after one round of warming up."""
    taken: dict[str, list[list[float]]] = {name: [[] for _ in questions] for name in ways}
    for number in range(rounds + 1):
        for index, question in enumerate(questions):
            for name, ask in ways.items():
                began = time.perf_counter()
                ask(question)
                if number:
                    taken[name][index].append((time.perf_counter() - began) * 1000)
    return {name: Times(tuple(statistics.median(times) for times in each)) for name, each in taken.items()}


class Table:
    """Rows of what was measured, beside the goal."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str, str]] = []

    def add(self, what: str, value: str, goal: str = "", ok: bool | None = None) -> None:
        verdict = "" if ok is None else ("reached" if ok else "MISSED")
        self.rows.append((what, value, goal, verdict))
        print(f"  {what}: {value}" + (f" (goal {goal}: {verdict})" if goal else ""), flush=True)

    def ratio(self, what: str, value: float, goal: float, *, at_least: bool = False, note: str = "") -> None:
        ok = value >= goal if at_least else value <= goal
        sign = ">=" if at_least else "<="
        self.add(what, f"{value:.2f}x{note}", f"{sign} {goal:g}x", ok)

    def print(self) -> None:
        header = ("what", "measured", "goal", "")
        widths = [max(len(row[column]) for row in [header, *self.rows]) for column in range(4)]
        for number, row in enumerate([header, *self.rows]):
            print(" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if not number:
                print("-|-".join("-" * width for width in widths))
