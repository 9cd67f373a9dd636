"""hybrid-executor: every backend runs each file once, and says where it cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from executor_workload import Run, Workload, settings_of
from worker_processes import execute, posix, runs, shared_memory, workers_of

from digitalmodel_optimizer.plugin import (
    FileResult,
    OptimizerError,
    PluginError,
    SettingsError,
)
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor.processes import ProcessExecutor

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.usefixtures("nothing_left_behind"),
]


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
