"""Batches on real worker processes, and what is left of those afterwards."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from executor_workload import Run, Workload, settings_of

from digitalmodel_optimizer.plugin import (
    FileResult,
)

HERE = Path(__file__).parent
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def workers_of(pid: int) -> list[psutil.Process]:
    """All descendants but those that are there to outlive a test.

    Resource trackers, and hosts that serve a whole session of tests.
    """
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            if not any(name in command for name in ("resource_tracker", "host_runner.py")):
                found.append(process)
        except psutil.Error:
            pass
    return found


def is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


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


def execute(
    workload: Workload, count: int, workers: int, **settings: Any
) -> tuple[dict[int, FileResult], Run]:
    run = Run(workload, count, workers, settings_of(**settings))
    results = run.run()
    assert len(results) == count
    return results, run


def runs(folder: Path, index: int) -> int:
    return len(list(folder.glob(f"run-{index}-*")))
