"""Worker processes that are started before there is a batch: how many, and what becomes of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

HERE = Path(__file__).parent
if str(HERE) not in sys.path:  # loky hands our path on to its workers
    sys.path.insert(0, str(HERE))

from executor_workload import FakeControl, Workload, end_batch, schedule_of, settings_of

from digitalmodel_optimizer.plugin import Machine, SimulationFile
from digitalmodel_optimizer_plugins import hybrid_executor
from digitalmodel_optimizer_plugins.hybrid_executor.choice import BatchFacts, choose_backend
from digitalmodel_optimizer_plugins.hybrid_executor.spares import early_workers, spares
from digitalmodel_optimizer_plugins.thread_allocation.budgets import time_with_late_workers_s

MACHINE = Machine(64, 256_000.0, 200_000.0, "win32")
pytestmark = pytest.mark.filterwarnings("error")


def files(count: int, size_mb: float) -> list[SimulationFile]:
    return [SimulationFile(n, f"{n}.sim", int(size_mb * 1e6)) for n in range(count)]


@pytest.mark.parametrize(
    ("count", "size_mb", "machine", "ceiling", "wish", "expected"),
    [
        (100, 6.7, MACHINE, None, "auto", 8),
        (100, 6.7, MACHINE, 3, "auto", 3),
        (5, 574.0, MACHINE, None, "auto", 5),
        (100, 6.7, Machine(2, 8_000.0, 6_000.0, "linux"), None, "auto", 2),
        (100, 6.7, Machine(1, 8_000.0, 6_000.0, "linux"), None, "auto", 0),
        (100, 6.7, Machine(8, 8_000.0, 3_500.0, "linux"), None, "auto", 3),
        (100, 6.7, Machine(8, 2_000.0, 900.0, "linux"), None, "auto", 0),
        (3, 500.0, MACHINE, None, "auto", 3),
        (2, 500.0, MACHINE, None, "auto", 0),
        (40, 1.0, MACHINE, None, "auto", 0),
        (3, 1.0, MACHINE, None, 2, 2),
        (100, 6.7, MACHINE, None, 0, 0),
    ],
)
def test_the_number_follows_what_is_to_be_expected(
    count: int, size_mb: float, machine: Machine, ceiling: int | None, wish: Any, expected: int
) -> None:
    assert early_workers(files(count, size_mb), machine, ceiling, wish) == expected


def test_ready_workers_begin_while_late_ones_start() -> None:
    """Seconds for 10 s of work: alone, all ready, none ready, one of two ready."""
    assert time_with_late_workers_s(10.0, 10.0, 1, 1, 2.0) == 10.0
    assert time_with_late_workers_s(5.0, 10.0, 2, 2, 2.0) == 5.0
    assert time_with_late_workers_s(5.0, 10.0, 2, 0, 2.0) == 7.0
    assert time_with_late_workers_s(5.0, 10.0, 2, 1, 2.0) == 6.0
    # Done before the late one comes.
    assert time_with_late_workers_s(0.5, 1.0, 2, 1, 2.0) == 1.0


def test_one_worker_that_waits_is_taken_for_its_isolation() -> None:
    facts = BatchFacts(8, 1, None, 0.0, 1.5, 2, ready_workers=1)
    assert choose_backend(facts)[0] == "loky"
    assert choose_backend(replace(facts, ready_workers=0))[0] == "serial"


@pytest.fixture
def ready() -> Iterator[list[psutil.Process]]:
    """Two workers that have been started early."""
    before = set(psutil.Process().children(recursive=True))
    count = hybrid_executor.optimizer_get_ready(
        files=files(3, 1.0),
        prepare=os.getpid,
        machine=MACHINE,
        settings=settings_of(early_workers=2),
    )
    assert count == len(spares) == 2
    started = set(psutil.Process().children(recursive=True)) - before
    yield [item for item in started if "resource_tracker" not in " ".join(item.cmdline())]
    spares.keep(0)


def run(tmp_path: Path, **options: Any) -> tuple[set[int], str]:
    """The processes that files ran in, and what was decided."""
    settings = settings_of(**options)
    control = FakeControl(settings)
    workload = Workload(str(tmp_path), {})
    results = hybrid_executor.optimizer_execute(schedule_of(4, 2), workload, control, settings)
    found = list(results)
    end_batch()
    assert [result.error for result in found] == [None] * 4
    return {result.worker for result in found}, "; ".join(control.decisions)


def gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


def test_a_batch_takes_the_workers_that_wait(ready: list[psutil.Process], tmp_path: Path) -> None:
    used, told = run(tmp_path, backend="loky")
    assert used <= {process.pid for process in ready}
    assert "2 of them were started while the host was being imported" in told
    assert len(spares) == 0
    assert gone(ready)


def test_a_second_round_of_a_batch_finds_the_workers_of_the_first(tmp_path: Path) -> None:
    settings = settings_of(backend="loky")
    rounds = []
    for _ in range(2):
        workload = Workload(str(tmp_path), {})
        results = hybrid_executor.optimizer_execute(
            schedule_of(4, 2), workload, FakeControl(settings), settings
        )
        rounds.append({result.worker for result in results})
    end_batch()
    assert rounds[0] & rounds[1]
    assert len(spares) == 0


def test_a_batch_that_wants_none_ends_them(ready: list[psutil.Process], tmp_path: Path) -> None:
    used, told = run(tmp_path, backend="serial")
    assert used == {os.getpid()}
    assert "started while" not in told
    assert gone(ready)


def test_one_that_has_died_meanwhile_is_passed_over(
    ready: list[psutil.Process], tmp_path: Path
) -> None:
    ready[0].kill()
    time.sleep(0.2)
    used, _ = run(tmp_path, backend="loky")
    assert ready[0].pid not in used
    assert gone(ready)


@pytest.mark.parametrize("options", [{"backend": "serial"}, {"backend": "hybrid"}])
def test_none_are_started_for_a_backend_that_would_not_take_them(options: dict[str, Any]) -> None:
    answer = hybrid_executor.optimizer_get_ready(
        files=files(100, 10.0),
        prepare=os.getpid,
        machine=MACHINE,
        settings=settings_of(**options),
    )
    assert answer is None
    assert len(spares) == 0


def test_the_first_file_is_isolated_too_when_workers_wait(ready: list[psutil.Process]) -> None:
    assert len(ready) == 2
    assert hybrid_executor.optimizer_try_first(settings=settings_of()) is False
    spares.keep(0)
    assert hybrid_executor.optimizer_try_first(settings=settings_of()) is None
