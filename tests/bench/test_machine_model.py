"""The model of a machine, where the answer can be worked out by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("simpy")

from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, simulate
from digitalmodel_optimizer.bench.scaling import LOADS, choice_of_plugins, plan_machine
from digitalmodel_optimizer.contract import Machine

COSTS = Costs(start_s=2.0, file_s=0.5, mb_s=0.01, parent_s=0.0, batch_s=1.0)
ROOMY = ModelMachine(cores=64, memory_mb=1e9)


def test_one_worker_does_one_file_after_the_other() -> None:
    assert simulate([50.0] * 10, 1, ROOMY, COSTS).elapsed_s == pytest.approx(2 + 10 * 1.0 + 1)


def test_work_is_divided_among_workers_that_have_a_core_each() -> None:
    assert simulate([50.0] * 10, 5, ROOMY, COSTS).elapsed_s == pytest.approx(2 + 2 * 1.0 + 1)


def test_no_more_workers_start_than_there_are_files() -> None:
    assert simulate([50.0] * 3, 60, ROOMY, COSTS).workers == 3


def test_more_workers_than_cores_share_them() -> None:
    two = ModelMachine(cores=2, memory_mb=1e9)
    found = simulate([50.0] * 8, 4, two, COSTS)
    assert found.elapsed_s == pytest.approx((4 * 2.0 + 8 * 1.0) / 2 + 1, rel=0.02)


def test_busy_cores_are_slower_by_the_measured_share() -> None:
    two = ModelMachine(cores=2, memory_mb=1e9)
    contended = Costs(2.0, 0.5, 0.01, 0.0, 1.0, contention=0.2)
    assert simulate([50.0] * 8, 2, two, contended).elapsed_s == pytest.approx(1.2 * 6 + 1, rel=0.01)
    assert simulate([50.0] * 8, 1, two, contended).elapsed_s == pytest.approx(2 + 8 + 1)


def test_memory_lets_only_so_many_files_in_at_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, memory_factor=2.0, worker_memory_mb=0.0)
    machine = ModelMachine(cores=64, memory_mb=450.0)
    found = simulate([100.0] * 8, 8, machine, costs)
    assert found.elapsed_s == pytest.approx(4.0)
    assert found.memory_mb <= 450.0
    assert found.waited_memory_s > 0


def test_a_file_larger_than_all_memory_runs_alone() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, memory_factor=2.0, worker_memory_mb=0.0)
    machine = ModelMachine(cores=64, memory_mb=100.0)
    assert simulate([100.0] * 3, 3, machine, costs).elapsed_s == pytest.approx(3.0)


def test_licences_bound_what_runs_at_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0)
    machine = ModelMachine(cores=64, memory_mb=1e9, licences=2)
    found = simulate([1.0] * 8, 8, machine, costs)
    assert found.elapsed_s == pytest.approx(4.0)
    assert found.waited_licence_s > 0


def test_a_shared_disk_is_the_bound_of_quick_files() -> None:
    costs = Costs(0.0, 0.01, 0.0, 0.0, 0.0)
    machine = ModelMachine(cores=64, memory_mb=1e9, disk_mb_per_s=100.0)
    assert simulate([100.0] * 10, 10, machine, costs).elapsed_s == pytest.approx(10.0, rel=0.02)


def test_the_parent_takes_one_result_after_the_other() -> None:
    costs = Costs(0.0, 0.0, 0.0, 0.5, 0.0)
    assert simulate([1.0] * 10, 10, ROOMY, costs).elapsed_s == pytest.approx(5.0)


def test_every_load_is_planned_at_every_number_of_workers() -> None:
    quick = Costs(start_s=1.0, file_s=0.02, mb_s=0.0005, parent_s=0.001, batch_s=0.5)
    plans = list(plan_machine(quick, 64, 256_000.0, [float("inf")]))
    assert [plan.load for plan in plans] == list(LOADS)
    for plan in plans:
        assert {"15", "30", "45", "60", str(plan.load.table)} <= plan.times_s.keys()
        assert plan.over_best(plan.best) == 0.0
        assert plan.sweet <= plan.best


def test_the_plugins_are_asked_as_the_core_asks_them() -> None:
    machine = Machine(64, 256_000.0, 230_000.0, "win32")
    workers, reason = choice_of_plugins(LOADS[0], machine, COSTS, float("inf"))
    assert 1 <= workers <= 64
    assert reason.startswith(f"{workers} worker")
