"""The model of a machine, where the answer can be worked out by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("simpy")

from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, simulate
from digitalmodel_optimizer.plugin import Progress

COSTS = Costs(start_s=2.0, file_s=0.5, mb_s=0.01, turn_s=0.0, batch_s=1.0)
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


def test_the_parent_starts_one_worker_after_the_other() -> None:
    costs = Costs(1.0, 9.0, 0.0, 0.0, 0.0, spawn_s=0.5)
    assert simulate([1.0] * 4, 4, ROOMY, costs).elapsed_s == pytest.approx(4 * 0.5 + 1.0 + 9.0)


def test_no_file_waits_for_a_start_while_a_worker_is_free() -> None:
    costs = Costs(5.0, 1.0, 0.0, 0.0, 0.0, ready_s=0.0)
    assert simulate([1.0] * 4, 2, ROOMY, costs, ready=1).elapsed_s == pytest.approx(4.0)


def test_workers_that_were_started_early_begin_at_once() -> None:
    costs = Costs(2.0, 1.0, 0.0, 0.0, 0.0, ready_s=0.1)
    assert simulate([1.0] * 4, 2, ROOMY, costs, ready=2).elapsed_s == pytest.approx(2.1)
    assert simulate([1.0] * 4, 2, ROOMY, costs, ready=1).elapsed_s == pytest.approx(3.1)


def test_what_a_batch_takes_besides_its_files_is_added() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, batch_s=1.0, merge_s=0.1)
    assert simulate([1.0] * 4, 2, ROOMY, costs).elapsed_s == pytest.approx(2 + 1 + 0.4)


def test_a_worker_pays_for_its_memory_once() -> None:
    costs = Costs(0.0, 1.0, 0.0, 0.0, 0.0, grow_s=0.01)
    assert simulate([100.0] * 4, 1, ROOMY, costs).elapsed_s == pytest.approx(4 + 1)
    assert simulate([100.0] * 4, 2, ROOMY, costs).elapsed_s == pytest.approx(2 + 1)
    assert simulate([100.0, 50, 200], 1, ROOMY, costs).elapsed_s == pytest.approx(3 + 2)


def test_files_are_admitted_in_their_order() -> None:
    costs = Costs(0.0, 0.0, 0.01, 0.0, 0.0)
    assert simulate([300.0, 100, 100, 100], 2, ROOMY, costs).elapsed_s == pytest.approx(3.0)
    assert simulate([100.0, 100, 100, 300], 2, ROOMY, costs).elapsed_s == pytest.approx(4.0)


def test_a_raised_limit_takes_effect_while_the_batch_runs() -> None:
    asked: list[Progress] = []

    def adjust(progress: Progress) -> int | None:
        asked.append(progress)
        return 8 if progress.workers_limit < 8 else None

    costs = Costs(0.0, 10.0, 0.0, 0.0, 0.0)
    found = simulate([1.0] * 8, 2, ROOMY, costs, most=8, adjust=adjust)
    assert found.elapsed_s == pytest.approx(10.5, abs=0.1)
    assert found.workers == 8
    first = asked[0]
    assert (first.workers_limit, len(first.running), len(first.upcoming)) == (2, 2, 6)
    assert first.busy_cores == 2.0
