"""Worker processes end: those that started early unused, all when their parent does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from executor_workload import Run, Workload, settings_of
from worker_processes import HERE, execute, is_zombie, posix, until, workers_of

from digitalmodel_optimizer_plugins.hybrid_executor import early

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.usefixtures("nothing_left_behind"),
]


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
    assert until(lambda: is_zombie(worker.pid))
    results, _ = execute(Workload(str(tmp_path)), 2, 1)
    assert all(result.error is None for result in results.values())


def _nothing() -> None:
    """What an early worker prepares here."""


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
