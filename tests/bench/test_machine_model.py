"""The simulated machine, where the answer can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from digitalmodel_optimizer.batch.defaults import CoreDefaults
from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, SimulatedMachine
from digitalmodel_optimizer.bench.planned_plugins import FixedWorkers, simulate_fixed
from digitalmodel_optimizer.bench.simulated_batch import Simulated, SimulatedExecutor
from digitalmodel_optimizer.bench.simulated_batch import simulate as simulate_plugins
from digitalmodel_optimizer.plugin import (
    Adjustment,
    Allocation,
    FileTask,
    Measured,
    Progress,
    Settings,
    SimulationFile,
    hookimpl,
)
from digitalmodel_optimizer.plugin.manager import build_manager

COSTS = Costs(start_s=2.0, file_s=0.5, mb_s=0.01, turn_s=0.0, batch_s=1.0)
ROOMY = ModelMachine(cores=64, memory_mb=1e9)


def test_one_worker_does_one_file_after_the_other() -> None:
    assert simulate_fixed([50.0] * 10, 1, ROOMY, COSTS).elapsed_s == pytest.approx(2 + 10 * 1.0 + 1)


def test_work_is_divided_among_workers_that_have_a_core_each() -> None:
    assert simulate_fixed([50.0] * 10, 5, ROOMY, COSTS).elapsed_s == pytest.approx(2 + 2 * 1.0 + 1)


def test_no_more_workers_start_than_there_are_files() -> None:
    assert simulate_fixed([50.0] * 3, 60, ROOMY, COSTS).workers == 3


def test_more_workers_than_cores_share_them() -> None:
    two = ModelMachine(cores=2, memory_mb=1e9)
    found = simulate_fixed([50.0] * 8, 4, two, COSTS)
    assert found.elapsed_s == pytest.approx((4 * 2.0 + 8 * 1.0) / 2 + 1, rel=0.02)


def test_busy_cores_are_slower_by_the_measured_share() -> None:
    two = ModelMachine(cores=2, memory_mb=1e9)
    contended = Costs(2.0, 0.5, 0.01, 0.0, 1.0, contention=0.2)
    assert simulate_fixed([50.0] * 8, 2, two, contended).elapsed_s == pytest.approx(
        1.2 * 6 + 1, rel=0.01
    )
    assert simulate_fixed([50.0] * 8, 1, two, contended).elapsed_s == pytest.approx(2 + 8 + 1)


def test_memory_lets_only_so_many_files_in_at_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, memory_factor=2.0, worker_memory_mb=0.0)
    found = simulate_fixed([100.0] * 8, 8, ROOMY, costs, memory_mb=450.0)
    assert found.elapsed_s == pytest.approx(4.0)


def test_a_file_larger_than_all_memory_runs_alone() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, memory_factor=2.0, worker_memory_mb=0.0)
    found = simulate_fixed([100.0] * 3, 3, ROOMY, costs, memory_mb=100.0)
    assert found.elapsed_s == pytest.approx(3.0)


def test_licences_bound_what_runs_at_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0)
    machine = ModelMachine(cores=64, memory_mb=1e9, licences=2)
    assert simulate_fixed([1.0] * 8, 8, machine, costs).elapsed_s == pytest.approx(4.0)


def test_a_shared_disk_is_the_bound_of_quick_files() -> None:
    costs = Costs(0.0, 0.01, 0.0, 0.0, 0.0)
    machine = ModelMachine(cores=64, memory_mb=1e9, disk_mb_per_s=100.0)
    assert simulate_fixed([100.0] * 10, 10, machine, costs).elapsed_s == pytest.approx(
        10.0, rel=0.02
    )


def test_the_parent_takes_one_result_after_the_other() -> None:
    costs = Costs(0.0, 0.0, 0.0, 0.5, 0.0)
    assert simulate_fixed([1.0] * 10, 10, ROOMY, costs).elapsed_s == pytest.approx(5.0)


def test_the_parent_starts_one_worker_after_the_other() -> None:
    costs = Costs(1.0, 9.0, 0.0, 0.0, 0.0, spawn_s=0.5)
    assert simulate_fixed([1.0] * 4, 4, ROOMY, costs).elapsed_s == pytest.approx(
        4 * 0.5 + 1.0 + 9.0
    )


def test_no_file_waits_for_a_start_while_a_worker_is_free() -> None:
    costs = Costs(5.0, 1.0, 0.0, 0.0, 0.0, ready_s=0.0)
    assert simulate_fixed([1.0] * 4, 2, ROOMY, costs, ready=1).elapsed_s == pytest.approx(4.0)


def test_workers_that_were_started_early_begin_at_once() -> None:
    costs = Costs(2.0, 1.0, 0.0, 0.0, 0.0, ready_s=0.1)
    assert simulate_fixed([1.0] * 4, 2, ROOMY, costs, ready=2).elapsed_s == pytest.approx(2.1)
    assert simulate_fixed([1.0] * 4, 2, ROOMY, costs, ready=1).elapsed_s == pytest.approx(3.1)


def test_what_a_batch_takes_besides_its_files_is_added() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, batch_s=1.0, merge_s=0.1)
    assert simulate_fixed([1.0] * 4, 2, ROOMY, costs).elapsed_s == pytest.approx(2 + 1 + 0.4)


def test_a_worker_pays_for_its_memory_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, grow_s=0.01)
    assert simulate_fixed([100.0] * 4, 1, ROOMY, costs).elapsed_s == pytest.approx(4 + 1)
    assert simulate_fixed([100.0] * 4, 2, ROOMY, costs).elapsed_s == pytest.approx(2 + 1)
    assert simulate_fixed([100.0, 50, 200], 1, ROOMY, costs).elapsed_s == pytest.approx(3 + 2)


def test_files_are_admitted_in_their_order() -> None:
    costs = Costs(0.0, 0.0, 0.01, 0.0, 0.0)
    assert simulate_fixed([300.0, 100, 100, 100], 2, ROOMY, costs).elapsed_s == pytest.approx(3.0)
    assert simulate_fixed([100.0, 100, 100, 300], 2, ROOMY, costs).elapsed_s == pytest.approx(4.0)


class Raising(FixedWorkers):
    """Raises the workers to eight when it is first asked."""

    def __init__(self, costs: Costs) -> None:
        super().__init__(2, costs)
        self.asked: list[Progress] = []

    @hookimpl(tryfirst=True)
    def optimizer_allocate(self, files: Sequence[SimulationFile]) -> Allocation:
        return replace(super().optimizer_allocate(files), max_workers=8)

    @hookimpl
    def optimizer_adjust(self, progress: Progress) -> Adjustment | None:
        self.asked.append(progress)
        return Adjustment(8, "eight are better") if progress.workers_limit < 8 else None


class Noting(FixedWorkers):
    """Notes what was known of the files whenever it is asked for workers."""

    def __init__(self, costs: Costs) -> None:
        super().__init__(4, costs)
        self.known: list[Measured] = []

    @hookimpl(tryfirst=True)
    def optimizer_allocate(self, files: Sequence[SimulationFile], measured: Measured) -> Allocation:
        self.known.append(measured)
        return replace(super().optimizer_allocate(files), worker_start_s=1.0)


def with_plugin(plugin: FixedWorkers, files: int, costs: Costs, ready: int = 0) -> Simulated:
    manager = build_manager((), defaults=[("core", CoreDefaults()), ("own", plugin)])
    settings = Settings(enabled=True)
    return simulate_plugins([1.0] * files, ROOMY, costs, manager, settings, ready=ready)


def test_a_raised_limit_takes_effect_while_the_batch_runs() -> None:
    costs = Costs(0.0, 10.0, 0.0, 0.0, 0.0)
    plugin = Raising(costs)
    found = with_plugin(plugin, 8, costs)
    assert found.elapsed_s == pytest.approx(10.125)
    assert (found.workers, found.limit) == (8, 8)
    assert "workers 2 -> 8: eight are better" in found.decisions
    first = plugin.asked[0]
    assert (first.workers_limit, len(first.running), first.files_waiting) == (2, 2, 6)
    assert first.busy_cores is None, "there was nothing to compare with"


def test_the_first_files_cost_is_known_to_the_plan_that_is_made_from_it() -> None:
    costs = Costs(1.0, 0.1, 0.0, 0.0, 0.0)
    plugin = Noting(costs)
    found = with_plugin(plugin, 10, costs, ready=1)
    assert [measured.files for measured in plugin.known] == [0, 1]
    assert plugin.known[1].seconds == pytest.approx(0.1)
    assert found.workers == 4


def test_files_that_take_long_are_not_waited_for() -> None:
    costs = Costs(1.0, 5.0, 0.0, 0.0, 0.0)
    plugin = Noting(costs)
    found = with_plugin(plugin, 4, costs, ready=1)
    assert [measured.files for measured in plugin.known] == [0, 0, 1]
    assert found.elapsed_s == pytest.approx(0.5 + 1.0 + 5.0)


def test_results_are_heard_between_the_starts_of_two_workers() -> None:
    costs = Costs(9.0, 0.1, 0.0, 0.0, 0.0, spawn_s=0.1)
    machine = SimulatedMachine(ROOMY, 0.0)
    executor = SimulatedExecutor(machine, costs, ready=1)
    executor.resize(8)
    for index in range(8):
        executor.submit(FileTask(SimulationFile(index, f"{index}.sim", 0), 1))
    heard = [len(executor.wait(9.0)) for _ in range(3)]
    assert sum(heard) == 2
    assert executor.ready_workers < 8
    assert machine.now_s < 0.5


def test_time_goes_on_where_nothing_happens() -> None:
    machine = SimulatedMachine(ROOMY, 0.0)
    machine.go_on(lambda: False, 3.0)
    assert machine.now_s == 3.0
    assert machine.core_s == 3.0
