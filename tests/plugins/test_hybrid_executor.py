"""hybrid-executor, on real worker processes that really crash, hang and are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # workers get our path
    sys.path.insert(0, str(HERE))

from executor_workload import Run, Workload, schedule_of, settings_of

from digitalmodel_optimizer.plugin import (
    ErrorKind,
    FileError,
    FileResult,
    OptimizerError,
    PluginError,
    SettingsError,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor import early
from digitalmodel_optimizer_plugins.hybrid_executor.processes import Limits, ProcessExecutor
from digitalmodel_optimizer_plugins.hybrid_executor.recovery import (
    LicenceWait,
    describe_exit,
    licence_delay_s,
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


def shared_memory() -> set[str]:
    """Semaphores that loky has made for this process, where the system shows them as files."""
    shared = Path("/dev/shm")
    return {path.name for path in shared.glob(f"sem.loky-{os.getpid()}-*")}


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    threads = set(threading.enumerate())
    yield
    hybrid_executor.optimizer_batch_finished()
    assert not workers_of(os.getpid())
    assert until(lambda: set(threading.enumerate()) <= threads, 10), threading.enumerate()


def execute(
    workload: Workload, count: int, workers: int, **settings: Any
) -> tuple[dict[int, FileResult], Run]:
    run = Run(workload, count, workers, settings_of(**settings))
    results = run.run()
    assert len(results) == count
    return results, run


def runs(folder: Path, index: int) -> int:
    return len(list(folder.glob(f"run-{index}-*")))


# --- every backend ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["auto", "serial", "threading", "loky", "hybrid"])
def test_each_file_comes_back_exactly_once(tmp_path: Path, backend: str) -> None:
    results, run = execute(
        Workload(str(tmp_path)), 7, 2, backend=backend, processes=1, threads_inside=2
    )
    assert run.executor.name == {"auto": "loky"}.get(backend, backend)
    assert run.executor.reason
    assert all(result.error is None and runs(tmp_path, n) == 1 for n, result in results.items())
    elsewhere = {result.worker for result in results.values()} - {os.getpid()}
    # Of two worker processes the one that starts first may do all of such short files.
    expected = {"serial": {0}, "threading": {0}, "loky": {1, 2}, "auto": {1, 2}, "hybrid": {1}}
    assert len(elsewhere) in expected[backend]


def test_serial_runs_on_the_calling_thread(tmp_path: Path) -> None:
    results, _ = execute(Workload(str(tmp_path)), 2, 1, backend="serial")
    assert {result.payload["thread"] for result in results.values()} == {threading.get_ident()}


def test_one_file_at_a_time_runs_on_its_process_main_thread(tmp_path: Path) -> None:
    results, _ = execute(Workload(str(tmp_path)), 3, 1, backend="loky")
    assert len({(r.worker, r.payload["thread"]) for r in results.values()}) == 1


def test_another_backend_of_joblib_is_passed_on(tmp_path: Path) -> None:
    import joblib
    from joblib._parallel_backends import ThreadingBackend

    used: list[str] = []

    class Elsewhere(ThreadingBackend):  # type: ignore[misc, unused-ignore]
        def configure(self, *args: Any, **kwargs: Any) -> Any:
            used.append("configured")
            return super().configure(*args, **kwargs)

    joblib.register_parallel_backend("elsewhere", Elsewhere)
    results, run = execute(Workload(str(tmp_path), {1: "raise"}), 3, 2, backend="elsewhere")
    assert run.executor.name == "elsewhere"
    assert used
    assert [n for n, result in results.items() if result.error] == [1]
    assert "KeyError: 'raised by process_file'" in results[1].error.message


@posix
def test_joblibs_multiprocessing_is_really_used(tmp_path: Path) -> None:
    results, _ = execute(Workload(str(tmp_path)), 3, 2, backend="multiprocessing")
    assert os.getpid() not in {result.worker for result in results.values()}
    assert all(result.error is None for result in results.values())


def test_a_backend_that_would_run_in_this_process_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import joblib._parallel_backends as backends

    monkeypatch.setattr(backends.MultiprocessingBackend, "effective_n_jobs", lambda *_: 1)
    with pytest.raises(SettingsError, match="one by one in the host's own process"):
        execute(Workload(str(tmp_path)), 3, 2, backend="multiprocessing")
    assert not list(tmp_path.glob("run-*"))


def test_an_executor_that_runs_files_in_the_parent_unasked_ends_the_batch(tmp_path: Path) -> None:
    run = Run(Workload(str(tmp_path)), 3, 1, settings_of(backend="serial"))
    run.executor.in_parent = False
    with pytest.raises(PluginError, match=r"ran file_0 in the host's own process"):
        run.run()


def test_a_backend_that_nobody_knows_is_refused_before_any_file_is_opened() -> None:
    with pytest.raises(SettingsError, match=r"hybrid-executor\.backend is 'lokky'"):
        hybrid_executor.optimizer_configure(settings_of(backend="lokky"))


def test_results_come_while_others_are_still_running(tmp_path: Path) -> None:
    run = Run(Workload(str(tmp_path), {0: "sleep 600"}), 2, 2, settings_of())

    class EnoughError(Exception):
        pass

    def take(result: FileResult) -> FileResult:
        assert result.file.index == 1
        raise EnoughError

    run.loop._take = take
    with pytest.raises(EnoughError):
        run.run()


@pytest.mark.parametrize("backend", ["serial", "threading", "loky"])
def test_no_new_file_starts_once_the_core_stops(tmp_path: Path, backend: str) -> None:
    slow = Workload(str(tmp_path), dict.fromkeys(range(12), "sleep 0.05"))
    run = Run(slow, 12, 2, settings_of(backend=backend))

    def take(result: FileResult) -> FileResult:
        run.scheduler.stop()
        return run.take(result)

    run.loop._take = take
    assert 1 <= len(run.run()) <= 4
    assert len(list(tmp_path.glob("run-*"))) == len(run.results)


def test_an_error_of_a_plugin_ends_the_batch_and_its_workers(tmp_path: Path) -> None:
    run = Run(Workload(str(tmp_path), {0: "exit", 1: "sleep 600"}), 3, 2, settings_of())

    class Broken:
        from digitalmodel_optimizer.plugin import hookimpl

        @hookimpl
        def optimizer_file_failed(self) -> None:
            raise ValueError("no idea")

    run.manager.register(Broken(), name="broken")
    with pytest.raises(PluginError, match="optimizer_file_failed raised ValueError: no idea"):
        run.run()
    assert not workers_of(os.getpid())


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
    assert "it took longer than 1.5 s" in results[0].error.message
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


# --- where processes cannot be had ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value", "words"),
    [
        ("executable", "", "does not know its own executable"),
        ("executable", "/usr/bin/env", "Python runs inside /usr/bin/env"),
        ("frozen", True, "frozen program"),
    ],
)
def test_without_processes_auto_uses_threads_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, value: Any, words: str
) -> None:
    monkeypatch.setattr(sys, attribute, value, raising=False)
    results, run = execute(Workload(str(tmp_path)), 3, 2)
    assert {result.worker for result in results.values()} == {os.getpid()}
    assert run.executor.name == "threading"
    assert words in run.executor.reason
    with pytest.raises(SettingsError, match=words):
        execute(Workload(str(tmp_path)), 3, 2, backend="loky")


def test_a_process_that_cannot_be_started_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(ProcessExecutor, "start_worker", refuse)
    _, run = execute(Workload(str(tmp_path)), 3, 2)
    assert run.executor.name == "threading"
    assert "Resource temporarily unavailable" in run.executor.reason
    with pytest.raises(OptimizerError, match="Resource temporarily unavailable"):
        execute(Workload(str(tmp_path)), 3, 2, backend="hybrid")


@posix
def test_workers_need_no_semaphores(tmp_path: Path) -> None:
    before = shared_memory()
    run = Run(Workload(str(tmp_path), {0: "sleep 0.3"}), 1, 1, settings_of())
    during: set[str] = set()

    def take(result: FileResult) -> FileResult:
        during.update(shared_memory())
        return run.take(result)

    run.loop._take = take
    run.run()
    assert during == before


def test_switching_processes_off_is_threads(tmp_path: Path) -> None:
    results, run = execute(Workload(str(tmp_path)), 3, 2, use_processes=False)
    assert run.executor.name == "threading"
    assert {result.worker for result in results.values()} == {os.getpid()}


# --- workers that are started early --------------------------------------------------------------


def test_early_workers_are_taken_and_the_others_ended(tmp_path: Path) -> None:
    assert early.early_processes.start(_nothing, 2) == 2
    assert len(workers_of(os.getpid())) == 2
    results, run = execute(Workload(str(tmp_path)), 3, 1)
    assert "1 started while the host was being imported" in run.executor.reason
    assert all(result.error is None for result in results.values())
    assert len({result.worker for result in results.values()}) == 1


def test_early_workers_that_died_are_replaced(tmp_path: Path) -> None:
    early.early_processes.start(_nothing, 1)
    (worker,) = workers_of(os.getpid())
    worker.kill()
    assert until(lambda: _is_zombie(worker.pid))
    results, _ = execute(Workload(str(tmp_path)), 2, 1)
    assert all(result.error is None for result in results.values())


def _nothing() -> None:
    """What an early worker prepares here."""


# --- the parent's own end -----------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["loky", "hybrid"])
def test_closing_ends_workers_at_once(tmp_path: Path, backend: str) -> None:
    run = Run(
        Workload(str(tmp_path), {1: "sleep 600"}), 3, 2, settings_of(backend=backend, processes=2)
    )
    run.loop._start(0.0)
    assert until(lambda: run.executor.wait(0.1))
    start = time.monotonic()
    run.executor.close(kill=True)
    assert time.monotonic() - start < 10
    assert not workers_of(os.getpid())


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


# --- after a failure ----------------------------------------------------------------------------


def action(kind: ErrorKind, attempt: int) -> Any:
    file = SimulationFile(0, "a.sim", 1)
    return hybrid_executor.optimizer_file_failed(
        file, FileError(kind, "it failed"), attempt, settings_of()
    )


def test_failures_are_answered_by_their_kind() -> None:
    for kind in (ErrorKind.CRASHED, ErrorKind.MEMORY):
        assert action(kind, 1).action == "alone"
        assert action(kind, 2).action == "give_up"
    assert action(ErrorKind.CHANGED, 1).action == "retry"
    assert action(ErrorKind.CHANGED, 2) is None
    assert action(ErrorKind.TIMEOUT, 1).action == "give_up"
    assert action(ErrorKind.LICENCE, 1).action == "wait"
    for kind in (ErrorKind.MISSING, ErrorKind.UNREADABLE, ErrorKind.ENGINE, ErrorKind.OUTPUT):
        assert action(kind, 1) is None


def test_waiting_for_a_licence_grows_and_ends() -> None:
    waits = [licence_delay_s(attempt, 2, 60, 600) for attempt in range(1, 20)]
    given = [wait for wait in waits if wait is not None]
    assert given[:6] == [2, 4, 8, 16, 32, 60]
    assert sum(given) == 600
    assert waits[len(given) :] == [None] * (len(waits) - len(given))


def test_no_licence_for_any_file_stops_the_batch_with_one_verdict() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    error = FileError(ErrorKind.LICENCE, "Licence server cannot be reached")
    actions = [wait.advise(0, error, attempt, options) for attempt in range(1, 30)]
    assert {item.action for item in actions} == {"wait", "stop"}
    verdict = next(item for item in actions if item.action == "stop").reason
    assert "Licence server cannot be reached" in verdict
    assert "600 s" in verdict
    assert "resumes" in verdict


def test_a_file_that_others_leave_no_licence_waits_on() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    error = FileError(ErrorKind.LICENCE, "no seat")
    for attempt in range(1, 40):
        assert wait.advise(0, error, attempt, options).action == "wait"
        wait.succeeded()
    assert wait.advise(0, error, 40, options).action == "wait"
    assert wait.advise(0, error, 41, options).action == "give_up", "the others are done"


def test_after_one_file_was_given_up_a_second_one_stops_the_batch() -> None:
    wait, options = LicenceWait(), settings_of().plugin(hybrid_executor.NAME)
    wait.succeeded()
    error = FileError(ErrorKind.LICENCE, "no seat")
    assert wait.advise(0, error, 30, options).action == "wait"
    assert wait.advise(0, error, 31, options).action == "give_up"
    wait.advise(1, error, 1, options)
    assert wait.advise(1, error, 31, options).action == "stop"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "it ended with exit code 3"),
        (None, "its exit status is unknown"),
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
