"""Keep a few programs running side by side until we are told to stop."""

import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from petplace.embedded.process import Child, spawn

# A program that ends is started again after 1, 2, 4 ... seconds; one that ran for a minute starts over at one.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
STEADY_AFTER = 60.0

IMPORTANT = re.compile(r"\b(WARNING|ERROR|CRITICAL)\b|^Traceback|^\w+(\.\w+)*(Error|Exception): ")
COLORS = {"web": "36", "worker": "35", "beat": "34", "postgres": "33", "valkey": "31"}


@dataclass(frozen=True)
class Program:
    """One long-running command and how long it may take to end."""

    name: str
    argv: tuple[str, ...]
    stop_timeout: float = 10.0


class Supervisor:
    """Start programs, restart those that end, show what matters of their logs, stop them all."""

    def __init__(
        self,
        logs: Path,
        environment: Mapping[str, str],
        *,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.logs = logs
        self.environment = dict(environment)
        self.report = report
        self.clock = clock
        self.programs: dict[str, Program] = {}
        self.children: dict[str, Child] = {}
        self._started: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}
        self._tails: dict[str, LogTail] = {}

    def start(self, program: Program) -> None:
        self.programs[program.name] = program
        log = self.logs / f"{program.name}.log"
        if program.name not in self._tails:
            self._tails[program.name] = LogTail(log)
        self.children[program.name] = spawn(program.name, program.argv, log=log, env=self.environment)
        self._started[program.name] = self.clock()
        self._due.pop(program.name, None)

    def tick(self) -> None:
        """Look once after everything. Called several times a second."""
        for name, program in self.programs.items():
            if self.children[name].is_running():
                continue
            now = self.clock()
            if name not in self._due:
                pause = self._pauses.get(name, FIRST_PAUSE)
                if now - self._started[name] > STEADY_AFTER:
                    pause = FIRST_PAUSE
                self._due[name] = now + pause
                self._pauses[name] = min(pause * 2, LONGEST_PAUSE)
                code = self.children[name].process.returncode
                self.report(f"{name} ended ({_describe(code)}); starting it again in {pause:.0f} s")
            elif now >= self._due[name]:
                self.start(program)
        self.show_logs()

    def show_logs(self) -> None:
        for name, log_tail in self._tails.items():
            for line in log_tail.read():
                if IMPORTANT.search(line):
                    self.report(f"{colored(name)} {line}")

    def stop(self) -> list[str]:
        """Ask all to end together, wait for each, kill what does not. Return the names of those that were killed."""
        for child in self.children.values():
            child.send(child.stop_signal)
        killed = [name for name, child in self.children.items() if not child.stop(self.programs[name].stop_timeout)]
        self.children.clear()
        self.programs.clear()
        return killed


class LogTail:
    """Read what is added to a file, whole lines only, also after it was set aside for a new one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = path.stat().st_size if path.exists() else 0

    def read(self) -> list[str]:
        if not self.path.exists():
            return []
        if self.path.stat().st_size < self._position:
            self._position = 0
        with self.path.open("rb") as file:
            file.seek(self._position)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode(errors="replace").splitlines()


def colored(name: str) -> str:
    if not sys.stdout.isatty():
        return f"[{name}]"
    return f"\x1b[{COLORS.get(name, '37')}m[{name}]\x1b[0m"


def _describe(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
