"""More workers than the size class begins with: only on evidence, never beyond a budget."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.batch.admission import Admission
from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Batch,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Progress,
    Schedule,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins import thread_allocation as plugin
from digitalmodel_optimizer_plugins.thread_allocation.scale_up import Raiser

BIG = Machine(64, 256_000, 230_000, "win32")
RESERVE_MB = 12_800.0


def files_of(count: int, size_mb: float) -> tuple[SimulationFile, ...]:
    return tuple(SimulationFile(n, f"case_{n}.sim", int(size_mb * 1e6)) for n in range(count))


def progress(limit: int, **changes: Any) -> Progress:
    files = files_of(200, 1500)
    running = changes.pop("running", limit)
    upcoming = changes.pop("upcoming", 100)
    shape: dict[str, Any] = {
        "files_total": 200,
        "files_done": 0,
        "files_failed": 0,
        "size_total_mb": 300_000.0,
        "size_done_mb": 0.0,
        "elapsed_s": 2.0,
        "memory_available_mb": 200_000.0,
        "busy_cores": float(running),
    }
    return Progress(
        **{**shape, **changes},
        running=files[:running],
        upcoming=files[running : running + upcoming],
        workers_limit=limit,
    )


def advised(raiser: Raiser, now: Progress, available_mb: float = 200_000.0) -> int | None:
    answer = raiser.advise(now, available_mb, RESERVE_MB)
    return None if answer is None else answer.workers


def test_workers_that_keep_their_cores_busy_are_raised_to_what_the_budgets_allow() -> None:
    raiser = Raiser(most=46)
    found = [
        advised(raiser, progress(limit, elapsed_s=elapsed_s))
        for elapsed_s, limit in ((0.4, 10), (1.0, 10), (1.4, 40), (1.6, 40), (6.0, 46))
    ]
    assert found == [None, 40, None, 46, None], "a step waits for the workers of the last one"


def test_no_more_are_started_than_the_work_that_is_left_will_pay() -> None:
    done = {"files_done": 100, "size_done_mb": 150_000.0, "elapsed_s": 20.0}
    even = tuple(20.0 - n / 15 for n in reversed(range(100)))  # 15 a second: 60 files are 4 s
    left = progress(10, upcoming=60, **done, finished_s=even)
    assert advised(Raiser(most=46, start_s=1.5), left) == 26, "each has a start's time to do"
    assert advised(Raiser(most=46, start_s=4.5), left) is None


@pytest.mark.parametrize(
    ("changes", "available_mb"),
    [
        ({"busy_cores": 3.0}, 200_000.0),
        ({"busy_cores": None}, 200_000.0),
        ({"running": 9, "busy_cores": 10.0}, 200_000.0),
        ({"upcoming": 0}, 200_000.0),
        ({}, 13_000.0),
        ({"upcoming": 5, "files_done": 185, "finished_s": (89.5,) * 185, "elapsed_s": 90.0}, 2e5),
    ],
    ids=["wait for the disk", "not known", "not all in use", "no more files", "memory", "the end"],
)
def test_nothing_is_raised_without_a_reason(changes: dict[str, Any], available_mb: float) -> None:
    assert advised(Raiser(most=46), progress(10, **changes), available_mb) is None


def test_what_somebody_lowered_stays_low() -> None:
    raiser = Raiser(most=46)
    assert advised(raiser, progress(10)) == 40
    assert advised(raiser, progress(9, elapsed_s=5.0)) is None, "a licence was refused"
    assert advised(raiser, progress(9, elapsed_s=9.0)) is None


def allocate(
    size_mb: float, files: int = 200, machine: Machine = BIG, **options: Any
) -> Allocation:
    defaults = {option.name: option.default for option in plugin.OPTIONS}
    ceiling = options.pop("ceiling", None)
    measured = options.pop("measured", Measured())
    defaults |= options
    settings = Settings(True, ceiling, plugin_options={plugin.NAME: defaults})
    everything = files_of(files, size_mb)
    plugin.optimizer_batch_started(Batch("b", everything, "results"), settings)
    group = Group("g", everything)
    return plugin.optimizer_allocate(group, everything, machine, measured, settings)


def test_where_the_size_class_decides_the_budgets_say_how_far_it_may_be_raised() -> None:
    allocation = allocate(1500)
    assert (allocation.workers, allocation.most_workers) == (10, 46)
    assert "up to 46 while they keep their cores busy; 1 native thread each" in allocation.reason
    assert plugin._batch.raiser.most == 46


@pytest.mark.parametrize(
    "options", [{"ceiling": 10}, {"licences": 10}, {"raise_workers": False}, {"files": 10}]
)
def test_a_bound_that_is_not_the_size_class_is_never_raised(options: dict[str, Any]) -> None:
    allocation = allocate(1500, **options)
    assert (allocation.workers, allocation.most_workers) == (10, 10)
    assert "while they keep" not in allocation.reason


def test_work_that_is_only_assumed_to_be_small_may_turn_out_larger() -> None:
    allocation = allocate(2)
    assert 1 < allocation.workers < 25
    assert "start" in allocation.reason
    assert allocation.most_workers == 64


def test_work_that_was_measured_to_be_small_is_not_raised() -> None:
    allocation = allocate(10, measured=Measured(1, 0.01, 10.0))
    assert 1 < allocation.workers == allocation.most_workers < 25


def test_a_single_worker_is_not_raised() -> None:
    assert allocate(1, files=5).most_workers == 1


def test_before_the_first_file_is_done_the_waves_to_come_are_the_reason() -> None:
    def raised(elapsed_s: float) -> int | None:
        now = progress(10, upcoming=20, elapsed_s=elapsed_s)
        return advised(Raiser(most=46, start_s=4.0), now)

    assert raised(3.9) is None
    assert raised(4.0) == 30, "a worker for each"
    assert raised(6.0) == 30


def test_files_that_end_quickly_are_judged_by_the_last_second() -> None:
    done = {"files_done": 100, "size_done_mb": 150_000.0, "elapsed_s": 4.0}
    quick = tuple(3.0 + n / 100 for n in range(1, 101))
    assert advised(Raiser(46, start_s=1.5), progress(10, **done, finished_s=quick)) is None
    slow = tuple(n / 25 for n in range(1, 101))
    assert advised(Raiser(46, start_s=1.5), progress(10, **done, finished_s=slow)) == 26
    assert advised(Raiser(46, start_s=1.5), progress(10, **done, finished_s=slow[:-20])) == 40


def test_none_is_started_that_would_come_when_all_is_done() -> None:
    """Of a batch that has run for less than the time over which rates are taken, too."""
    done = {"files_done": 30, "size_done_mb": 45_000.0, "elapsed_s": 0.6}
    even = tuple(0.02 * n for n in range(1, 31))
    assert advised(Raiser(46), progress(10, upcoming=24, **done, finished_s=even)) is None
    assert advised(Raiser(46), progress(10, upcoming=30, **done, finished_s=even)) == 12


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
    most = found.most_workers
    assert found.workers <= most <= min(cpus, files, ceiling or cpus, licences or cpus)
    assert most * found.native_threads <= cpus
    in_flight_mb = most * (found.memory_factor * files_of(1, size_mb)[0].size_mb + 200.0)
    assert most == 1 or in_flight_mb <= 0.8 * machine.memory_available_mb * (1 + 1e-9)


class RaisingControl:
    """Admits files as the core does, and raises the limit while the second file runs."""

    stopping = False

    def __init__(self, schedule: Schedule) -> None:
        self._admission = Admission(schedule.workers, None)
        self._lock = threading.Lock()
        self._inside, self.at_once = 0, []

    def run(self, task: FileTask, run_once: Any) -> FileResult:
        assert self._admission.enter(1.0)
        with self._lock:
            self._inside += 1
            self.at_once.append(self._inside)
        if task.file.index == 1:
            self._admission.set_limit(3)
        result: FileResult = run_once(task)
        with self._lock:
            self._inside -= 1
        self._admission.leave(1.0)
        return result

    def decide(self, text: str) -> None: ...

    def chose_backend(self, name: str) -> None: ...


def sleeps(task: FileTask) -> FileResult:
    time.sleep(0.2)
    return FileResult(task.file)


def test_an_executor_follows_a_raised_limit() -> None:
    files = files_of(8, 10)
    allocation = Allocation(1, 1, "one to begin with", most_workers=3)
    schedule = Schedule(
        (Assignment(Group("g", files), allocation),),
        tuple(FileTask(file, 1) for file in files),
        Measured(),
    )
    control = RaisingControl(schedule)
    options = {"hybrid-executor": {"backend": "threading"}}
    settings = Settings(True, use_processes=False, plugin_options=options)
    results = list(hybrid_executor.optimizer_execute(schedule, sleeps, control, settings))
    assert len(results) == 8
    assert control.at_once[:2] == [1, 1], "one at a time before it was raised"
    assert max(control.at_once) == 3
