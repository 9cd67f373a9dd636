"""How far workers may be raised, and that the loop goes no further."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_settings import settings_of

from digitalmodel_optimizer.batch.loop import BatchLoop, Surroundings
from digitalmodel_optimizer.batch.scheduler import Scheduler
from digitalmodel_optimizer.batch.tracker import Tracker
from digitalmodel_optimizer.plugin import (
    Adjustment,
    Allocation,
    Assignment,
    Batch,
    Executor,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Schedule,
    Settings,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import Manager
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins import thread_allocation as plugin

BIG = Machine(64, 256_000, 230_000, "win32")
RESERVE_MB = 12_800.0


def files_of(count: int, size_mb: float) -> tuple[SimulationFile, ...]:
    return tuple(SimulationFile(n, f"case_{n}.sim", int(size_mb * 1e6)) for n in range(count))


def allocate(
    size_mb: float, files: int = 200, machine: Machine = BIG, **options: Any
) -> Allocation:
    measured = options.pop("measured", Measured())
    settings = settings_of(plugin, **options)
    everything = files_of(files, size_mb)
    plugin.optimizer_batch_started(Batch("b", everything, "results"), settings)
    group = Group("g", everything)
    return plugin.optimizer_allocate(group, everything, machine, measured, settings)


def test_where_the_size_class_decides_the_budgets_say_how_far_it_may_be_raised() -> None:
    allocation = allocate(1500)
    assert (allocation.workers, allocation.max_workers) == (10, 46)
    assert "up to 46 while they keep their cores busy; 1 native thread each" in allocation.reason
    assert plugin._batch.raiser.max_workers == 46


@pytest.mark.parametrize(
    "options", [{"ceiling": 10}, {"licences": 10}, {"raise_workers": False}, {"files": 10}]
)
def test_a_bound_that_is_not_the_size_class_is_never_raised(options: dict[str, Any]) -> None:
    allocation = allocate(1500, **options)
    assert (allocation.workers, allocation.max_workers) == (10, 10)
    assert "while they keep" not in allocation.reason


def test_work_that_is_only_assumed_to_be_small_may_turn_out_larger() -> None:
    allocation = allocate(0.5)
    assert 1 < allocation.workers < 25
    assert "start" in allocation.reason
    assert allocation.max_workers == 64


def test_work_that_was_measured_to_be_small_is_not_raised() -> None:
    allocation = allocate(10, measured=Measured(1, 0.01, 10.0))
    assert 1 < allocation.workers == allocation.max_workers < 25


def test_a_single_worker_is_raised_only_where_its_work_is_assumed() -> None:
    measured = Measured(files=1, seconds=0.04, size_mb=1, ready_workers=1)
    assert allocate(1, files=5, measured=measured).max_workers == 1
    assumed = allocate(1, files=5, measured=Measured(ready_workers=1))
    assert (assumed.workers, assumed.max_workers) == (1, 5)
    assert "up to 5 while they keep their cores busy" in assumed.reason


@given(
    st.floats(1, 5000),
    st.integers(1, 400),
    st.integers(1, 128),
    st.floats(1_000, 500_000),
    st.none() | st.integers(1, 100),
    st.none() | st.integers(1, 100),
)
def test_raised_workers_keep_every_budget(
    size_mb: float,
    files: int,
    cpus: int,
    memory_mb: float,
    ceiling: int | None,
    licences: int | None,
) -> None:
    machine = Machine(cpus, memory_mb, 0.9 * memory_mb, "linux")
    found = allocate(size_mb, files, machine, ceiling=ceiling, licences=licences)
    most = found.max_workers
    assert found.workers <= most <= min(cpus, files, ceiling or cpus, licences or cpus)
    assert most * found.native_threads <= cpus
    in_flight_mb = most * (found.memory_factor * files_of(1, size_mb)[0].size_mb + 200.0)
    assert most == 1 or in_flight_mb <= 0.8 * machine.memory_available_mb * (1 + 1e-9)


class Occupied(Executor):
    """Ends a file once nothing more starts; notes how many it had at a time, and each resize."""

    def __init__(self) -> None:
        self.inside: list[FileTask] = []
        self.at_once: list[int] = []
        self.resized: list[int] = []

    def submit(self, task: FileTask) -> None:
        self.inside.append(task)
        self.at_once.append(len(self.inside))

    def wait(self, timeout_s: float) -> list[FileResult]:
        return [FileResult(self.inside.pop(0).file)]

    def resize(self, workers: int) -> None:
        self.resized.append(workers)


class Asking:
    """Raises the workers to ``to``, whatever the schedule allows."""

    def __init__(self, to: int) -> None:
        self.to = to

    @hookimpl
    def optimizer_adjust(self) -> Adjustment:
        return Adjustment(self.to, "because")


@pytest.mark.parametrize(("to", "expected"), [(2, 2), (3, 3), (99, 3)])
def test_a_raised_limit_is_followed_as_far_as_the_schedule_allows(to: int, expected: int) -> None:
    files = files_of(8, 10)
    allocation = Allocation(1, 1, "one to begin with", max_workers=3)
    tasks = tuple(FileTask(file, 1) for file in files)
    schedule = Schedule((Assignment(Group("g", files), allocation),), tasks, Measured())
    manager = Manager()
    manager.register(Asking(to))
    now_s = iter(range(1_000))

    def clock() -> float:
        return next(now_s) / 4

    scheduler, executor, decisions = Scheduler(), Occupied(), list[str]()
    tracker = Tracker(files, clock, lambda: 1e6)
    loop = BatchLoop(
        scheduler,
        executor,
        manager,
        Settings(),
        tracker,
        Surroundings(clock, lambda _, **__: {}, lambda: BIG),
        state_for=lambda _: None,
        processed=lambda _: None,
        take=lambda result: result,
        decide=decisions.append,
    )
    scheduler.plan(schedule)
    scheduler.add(tasks)
    loop.run()
    assert len(executor.at_once) == 8
    assert executor.at_once[0] == 1, "one at a time before it was raised"
    assert max(executor.at_once) == expected
    assert executor.resized == [expected], "told once"
    assert decisions == [f"workers 1 -> {expected}: because"]


def test_threads_of_the_hosts_process_are_as_many_as_the_limit_may_become() -> None:
    files = files_of(3, 10)
    allocation = Allocation(1, 1, "one to begin with", max_workers=3)
    tasks = tuple(FileTask(file, 1) for file in files)
    schedule = Schedule((Assignment(Group("g", files), allocation),), tasks, Measured())
    together = threading.Barrier(3, timeout=20)

    def process_file(task: FileTask) -> FileResult:
        together.wait()
        return FileResult(task.file)

    settings = settings_of(hybrid_executor, backend="threading", use_processes=False)
    executor = hybrid_executor.optimizer_executor(schedule, process_file, settings)
    try:
        executor.resize(3)
        for task in tasks:
            executor.submit(task)
        results: list[FileResult] = []
        while len(results) < len(tasks):
            results += executor.wait(20.0)
    finally:
        executor.close(kill=True)
    assert sorted(result.file.index for result in results) == [0, 1, 2]
