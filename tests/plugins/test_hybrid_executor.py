"""hybrid-executor, on real worker processes that really crash, hang and are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # loky hands our path on to its workers
    sys.path.insert(0, str(HERE))

from executor_workload import FakeControl, Workload, end_batch, schedule_of, settings_of

from digitalmodel_optimizer.plugin import (
    Batch,
    BatchReport,
    ErrorKind,
    FileError,
    FileResult,
    FileTask,
    Measured,
    SettingsError,
    SimulationFile,
    WorkerLostError,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor.choice import (
    BatchFacts,
    choose_backend,
    threads_inside,
)
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import describe_exit, licence_delay_s
from digitalmodel_optimizer_plugins.hybrid_executor.worker_pool import WorkerPool
from digitalmodel_optimizer_plugins.hybrid_executor.worker_process import (
    WorkerLimits,
    WorkerProcess,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
pytestmark = pytest.mark.filterwarnings("error")


def workers_of(pid: int) -> list[psutil.Process]:
    """All descendants but the resource trackers, which are there to outlive us."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if not any("resource_tracker" in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            pass
    return found


def until(condition: Callable[[], Any], timeout_s: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def semaphores(pid: int) -> set[str]:
    """The semaphores of loky that a process has made and nobody has removed yet."""
    shared = Path("/dev/shm")
    return {p.name for p in shared.glob(f"sem.loky-{pid}-*")} if shared.is_dir() else set()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    threads, names = set(threading.enumerate()), semaphores(os.getpid())
    yield
    end_batch()
    assert until(lambda: not workers_of(os.getpid()), 10), workers_of(os.getpid())
    assert until(lambda: set(threading.enumerate()) <= threads, 10), threading.enumerate()
    assert until(lambda: semaphores(os.getpid()) <= names, 10), semaphores(os.getpid())


def execute(
    workload: Workload, count: int, workers: int, **settings: Any
) -> tuple[dict[int, FileResult], FakeControl]:
    control = FakeControl(settings_of(**settings))
    results = list(
        hybrid_executor.optimizer_execute(
            schedule_of(count, workers), workload, control, control.settings
        )
    )
    by_index = {result.file.index: result for result in results}
    assert len(by_index) == len(results) == count
    return by_index, control


def runs(folder: Path, index: int) -> int:
    return len(list(folder.glob(f"run-{index}-*")))


# --- every backend ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["serial", "threading", "loky", "hybrid"])
def test_each_file_comes_back_exactly_once(tmp_path: Path, backend: str) -> None:
    results, control = execute(
        Workload(str(tmp_path)), 7, 2, backend=backend, processes=1, threads_inside=2
    )
    assert control.backend == backend
    assert control.decisions[0].startswith(f"{backend}: ")
    assert all(result.error is None and runs(tmp_path, n) == 1 for n, result in results.items())
    elsewhere = {result.worker for result in results.values()} - {os.getpid()}
    # Of two worker processes the one that starts first may do all of such short files.
    expected = {"serial": {0}, "threading": {0}, "loky": {1, 2}, "hybrid": {1}}
    assert len(elsewhere) in expected[backend]


def test_serial_runs_on_the_calling_thread(tmp_path: Path) -> None:
    results, _ = execute(Workload(str(tmp_path)), 2, 1, backend="serial")
    assert {result.payload["thread"] for result in results.values()} == {threading.get_ident()}


def test_another_backend_of_joblib_is_passed_on(tmp_path: Path) -> None:
    import joblib
    from joblib._parallel_backends import ThreadingBackend

    used: list[str] = []

    class Elsewhere(ThreadingBackend):  # type: ignore[misc, unused-ignore]
        def configure(self, *args: Any, **kwargs: Any) -> Any:
            used.append("configured")
            return super().configure(*args, **kwargs)

    joblib.register_parallel_backend("elsewhere", Elsewhere)
    results, control = execute(Workload(str(tmp_path), {1: "raise"}), 3, 2, backend="elsewhere")
    assert control.backend == "elsewhere"
    assert used
    assert [n for n, result in results.items() if result.error] == [1]
    assert "KeyError('raised by process_file')" in results[1].error.message


def test_a_backend_that_nobody_knows_is_refused_before_any_file_is_opened() -> None:
    with pytest.raises(SettingsError, match=r"hybrid-executor\.backend is 'lokky'"):
        hybrid_executor.optimizer_batch_started(
            Batch("b", (), "results"), settings_of(backend="lokky")
        )


def test_results_stream_while_others_are_still_running(tmp_path: Path) -> None:
    control = FakeControl(settings_of(backend="loky"))
    results = hybrid_executor.optimizer_execute(
        schedule_of(2, 2), Workload(str(tmp_path), {0: "sleep 600"}), control, control.settings
    )
    assert next(results).file.index == 1
    results.close()


@pytest.mark.parametrize("backend", ["serial", "threading", "loky"])
def test_no_new_file_starts_once_the_core_wants_to_stop(tmp_path: Path, backend: str) -> None:
    slow = Workload(str(tmp_path), dict.fromkeys(range(12), "sleep 0.05"))
    control = FakeControl(settings_of(backend=backend))
    results = hybrid_executor.optimizer_execute(schedule_of(12, 2), slow, control, control.settings)
    first = next(results)
    control.stop = True
    rest = list(results)
    assert len({result.file.index for result in [first, *rest]}) == 12
    kept = [result for result in rest if result.error is not None]
    assert kept
    assert {result.error.kind for result in kept} == {ErrorKind.STOPPED}
    assert all(runs(tmp_path, result.file.index) == 0 for result in kept)


def test_an_error_of_the_core_ends_the_batch_and_its_workers(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="raised by process_file"):
        execute(Workload(str(tmp_path), {0: "raise", 1: "sleep 600"}), 3, 2, backend="loky")


# --- losing workers -----------------------------------------------------------------------------


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
    assert "file_0.sim took longer than 1.5 s" in results[0].error.message
    assert runs(tmp_path, 0) == 1
    child = int(next(tmp_path.glob("child-*")).name.split("-")[1])
    assert until(lambda: not psutil.pid_exists(child) or _is_zombie(child), 10)


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


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


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
    results, _ = execute(
        Workload(str(tmp_path), {0: "grow"}), 6, 2, backend="hybrid", processes=1, threads_inside=2
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


def test_an_idle_worker_is_ended() -> None:
    class Worker:
        """As much of a worker process as the pool sees."""

        capacity, running, idle_since, retiring = 1, 0, 0.0, False
        ended = starting = False

        def begin(self, tell: Callable[[], None]) -> None:
            tell()

        def run(self, task: FileTask) -> FileResult:
            if task.file.index == 0:  # another file runs beside it, and is done long before
                pool.run_once(replace(task, file=replace(task.file, index=1)))
                time.sleep(0.05)
            return FileResult(task.file)

        def begin_stop(self) -> None:
            self.ended = True

        def finish(self, deadline: float) -> None:
            pass

    workers: list[Any] = []

    def new_worker() -> Any:
        workers.append(Worker())
        return workers[-1]

    pool = WorkerPool(new_worker, most=2, stop_s=1.0, idle_s=0.01)
    pool.run_once(schedule_of(1, 2).order[0])
    assert [worker.ended for worker in workers] == [False, True]
    pool.close(kill=False)
    assert [worker.ended for worker in workers] == [True, True]


def test_no_file_waits_for_a_start_while_another_worker_is_free(tmp_path: Path) -> None:
    """Four files, two workers: the second one never gets to its end of the start."""
    begun: list[WorkerProcess] = []

    class Slow(WorkerProcess):
        def begin(self, tell: Callable[[], None]) -> None:
            begun.append(self)
            if self is begun[0]:
                super().begin(tell)
            else:
                self._warming, self._begun_at = Future(), time.monotonic()

    limits = WorkerLimits(None, 60.0, 5.0)
    pool = WorkerPool(lambda: Slow(Workload(str(tmp_path)), limits), 2, 5.0, 30.0)
    with ThreadPoolExecutor(2) as drivers:
        results = list(drivers.map(pool.run_once, schedule_of(4, 2).order, timeout=60))
    pool.close(kill=True)
    assert all(result.error is None for result in results)
    assert len({result.worker for result in results}) == 1
    assert len(begun) == 2


def test_a_worker_that_another_file_is_about_to_start_is_not_taken(tmp_path: Path) -> None:
    """Two files at once, two workers: each has its own, and neither waits for the other's start."""
    second_came = threading.Event()
    begun: list[WorkerProcess] = []

    class Hesitating(WorkerProcess):
        def begin(self, tell: Callable[[], None]) -> None:
            begun.append(self)
            if len(begun) > 1:
                second_came.set()
            assert second_came.wait(30.0), "the second file took the first one's worker"
            super().begin(tell)

    limits = WorkerLimits(None, 60.0, 5.0)
    pool = WorkerPool(lambda: Hesitating(Workload(str(tmp_path)), limits), 2, 5.0, 30.0)
    with ThreadPoolExecutor(2) as drivers:
        results = list(drivers.map(pool.run_once, schedule_of(2, 2).order, timeout=60))
    pool.close(kill=True)
    assert all(result.error is None for result in results)


def test_a_start_that_takes_too_long_costs_its_file(tmp_path: Path) -> None:
    limits = WorkerLimits(None, 0.5, 5.0)
    workload = Workload(str(tmp_path), start_s=30.0)
    pool = WorkerPool(lambda: WorkerProcess(workload, limits), 1, 1.0, 30.0)
    with pytest.raises(WorkerLostError, match=r"longer than 0\.5 s, the time limit for its start"):
        pool.run_once(schedule_of(1, 1).order[0])
    pool.close(kill=True)


# --- the parent's own end -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_closing_the_iterator_ends_the_workers_at_once(tmp_path: Path, backend: str) -> None:
    workload = Workload(str(tmp_path), {1: "sleep 600", 2: "sleep 600"})
    control = FakeControl(settings_of(backend=backend))
    results = hybrid_executor.optimizer_execute(
        schedule_of(3, 2), workload, control, control.settings
    )
    next(results)
    start = time.monotonic()
    results.close()
    assert time.monotonic() - start < 10
    assert not workers_of(os.getpid())


def test_the_end_of_the_batch_ends_workers_of_an_iterator_left_open(tmp_path: Path) -> None:
    settings = settings_of(backend="loky")
    results = hybrid_executor.optimizer_execute(
        schedule_of(2, 2),
        Workload(str(tmp_path), {1: "sleep 600"}),
        FakeControl(settings),
        settings,
    )
    next(results)
    batch = Batch("b", (), "results")
    report = BatchReport(batch, (), None, "loky", 0.0, (), (), 0.0)
    hybrid_executor.optimizer_batch_finished(batch, report, settings)
    assert not workers_of(os.getpid())
    results.close()


def start_parent(folder: Path, backend: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """A parent in its own process group, with both of its files running."""
    path = os.pathsep.join([str(HERE), *(p for p in sys.path if p)])
    parent = subprocess.Popen(
        [sys.executable, "-W", "error", str(HERE / "executor_workload.py"), str(folder), backend],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    assert until(lambda: len(list(folder.glob("run-*"))) == 2), parent.stderr
    return parent, workers_of(parent.pid)


@posix
@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_ctrl_c_leaves_no_worker_and_no_noise(tmp_path: Path, backend: str) -> None:
    parent, workers = start_parent(tmp_path, backend)
    assert workers
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does: everyone gets it
    out, err = parent.communicate(timeout=20)
    assert (parent.returncode, out, err) == (130, "interrupted\n", "")
    assert not [worker for worker in workers if worker.is_running()]


@posix
@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_workers_end_by_themselves_when_the_parent_is_killed(tmp_path: Path, backend: str) -> None:
    parent, workers = start_parent(tmp_path, backend)
    assert workers
    parent.kill()
    parent.communicate(timeout=20)
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not alive
    assert until(lambda: not semaphores(parent.pid), 10)


# --- choosing -----------------------------------------------------------------------------------


def facts(**changed: Any) -> BatchFacts:
    known = {
        "files": 100,
        "workers": 8,
        "expected_s": 200.0,
        "native_share": 0.3,
        "worker_start_s": 2.0,
        "cpus": 8,
    }
    return BatchFacts(**{**known, **changed})


@pytest.mark.parametrize(
    ("batch", "backend"),
    [
        (facts(), "loky"),
        (facts(workers=1), "serial"),
        (facts(files=1), "serial"),
        (facts(files=10, expected_s=0.5), "serial"),  # ten small files do not deserve a pool
        (facts(expected_s=None), "loky"),
        (facts(expected_s=None, workers=1), "serial"),
        (facts(use_processes=False), "threading"),
        (facts(use_processes=False, workers=1), "serial"),
        (facts(use_processes=False, time_limit=True), "threading"),
        (facts(time_limit=True, files=1, workers=1), "loky"),
        (facts(native_share=0.9, expected_s=10.0), "threading"),
        (facts(native_share=0.9, expected_s=10.0, time_limit=True), "loky"),
        (facts(native_share=0.9, expected_s=2000.0, workers=15), "loky"),  # Python's lock binds
        (facts(native_share=0.79, expected_s=10.0), "loky"),
        (facts(native_share=0.6, workers=32, cpus=8, expected_s=100.0), "hybrid"),
        (facts(native_share=0.6, workers=15, cpus=8, expected_s=100.0), "loky"),
        (facts(native_share=0.4, workers=32, cpus=8, expected_s=100.0), "loky"),
    ],
)
def test_auto_chooses_by_what_the_batch_is(batch: BatchFacts, backend: str) -> None:
    name, reason = choose_backend(batch)
    assert name == backend, reason
    assert reason


def test_auto_says_what_it_chose_and_why(tmp_path: Path) -> None:
    control = FakeControl(settings_of())
    schedule = schedule_of(10, 2, Measured(files=1, seconds=0.001, size_mb=1.0))
    results = hybrid_executor.optimizer_execute(
        schedule, Workload(str(tmp_path)), control, control.settings
    )
    assert len(list(results)) == 10
    assert control.backend == "serial"
    said = (
        "serial: one file after the other in this process, since 10 files with 0.0 s of work, 0% of"
        " it native, should take 0.0 s (loky 0.5 s)"
    )
    assert control.decisions == [said]


@pytest.mark.parametrize(("share", "threads"), [(0.5, 2), (0.67, 3), (0.9, 4), (1.0, 4), (0.0, 2)])
def test_threads_inside_follow_the_native_share(share: float, threads: int) -> None:
    assert threads_inside(share) == threads


# --- after a failure ----------------------------------------------------------------------------


def decision(kind: ErrorKind, attempt: int) -> Any:
    file = SimulationFile(0, "a.sim", 1)
    return hybrid_executor.optimizer_file_failed(
        file, FileError(kind, "it failed"), attempt, settings_of()
    )


def test_failures_are_answered_by_their_kind() -> None:
    assert decision(ErrorKind.CRASHED, 1).action == "alone"
    assert decision(ErrorKind.CRASHED, 2).action == "give_up"
    assert decision(ErrorKind.TIMEOUT, 1).action == "give_up"
    assert decision(ErrorKind.LICENCE, 1).action == "wait"
    for kind in (ErrorKind.MISSING, ErrorKind.UNREADABLE, ErrorKind.ENGINE, ErrorKind.OUTPUT):
        assert decision(kind, 1) is None


def test_waiting_for_a_licence_grows_and_ends() -> None:
    waits = [licence_delay_s(attempt, 2, 60, 600) for attempt in range(1, 20)]
    given = [wait for wait in waits if wait is not None]
    assert given[:6] == [2, 4, 8, 16, 32, 60]
    assert sum(given) == 600
    assert waits[len(given) :] == [None] * (len(waits) - len(given))
    assert decision(ErrorKind.LICENCE, 100).action == "give_up"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "it ended with exit code 3"),
        (None, "it ended in an unknown way"),
        (-1073741819, "it ended with status 0xC0000005: a bad memory access in native code"),
        (0xC00000FD, "it ended with status 0xC00000FD: a stack overflow in native code"),
    ],
)
def test_an_exit_is_described_in_words(code: int | None, words: str) -> None:
    assert describe_exit(code) == words


def test_importing_the_plugin_is_light() -> None:
    heavy = "{'joblib', 'loky', 'psutil', 'pandas'}"
    code = (
        "import sys, digitalmodel_optimizer_plugins.hybrid_executor as h\n"
        "import digitalmodel_optimizer_plugins.io_buffering\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert out.stdout.strip() == "[]"
