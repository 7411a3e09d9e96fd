"""Synchronized bursts: everybody is connected and ready, then all go at the same moment."""

import gc
import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from django.db import connections
from django.utils import timezone

from messaging.domain import outbox
from petplace import invariants
from petplace.errors import DomainError
from petplace.warming import warm_up

SIZE = 24
PATIENCE = 60  # seconds; a thread that died must not hang the run

Attempt = Callable[[], Any]


@dataclass
class Tally:
    """What came out of one burst: an outcome (``won`` or an error's code) and seconds for each attempt."""

    outcomes: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.outcomes)

    @property
    def winners(self) -> list[Any]:
        return [result for outcome, result in zip(self.outcomes, self.results, strict=True) if outcome == "won"]


class Crew:
    """Threads that each keep a database connection of their own, as workers of a server do.

    ``host`` is the folder of the socket to connect to: the server's, or the delay proxy's.
    """

    def __init__(self, size: int = SIZE, host: str | None = None) -> None:
        self.size, self.host = size, host
        self.gate, self.finish = (
            threading.Barrier(size + 1, timeout=PATIENCE),
            threading.Barrier(size + 1, timeout=PATIENCE),
        )
        self.attempts: Sequence[Attempt | None] = []
        self.outcomes: list[tuple[str, float, Any]] = []
        self.is_over = False
        self.threads = [threading.Thread(target=self._work, args=(index,), daemon=True) for index in range(size)]

    def __enter__(self) -> "Crew":
        warm_up()  # as servers do
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.gate.wait()
        for thread in self.threads:
            thread.join(30)
        gc.unfreeze()

    def burst(self, attempts: Sequence[Attempt]) -> Tally:
        """Run the attempts at once, one per thread, and wait for all."""
        assert len(attempts) <= self.size
        self.attempts = [*attempts, *[None] * (self.size - len(attempts))]
        self.outcomes = [("idle", 0.0, None)] * self.size
        self.gate.wait()
        self.finish.wait()
        done = self.outcomes[: len(attempts)]
        return Tally([one[0] for one in done], [one[1] for one in done], [one[2] for one in done])

    def _work(self, index: int) -> None:
        connection = connections["default"]
        if self.host is not None:
            options = {**connection.settings_dict["OPTIONS"], "host": self.host}
            connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
        try:
            connection.ensure_connection()
            while True:
                self.gate.wait()
                if self.is_over:
                    return
                attempt = self.attempts[index]
                if attempt is not None:
                    self.outcomes[index] = _timed(attempt)
                self.finish.wait()
        except BaseException:
            self.gate.abort()  # the others must not wait for this one
            self.finish.abort()
            raise
        finally:
            connection.close()


class ForkedCrew:
    """A crew on several processes, as a server's workers are: they do not wait for each other's interpreter.

    Attempts and what they return must be picklable; of an error its text alone comes back. Nothing that an attempt
    changes in memory is seen here.
    """

    PROCESSES = 2

    def __init__(self, size: int = SIZE, host: str | None = None) -> None:
        fork = multiprocessing.get_context("fork")
        self.size = size
        self.pipes: list[Connection] = []
        self.processes = []
        for number in range(min(self.PROCESSES, size)):
            ours, theirs = fork.Pipe()
            share = len(range(number, size, self.PROCESSES))
            self.pipes.append(ours)
            self.processes.append(fork.Process(target=_serve, args=(theirs, share, host), daemon=True))

    def __enter__(self) -> "ForkedCrew":
        warm_up()  # as servers do before they fork
        connections.close_all()  # none may be shared with a child
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.processes:
            process.join(30)
            process.kill()
        gc.unfreeze()

    def burst(self, attempts: Sequence[Attempt]) -> Tally:
        """Run the attempts at once, one per thread, and wait for all."""
        assert len(attempts) <= self.size
        for number, pipe in enumerate(self.pipes):
            pipe.send(list(attempts[number :: self.PROCESSES]))
        for pipe in self.pipes:
            _answer(pipe)  # is ready
        for pipe in self.pipes:
            pipe.send("go")
        done: list[Any] = [None] * len(attempts)
        for number, pipe in enumerate(self.pipes):
            done[number :: self.PROCESSES] = _answer(pipe)
        return Tally(*(list(column) for column in zip(*done, strict=True)))


def _answer(pipe: Connection) -> Any:
    if not pipe.poll(PATIENCE):
        raise TimeoutError("a process of the crew does not answer")
    return pipe.recv()


def _serve(pipe: Connection, size: int, host: str | None) -> None:
    with Crew(size, host) as crew:
        while (attempts := pipe.recv()) is not None:
            pipe.send("ready")
            pipe.recv()
            tally = crew.burst(attempts)
            results = [str(one) if isinstance(one, Exception) else one for one in tally.results]
            pipe.send(list(zip(tally.outcomes, tally.seconds, results, strict=True)))


def _timed(attempt: Attempt) -> tuple[str, float, Any]:
    began = time.monotonic()
    try:
        result = attempt()
        outcome = "won"
    except DomainError as error:
        outcome, result = error.code, error
    except Exception as error:  # anything else would be a 5xx: it is counted under its own name
        outcome, result = f"{type(error).__name__}: {error}"[:200], error
    return outcome, time.monotonic() - began, result


@dataclass
class Report:
    """A row of the table that ``make races`` prints.

    ``slowest`` is of all bursts but the ``first``, which goes over connections that nobody has used: PostgreSQL reads
    its catalogs anew in each, and a server's connections are kept.
    """

    name: str
    bursts: int = 0
    attempts: int = 0
    won: int = 0
    refused: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    first: float = 0.0
    seconds: list[float] = field(default_factory=list)
    deadlocks: int = 0

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)

    def add(self, tally: Tally, refusals: Sequence[str] = ("slot_taken",), *, timed: bool = True) -> None:
        """Count a burst. ``timed`` is for what somebody waits for: a sweep over many rows is not."""
        self.bursts += 1
        self.attempts += len(tally.outcomes)
        if self.bursts == 1:
            self.first = max(tally.seconds)
        elif timed:
            self.seconds += tally.seconds
        for outcome, number in tally.counts.items():
            if outcome == "won":
                self.won += number
            elif outcome in refusals:
                self.refused += number
            else:
                self.odd[outcome] += number

    def __str__(self) -> str:
        return (
            f"{self.name:<58} {self.bursts:>5} bursts {self.attempts:>6} tries {self.won:>5} won"
            f" {self.refused:>6} refused {sum(self.odd.values()):>3} other {self.deadlocks:>2} deadlocks;"
            f" p50 {share(self.seconds, 0.5):.2f} s, p99 {share(self.seconds, 0.99):.2f} s, most {self.slowest:.2f} s"
            f" ({sum(one > 1 for one in self.seconds)} over 1 s), in the first burst {self.first:.2f} s"
        )


def share(seconds: Sequence[float], part: float) -> float:
    """Return in how many seconds so large a part of the answers came; 0 for none."""
    return sorted(seconds)[int((len(seconds) - 1) * part)] if seconds else 0.0


def deliver_all() -> None:
    """Do what workers do meanwhile: in a race of minutes nobody's mail may wait for longer than is allowed."""
    while outbox.deliver_due(now=timezone.now(), seconds=60).sent:
        pass


def broken_invariants() -> list[str]:
    return [str(finding) for finding in invariants.check() if not finding.is_ok]
