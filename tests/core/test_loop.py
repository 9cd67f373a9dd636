"""The one loop, on a made-up executor and clock."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.batch.loop import (
    ADJUST_S,
    EARLY_LOOKS,
    BatchLoop,
    Surroundings,
)
from digitalmodel_optimizer.batch.resources import ProcessUsage
from digitalmodel_optimizer.batch.scheduler import MAX_RETRIES, Scheduler
from digitalmodel_optimizer.batch.tracker import MAX_UPCOMING, Tracker
from digitalmodel_optimizer.plugin import (
    Adjustment,
    Allocation,
    Assignment,
    ErrorKind,
    Executor,
    FileError,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    PluginError,
    Progress,
    RetryAction,
    Schedule,
    Settings,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager

Usages = Mapping[int, ProcessUsage]

MACHINE = Machine(4, 8_000.0, 8_000.0, "linux")
CRASH = FileError(ErrorKind.CRASHED, "the worker process was lost")


class ScriptedExecutor(Executor):
    """Each file takes a second of a clock of its own; ``outcome`` says what comes of it."""

    name = "scripted"

    def __init__(self, outcome: Callable[[FileTask], Any] | None = None) -> None:
        self.now_s = 0.0
        self.submitted: list[FileTask] = []
        self.sizes: list[int] = []
        self._running: deque[tuple[float, FileTask]] = deque()
        self._outcome = outcome or (lambda _task: None)

    def submit(self, task: FileTask) -> None:
        self.submitted.append(task)
        self._running.append((self.now_s + 1.0, task))

    def wait(self, timeout_s: float) -> Sequence[FileResult]:
        if not self._running or self._running[0][0] > self.now_s + timeout_s:
            self.now_s += timeout_s
            return []
        self.now_s, task = self._running.popleft()
        outcome = self._outcome(task)
        if outcome is None or isinstance(outcome, FileError):
            return [FileResult(task.file, error=outcome, attempt=task.attempt)]
        return [outcome]

    def resize(self, workers: int) -> None:
        self.sizes.append(workers)

    def usage(self, _pids: Sequence[int] | None, *, unique: bool = False) -> Usages:
        """One core is busy all the time."""
        return {os.getpid(): ProcessUsage(10.0, self.now_s, unique_mb=4.0 if unique else None)}


class Run:
    def __init__(
        self, executor: ScriptedExecutor, files: int, *plugins: Any, workers: int = 2
    ) -> None:
        self.executor = executor
        self.manager = Manager()
        self.manager.register(CoreDefaults(), name="core")
        for number, plugin in enumerate(plugins):
            self.manager.register(plugin, name=f"plugin-{number}")
        found = tuple(SimulationFile(n, f"case_{n}.sim", 1_000_000) for n in range(files))
        group = Assignment(Group("all", found), Allocation(workers, 1, "asked", max_workers=8))
        schedule = Schedule((group,), tuple(FileTask(file, 1) for file in found), Measured())
        self.scheduler = Scheduler()
        self.scheduler.plan(schedule)
        self.scheduler.add(schedule.order)
        self.results: list[FileResult] = []
        self.processed: list[FileResult] = []
        self.decisions: list[str] = []
        tracker = Tracker(found, lambda: executor.now_s, lambda: 1_000.0)
        tracker.limit = lambda: self.scheduler.limit
        self.loop = BatchLoop(
            self.scheduler,
            executor,
            self.manager,
            Settings(enabled=True),
            tracker,
            Surroundings(lambda: executor.now_s, executor.usage, lambda: MACHINE),
            state_for=lambda file: f"state of {file.stem}",
            processed=self.processed.append,
            take=self.take,
            decide=self.decisions.append,
        )
        self.loop.run()

    def take(self, result: FileResult) -> FileResult:
        self.results.append(result)
        return result


def test_every_file_runs_once_with_its_state() -> None:
    run = Run(ScriptedExecutor(), 5)
    assert [result.file.index for result in run.results] == [0, 1, 2, 3, 4]
    assert [task.state for task in run.executor.submitted][:2] == [
        "state of case_0",
        "state of case_1",
    ]
    assert run.executor.now_s == 3.0, "two at a time"


def test_an_endless_retry_is_bounded_and_its_plugin_named() -> None:
    class Stubborn:
        @hookimpl
        def optimizer_file_failed(self) -> RetryAction:
            return RetryAction("retry")

    run = Run(ScriptedExecutor(lambda task: CRASH if task.file.index == 1 else None), 3, Stubborn())
    assert len(run.results) == 3
    tries = [task for task in run.executor.submitted if task.file.index == 1]
    assert len(tries) == MAX_RETRIES + 1
    assert [task.attempt for task in tries] == list(range(1, MAX_RETRIES + 2))
    assert any("asks for one more" in text for text in run.decisions)


def test_a_file_that_lost_its_worker_is_isolated_from_then_on() -> None:
    class Once:
        @hookimpl
        def optimizer_file_failed(self, attempt: int) -> RetryAction | None:
            return RetryAction("alone", reason="once more") if attempt == 1 else None

    run = Run(ScriptedExecutor(lambda task: CRASH if task.attempt == 1 else None), 1, Once())
    assert [task.isolated for task in run.executor.submitted] == [False, True]
    assert run.results[0].error is None


def test_a_plugin_can_stop_the_batch_with_one_verdict() -> None:
    class NoLicence:
        @hookimpl
        def optimizer_file_failed(self) -> RetryAction:
            return RetryAction("stop", reason="no licence for anybody")

    run = Run(ScriptedExecutor(lambda _: CRASH), 50, NoLicence())
    assert str(run.loop.stopped_by) == "no licence for anybody"
    assert len(run.executor.submitted) <= 3
    assert len(run.decisions) == 1


@pytest.mark.parametrize(
    "outcome",
    [
        "a text",
        FileResult(SimulationFile(77, "other.sim", 1)),
        {"file": 1},
    ],
)
def test_an_executor_that_returns_something_else_is_named(outcome: Any) -> None:
    with pytest.raises(PluginError, match=r"optimizer_executor returned .*, not the FileResult"):
        Run(ScriptedExecutor(lambda _task: outcome), 2)


@pytest.mark.parametrize("hook", ["optimizer_progress", "optimizer_file_finished"])
def test_a_plugin_that_raises_when_it_is_told_does_not_stop_the_batch(hook: str) -> None:
    calls: list[int] = []

    @hookimpl(specname=hook)
    def told(settings: Settings) -> None:
        calls.append(1)
        raise ValueError("cannot listen")

    class Broken:
        listens = staticmethod(told)

    heard: list[Any] = []

    @hookimpl(specname=hook)
    def others(settings: Settings) -> None:
        heard.append(settings)

    class Sound:
        listens = staticmethod(others)

    run = Run(ScriptedExecutor(), 4, Sound(), Broken())
    assert len(run.results) == 4
    assert len(calls) == 1, "it is not told again"
    assert len(heard) > 1, "others are"
    (fault,) = run.manager.faults
    assert f"plugin-1: {hook} raised ValueError: cannot listen" in str(fault)


def test_every_file_is_told_when_it_has_finished() -> None:
    told: list[tuple[int, bool]] = []

    class Listener:
        @hookimpl
        def optimizer_file_finished(self, result: FileResult) -> None:
            told.append((result.file.index, result.error is None))

    Run(ScriptedExecutor(lambda task: CRASH if task.file.index == 2 else None), 4, Listener())
    assert sorted(told) == [(0, True), (1, True), (2, False), (3, True)]


def test_plugins_adjust_the_workers_twice_a_second() -> None:
    asked: list[Progress] = []

    class Raise:
        @hookimpl
        def optimizer_adjust(self, progress: Progress) -> Adjustment:
            asked.append(progress)
            return Adjustment(4, "idle cores")

    run = Run(ScriptedExecutor(), 40, Raise())
    assert run.executor.sizes == [4]
    assert run.decisions == ["workers 2 -> 4: idle cores"]
    moments = [progress.elapsed_s for progress in asked]
    steady = [moment for moment in moments if moment >= EARLY_LOOKS * ADJUST_S]
    assert len(steady) > 2
    assert all(later - sooner >= ADJUST_S for sooner, later in itertools.pairwise(steady))
    assert asked[-1].busy_cores == pytest.approx(1.0)
    assert asked[-1].observed_files == 4


def test_workers_that_are_being_started_do_not_count_as_busy_with_files() -> None:
    asked: list[Progress] = []

    class Watch:
        @hookimpl
        def optimizer_adjust(self, progress: Progress) -> None:
            asked.append(progress)

    class Starting(ScriptedExecutor):
        """Two processes; that of one file computes half of the time, the other one still starts."""

        pids = (11, 12)
        files_by_pid = {11: 1}  # noqa: RUF012 - as the property has it

        def usage(self, _pids: Sequence[int] | None, *, unique: bool = False) -> Usages:
            shares = {11: 0.5, 12: 1.0}
            return {pid: ProcessUsage(5.0, share * self.now_s) for pid, share in shares.items()}

    Run(Starting(), 10, Watch())
    known = [progress for progress in asked if progress.busy_cores is not None]
    assert known
    assert {progress.observed_files for progress in known} == {1}
    assert all(progress.busy_cores == pytest.approx(0.5) for progress in known)


def test_a_plugin_that_fails_to_adjust_leaves_it_to_others() -> None:
    class Sound:
        @hookimpl
        def optimizer_adjust(self) -> Adjustment:
            return Adjustment(3, "sound")

    class Broken:
        @hookimpl
        def optimizer_adjust(self) -> Adjustment:
            raise ZeroDivisionError

    run = Run(ScriptedExecutor(), 20, Sound(), Broken())
    assert len(run.results) == 20
    assert run.manager.faults


def test_telling_of_progress_does_not_grow_with_the_batch() -> None:
    seen: list[Progress] = []

    class Listener:
        @hookimpl
        def optimizer_progress(self, progress: Progress) -> None:
            seen.append(progress)

    Run(ScriptedExecutor(), 1000, Listener(), workers=10)
    assert max(len(progress.upcoming) for progress in seen) == MAX_UPCOMING
    assert seen[0].files_waiting == 990
    assert (seen[-1].files_done, seen[-1].files_total) == (1000, 1000)


def test_the_number_of_workers_waits_for_the_first_file() -> None:
    executor = ScriptedExecutor()
    planned: list[float] = []

    run = Run(executor, 0)
    run.scheduler.add([FileTask(SimulationFile(n, f"{n}.sim", 1), 1) for n in range(6)])
    measured: list[int] = []

    def plan() -> None:
        planned.append(executor.now_s)
        measured.append(len(run.processed))

    run.loop.calibrate(plan, until_s=10.0)
    run.scheduler.set_limit(1)
    run.loop.run()
    assert planned == [1.0]
    assert measured == [1], "the plan is made with what the first file has cost"
    slow = ScriptedExecutor()
    run = Run(slow, 0)
    run.scheduler.add([FileTask(SimulationFile(0, "0.sim", 1), 1)])
    run.loop.calibrate(lambda: planned.append(slow.now_s), until_s=0.3)
    run.loop.run()
    assert planned[1] == pytest.approx(0.3, abs=0.01)
