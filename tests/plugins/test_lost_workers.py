"""Worker processes that really crash, hang, grow and start late."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
from executor_workload import Run, Workload, schedule_of, settings_of
from worker_processes import execute, is_zombie, posix, runs, until

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileResult,
)
from digitalmodel_optimizer_plugins.hybrid_executor.processes import Limits, ProcessExecutor

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.usefixtures("nothing_left_behind"),
]


@posix
def test_a_crash_costs_its_file_and_nothing_else(tmp_path: Path) -> None:
    behaviours = {1: "abort", 3: "kill once", 5: "exit"}
    results, _ = execute(Workload(str(tmp_path), behaviours), 8, 2, backend="loky")
    assert {n for n, result in results.items() if result.error} == {1, 5}
    assert results[1].error.kind is ErrorKind.CRASHED
    assert "SIGABRT" in results[1].error.message
    assert "exit code 3" in results[5].error.message
    assert results[3].attempt == 2
    assert [runs(tmp_path, n) for n in range(8)] == [1, 2, 1, 2, 1, 2, 1, 1]


@posix
@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_a_worker_that_dies_while_it_sends_its_result_is_noticed(
    tmp_path: Path, backend: str
) -> None:
    results, _ = execute(Workload(str(tmp_path), {0: "half a result"}), 2, 2, backend=backend)
    assert results[0].error.kind is ErrorKind.CRASHED
    assert "SIGKILL" in results[0].error.message
    assert results[1].error is None


@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_an_answer_that_cannot_be_read_is_told_as_that(tmp_path: Path, backend: str) -> None:
    results, _ = execute(Workload(str(tmp_path), {0: "poison"}), 2, 2, backend=backend)
    assert "poisoned" in results[0].error.message
    assert results[1].error is None


@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_a_hanging_file_is_stopped_with_its_children_and_the_rest_go_on(
    tmp_path: Path, backend: str
) -> None:
    results, _ = execute(
        Workload(str(tmp_path), {0: "hang"}),
        4,
        2,
        backend=backend,
        processes=1,
        threads_inside=2,
        time_limit_s=1.5,
    )
    assert {n for n, result in results.items() if result.error} == {0}
    assert results[0].error.kind is ErrorKind.TIMEOUT
    assert "it took longer than 1.5 s" in results[0].error.message
    assert runs(tmp_path, 0) == 1
    child = int(next(tmp_path.glob("child-*")).name.split("-")[1])
    assert until(lambda: not psutil.pid_exists(child) or is_zombie(child), 10)


def test_a_file_that_another_one_in_its_process_holds_up_is_tried_again_alone(
    tmp_path: Path,
) -> None:
    workload = Workload(str(tmp_path), {0: "hold up", 1: "wait"})
    options = {"backend": "hybrid", "processes": 1, "threads_inside": 2, "time_limit_s": 1.5}
    results, _ = execute(workload, 2, 2, **options)
    assert results[0].error.kind is ErrorKind.TIMEOUT
    assert results[1].error is None
    assert runs(tmp_path, 1) == 2


@posix
def test_a_worker_whose_child_lives_on_is_noticed(tmp_path: Path) -> None:
    """The child has the worker's end of every pipe, so that none of them ends."""
    try:
        results, _ = execute(Workload(str(tmp_path), {0: "exit beside a child"}), 2, 2)
    finally:
        for note in tmp_path.glob("child-*"):
            psutil.Process(int(note.name.split("-")[1])).kill()
    assert results[0].error.kind is ErrorKind.CRASHED
    assert "exit code 3" in results[0].error.message
    assert results[1].error is None


def test_the_time_limit_does_not_count_the_start_of_a_worker(tmp_path: Path) -> None:
    # Each takes long enough for the other worker to be there before it could take both.
    workload = Workload(str(tmp_path), {0: "sleep 0.6", 1: "sleep 0.6"}, start_s=1.2)
    results, _ = execute(workload, 2, 2, backend="loky", time_limit_s=1.0)
    assert all(result.error is None for result in results.values())
    assert len(list(tmp_path.glob("warm-*"))) == 2


def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    results, _ = execute(Workload(str(tmp_path), {1: "grow"}), 4, 1, backend="loky")
    pids = [results[n].worker for n in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_worker_that_has_grown_is_replaced_with_threads_inside(tmp_path: Path) -> None:
    others = dict.fromkeys(range(1, 6), "sleep 0.3")
    results, _ = execute(
        Workload(str(tmp_path), {0: "grow", **others}),
        6,
        2,
        backend="hybrid",
        processes=1,
        threads_inside=2,
    )
    assert len({result.worker for result in results.values()}) == 2


@posix
def test_a_lost_crew_costs_its_files_one_isolated_retry(tmp_path: Path) -> None:
    behaviours = {0: "sleep 0.3", 1: "abort"}
    results, _ = execute(
        Workload(str(tmp_path), behaviours), 6, 2, backend="hybrid", processes=1, threads_inside=2
    )
    assert {n for n, result in results.items() if result.error} == {1}
    assert "SIGABRT" in results[1].error.message
    assert runs(tmp_path, 1) == 2


def test_an_idle_worker_is_ended(tmp_path: Path) -> None:
    executor = ProcessExecutor(Workload(str(tmp_path)), Limits(idle_s=0.0))
    first, second = schedule_of(2, 2).order
    try:
        executor.submit(first)
        assert until(lambda: executor.wait(0.1))
        assert until(lambda: not executor.wait(0.05) and executor.ready_workers == 0)
        executor.submit(second)
        assert until(lambda: executor.wait(0.1))
    finally:
        executor.close(kill=True)


def test_no_file_waits_for_a_start_while_another_worker_is_free(tmp_path: Path) -> None:
    """The second worker never gets ready: the first one does all files."""
    run = Run(Workload(str(tmp_path)), 4, 2, settings_of())
    executor = run.executor
    assert isinstance(executor, ProcessExecutor)
    assert until(lambda: not executor.wait(0.05) and executor._workers[0].ready)
    executor.start_worker()
    stuck = executor._workers[1]
    psutil.Process(stuck.pid).suspend()
    results = run.run()
    assert {result.worker for result in results.values()} == {executor_pid(results)}
    assert executor_pid(results) != stuck.pid


def executor_pid(results: dict[int, FileResult]) -> int:
    return results[0].worker


def test_as_many_workers_are_started_as_files_wait(tmp_path: Path) -> None:
    """One after the other: while one is started, nobody hears those that run."""
    slow = Workload(str(tmp_path), dict.fromkeys(range(3), "sleep 5"))
    executor = ProcessExecutor(slow, Limits())
    executor.resize(4)
    started = []
    try:
        for task in schedule_of(3, 4).order:
            executor.submit(task)
        for _ in range(5):
            executor.wait(0.0)
            started.append(executor.ready_workers)
    finally:
        executor.close(kill=True)
    assert started == [1, 2, 3, 3, 3]


def test_workers_that_have_files_are_told_from_those_that_start(tmp_path: Path) -> None:
    executor = ProcessExecutor(Workload(str(tmp_path), {0: "sleep 60"}), Limits())
    executor.resize(1)
    try:
        executor.submit(schedule_of(1, 1).order[0])
        executor.wait(0.0)
        (pid,) = executor.pids
        assert (executor.starting_workers, executor.files_by_pid) == (1, {})
        assert until(lambda: not executor.wait(0.05) and executor.files_by_pid)
        assert (executor.starting_workers, executor.files_by_pid) == (0, {pid: 1})
    finally:
        executor.close(kill=True)


def test_a_start_that_takes_too_long_costs_its_file(tmp_path: Path) -> None:
    executor = ProcessExecutor(Workload(str(tmp_path), start_s=30.0), Limits(start_s=0.5))
    found: list[FileResult] = []
    try:
        executor.submit(schedule_of(1, 1).order[0])
        assert until(lambda: found.extend(executor.wait(0.1)) or found)
    finally:
        executor.close(kill=True)
    assert "longer than 0.5 s, the time limit for its start" in found[0].error.message
    assert found[0].error.kind is ErrorKind.CRASHED
