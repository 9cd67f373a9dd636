"""Worker processes that are started before there is a batch: how many, and what becomes of them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import (
    Allocation,
    Assignment,
    Executor,
    FileResult,
    FileTask,
    Group,
    Machine,
    Measured,
    Schedule,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor import early
from digitalmodel_optimizer_plugins.hybrid_executor.early import early_processes, how_many

MACHINE = Machine(64, 256_000.0, 200_000.0, "win32")
pytestmark = pytest.mark.filterwarnings("error")


def files(count: int, size_mb: float) -> tuple[SimulationFile, ...]:
    return tuple(SimulationFile(n, f"{n}.sim", int(size_mb * 1e6)) for n in range(count))


@pytest.mark.parametrize(
    ("count", "size_mb", "machine", "ceiling", "wish", "expected"),
    [
        (100, 6.7, MACHINE, None, "auto", 8),
        (100, 6.7, MACHINE, 3, "auto", 3),
        (5, 574.0, MACHINE, None, "auto", 5),
        (100, 6.7, Machine(2, 8_000.0, 6_000.0, "linux"), None, "auto", 2),
        (100, 6.7, Machine(1, 8_000.0, 6_000.0, "linux"), None, "auto", 1),
        (100, 6.7, Machine(8, 8_000.0, 3_500.0, "linux"), None, "auto", 3),
        (100, 6.7, Machine(8, 2_000.0, 900.0, "linux"), None, "auto", 1),
        (3, 500.0, MACHINE, None, "auto", 3),
        (2, 500.0, MACHINE, None, "auto", 1),
        (40, 1.0, MACHINE, None, "auto", 1),
        (0, 1.0, MACHINE, None, "auto", 0),
        (3, 1.0, MACHINE, None, 2, 2),
        (100, 6.7, MACHINE, None, 0, 0),
    ],
)
def test_the_number_follows_what_is_to_be_expected(
    count: int, size_mb: float, machine: Machine, ceiling: int | None, wish: Any, expected: int
) -> None:
    """At least one, since no file runs in the host's own process."""
    assert how_many(files(count, size_mb), machine, ceiling, wish) == expected


def children() -> set[psutil.Process]:
    return {
        child
        for child in psutil.Process().children(recursive=True)
        if "resource_tracker" not in " ".join(child.cmdline())
    }


@pytest.fixture
def ready() -> Iterator[list[psutil.Process]]:
    """Two workers that have been started early."""
    before = children()
    count = hybrid_executor.optimizer_prewarm(
        files=files(3, 1.0),
        prepare=os.getpid,
        machine=MACHINE,
        settings=settings_of(hybrid_executor, early_workers=2),
    )
    assert count == 2
    started = list(children() - before)
    assert len(started) == 2
    yield started
    early_processes.end()


@dataclass(frozen=True)
class Quick:
    """A ``process_file`` whose files do nothing."""

    def __call__(self, task: FileTask) -> FileResult:
        return FileResult(task.file, worker=os.getpid())

    def warm_up(self) -> None: ...


def executor_for(workers: int, **options: Any) -> Executor:
    listed = files(4, 1.0)
    schedule = Schedule(
        (Assignment(Group("g", listed), Allocation(workers, 1, "so many")),),
        tuple(FileTask(file, 1) for file in listed),
        Measured(),
    )
    settings = settings_of(hybrid_executor, **options)
    return hybrid_executor.optimizer_executor(schedule, Quick(), settings)


def run(workers: int, **options: Any) -> tuple[set[int], str]:
    """The processes that four files ran in, and why they did."""
    executor = executor_for(workers, **options)
    try:
        executor.resize(workers)
        waiting, results = list(files(4, 1.0)), []
        running = 0
        while len(results) < 4:
            while waiting and running < workers:
                executor.submit(FileTask(waiting.pop(0), 1))
                running += 1
            finished = executor.wait(20.0)
            running -= len(finished)
            results += finished
    finally:
        executor.close(kill=True)
    assert [result.error for result in results] == [None] * 4
    return {result.worker for result in results}, executor.reason


def ended(process: psutil.Process) -> bool:
    """Without taking its exit status, which is its parent's to take."""
    deadline_s = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.01)
    return True


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


def test_a_batch_takes_the_workers_that_wait(ready: list[psutil.Process]) -> None:
    used, why = run(2)
    assert used <= {process.pid for process in ready}
    assert "2 started while the host was being imported" in why
    assert gone(ready)


def test_workers_that_wait_count_as_ready_until_one_is_taken_for_a_batch(
    ready: list[psutil.Process],
) -> None:
    executor = executor_for(2)
    try:
        assert executor.ready_workers == 2
        assert set(executor.pids) == {process.pid for process in ready}
        assert executor.files_by_pid == {}
    finally:
        executor.close(kill=True)
    assert gone(ready)


def test_those_that_a_batch_does_not_want_are_ended(ready: list[psutil.Process]) -> None:
    executor = executor_for(1)
    try:
        assert len(executor.pids) == 1
        assert gone([process for process in ready if process.pid not in executor.pids])
    finally:
        executor.close(kill=True)
    assert gone(ready)


@pytest.mark.parametrize("backend", ["serial", "threading"])
def test_a_batch_in_the_hosts_own_process_ends_them(
    ready: list[psutil.Process], backend: str
) -> None:
    used, why = run(2, backend=backend)
    assert used == {os.getpid()}
    assert "started while" not in why
    assert gone(ready)


def test_one_that_has_died_meanwhile_is_passed_over(ready: list[psutil.Process]) -> None:
    ready[0].kill()
    assert ended(ready[0])
    used, why = run(2)
    assert ready[0].pid not in used
    assert "1 started while" in why
    assert gone(ready)


def test_a_batch_that_never_came_to_its_files_ends_them(ready: list[psutil.Process]) -> None:
    """All of them were finished by an earlier run."""
    hybrid_executor.optimizer_batch_finished()
    assert gone(ready)


@pytest.mark.parametrize(
    "values", [{"backend": "serial"}, {"backend": "hybrid"}, {"use_processes": False}]
)
def test_none_are_started_where_they_would_not_be_taken(values: dict[str, Any]) -> None:
    before = children()
    answer = hybrid_executor.optimizer_prewarm(
        files=files(100, 10.0),
        prepare=os.getpid,
        machine=MACHINE,
        settings=settings_of(hybrid_executor, **values),
    )
    assert answer is None
    assert children() == before


def test_where_a_process_cannot_be_had_the_batch_is_left_to_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: Any) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(early, "WorkerProcess", refused)
    assert early_processes.start(os.getpid, 2) == 0
