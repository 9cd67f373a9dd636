"""Seconds of a file by stage, and what plugins measure of their own work."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest

from digitalmodel_optimizer.plugin import Stage, performance_timer
from digitalmodel_optimizer.plugin.timing import StageClock, current_clock, stage


class Clocks:
    """Wall and CPU clocks that stand until somebody works or waits."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall = self.cpu = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.wall)
        monkeypatch.setattr(time, "thread_time", lambda: self.cpu)

    def work(self, seconds: float) -> None:
        self.wall += seconds
        self.cpu += seconds

    def wait(self, seconds: float) -> None:
        self.wall += seconds


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    return Clocks(monkeypatch)


def test_each_moment_belongs_to_one_stage(clocks: Clocks) -> None:
    with StageClock() as clock:
        clocks.work(1.0)
        with stage(Stage.LOAD):
            clocks.wait(2.0)
        with stage(Stage.READ):
            clocks.work(0.25)
            with stage(Stage.ENUMERATE):
                clocks.work(0.5)
            clocks.wait(0.25)
        with stage(Stage.WRITE):
            clocks.work(0.125)
    found = clock.timings()
    assert (found.load_s, found.load_cpu_s) == (2.0, 0.0)
    assert (found.read_s, found.read_cpu_s) == (0.5, 0.25)
    assert (found.enumerate_s, found.enumerate_cpu_s) == (0.5, 0.5)
    assert (found.write_s, found.write_cpu_s) == (0.125, 0.125)
    assert (found.engine_s, found.engine_cpu_s) == (1.0, 1.0)
    assert (found.total_s, found.cpu_s) == (4.125, 1.875)


def test_a_stage_that_raises_has_ended(clocks: Clocks) -> None:
    with StageClock() as clock:
        with contextlib.suppress(ZeroDivisionError), stage(Stage.LOAD):
            clocks.work(1.0)
            raise ZeroDivisionError
        clocks.work(2.0)
    assert (clock.timings().load_s, clock.timings().engine_s) == (1.0, 2.0)


def test_a_plugins_timer_adds_up_as_a_block_and_as_a_decorator(clocks: Clocks) -> None:
    @performance_timer("my-log", "parse")
    def parse(depth: int) -> None:
        clocks.work(1.0)
        if depth:
            with performance_timer("my-log", "sort", Stage.WRITE):
                clocks.work(0.5)

    with StageClock() as clock:
        parse(0)
        parse(1)
    assert clock.notes == {"my-log": {"parse_s": 2.5, "sort_s": 0.5}}
    assert clock.timings().write_s == 0.5
    assert clock.with_notes({"my-log": {"files": 1.0}, "gc": {"runs": 2.0}}) == {
        "my-log": {"parse_s": 2.5, "sort_s": 0.5, "files": 1.0},
        "gc": {"runs": 2.0},
    }


def test_a_decorated_function_may_call_itself(clocks: Clocks) -> None:
    @performance_timer("p", "work")
    def work(depth: int) -> None:
        clocks.work(1.0)
        if depth:
            work(depth - 1)

    with StageClock() as clock:
        work(2)
    assert clock.notes["p"]["work_s"] == 6.0, "each call from its beginning to its end"


def test_outside_of_a_file_nothing_is_measured() -> None:
    with performance_timer("p", "work", Stage.LOAD), stage(Stage.READ):
        pass
    assert current_clock().notes == {}


def test_threads_have_clocks_of_their_own() -> None:
    seen: list[bool] = []
    with StageClock() as clock:
        thread = threading.Thread(target=lambda: seen.append(current_clock() is clock))
        thread.start()
        thread.join()
        assert current_clock() is clock
    assert seen == [False]
