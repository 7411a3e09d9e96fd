"""Programs side by side: restarts, their logs on the terminal, their end."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from petplace.embedded.process import wait_until
from petplace.embedded.supervisor import LogTail, Program, Supervisor


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """A supervisor with a clock of our own, and what it said."""

    def __init__(self, logs: Path) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.supervisor = Supervisor(logs, {"PATH": "/usr/bin:/bin"}, report=self.said.append, clock=self.clock)

    def start(self, name: str, code: str, stop_timeout: float = 5.0) -> None:
        self.supervisor.start(Program(name, (sys.executable, "-c", code), stop_timeout))

    def wait_for_end(self, name: str) -> None:
        assert wait_until(lambda: not self.supervisor.children[name].is_running(), 10)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.supervisor.stop()


def test_program_that_ends_is_started_again_ever_more_slowly(stage: Stage) -> None:
    stage.start("web", "raise SystemExit(3)")
    for _ in range(3):
        stage.wait_for_end("web")
        stage.supervisor.tick()
        stage.clock.now += 4.0
        stage.supervisor.tick()

    assert [line for line in stage.said if line.startswith("web ended")] == [
        "web ended (exit code 3); starting it again in 1 s",
        "web ended (exit code 3); starting it again in 2 s",
        "web ended (exit code 3); starting it again in 4 s",
    ]


def test_program_is_not_started_before_its_pause_is_over(stage: Stage) -> None:
    stage.start("web", "raise SystemExit(3)")
    stage.wait_for_end("web")
    first = stage.supervisor.children["web"].pid
    stage.supervisor.tick()
    stage.clock.now += 0.9
    stage.supervisor.tick()
    early = stage.supervisor.children["web"].pid
    stage.clock.now += 0.2
    stage.supervisor.tick()

    assert (early == first, stage.supervisor.children["web"].pid == first) == (True, False)


def test_pause_starts_over_after_a_steady_minute(stage: Stage) -> None:
    stage.start("web", "raise SystemExit(3)")
    stage.wait_for_end("web")
    stage.supervisor.tick()
    stage.clock.now += 2
    stage.supervisor.tick()
    stage.wait_for_end("web")
    stage.clock.now += 61
    stage.supervisor.tick()

    assert stage.said[-1] == "web ended (exit code 3); starting it again in 1 s"


def test_killed_program_is_reported_by_its_signal(stage: Stage) -> None:
    stage.start("worker", "import os; os.kill(os.getpid(), 9)")
    stage.wait_for_end("worker")
    stage.supervisor.tick()

    assert stage.said == ["worker ended (signal SIGKILL); starting it again in 1 s"]


def test_only_important_lines_reach_the_terminal(stage: Stage) -> None:
    stage.start("web", "print('INFO all is well'); print('12:00 ERROR a thing broke'); print('ValueError: why')")
    stage.wait_for_end("web")
    stage.supervisor.show_logs()

    assert stage.said == ["[web] 12:00 ERROR a thing broke", "[web] ValueError: why"]


def test_stop_ends_all_and_names_those_that_had_to_be_killed(stage: Stage) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ERROR on', flush=True); time.sleep(60)"
    stage.start("polite", "import time; time.sleep(60)")
    stage.start("stubborn", stubborn, stop_timeout=0.2)
    children = list(stage.supervisor.children.values())
    assert wait_until(lambda: bool(stage.supervisor.show_logs() or stage.said), 10)

    killed = stage.supervisor.stop()

    assert killed == ["stubborn"]
    assert [child.is_running() for child in children] == [False, False]


def test_log_tail_gives_whole_new_lines_and_follows_a_new_file(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("old\n")
    tail = LogTail(log)
    with log.open("a") as file:
        file.write("one\ntw")
    first = tail.read()
    with log.open("a") as file:
        file.write("o\n")
    second = tail.read()
    log.write_text("x\n")

    assert (first, second, tail.read()) == (["one"], ["two"], ["x"])


def test_log_tail_of_no_file_is_empty(tmp_path: Path) -> None:
    assert LogTail(tmp_path / "none.log").read() == []
