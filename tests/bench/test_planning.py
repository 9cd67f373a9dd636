"""Planning with the model: sweet spots, the mission's table, and the plugins as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from digitalmodel_optimizer.bench.machine_model import Costs
from digitalmodel_optimizer.bench.planned_plugins import PlannedMachine, PlannedPlugins
from digitalmodel_optimizer.bench.planning import CLASSES, WRONG_SHARE, Load, plan
from digitalmodel_optimizer.bench.scaling_tables import grid_words, judgements

# As measured on the stand-in.
COSTS = Costs(
    start_s=1.5,
    ready_s=0.16,
    spawn_s=0.06,
    file_s=0.042,
    mb_s=0.00028,
    grow_s=0.0011,
    turn_s=0.0066,
    batch_s=0.42,
    merge_s=0.0008,
)
QUICK = replace(COSTS, start_s=0.5, ready_s=0.03, file_s=0.01, mb_s=0.00015)
# What learning on the job may cost a batch that is over in seconds.
LEARNING_S = 3.0
BIG = PlannedMachine(64, 256_000.0)
SLOW = Load("from 1000 MB", 60, 1500.0, 10, further_s_per_mb=0.01)


def test_the_plugins_raise_the_workers_of_large_files_that_compute() -> None:
    found = PlannedPlugins(BIG, SLOW.costs(COSTS)).chosen(SLOW.sizes_mb)
    assert found.workers == 10
    assert found.raised_to > 30
    assert found.reason.startswith("10 workers: size class from 1000 MB")


def test_the_plugins_leave_files_that_wait_for_the_disk_to_few_workers() -> None:
    disk = replace(BIG, disk_mb_per_s=500.0)
    load = Load("under 500 MB", 200, 250.0, 20)
    found = PlannedPlugins(disk, load.costs(QUICK)).chosen(load.sizes_mb)
    assert found.workers == found.raised_to == 20


def test_licences_are_never_exceeded() -> None:
    licensed = replace(BIG, licences=12)
    found = PlannedPlugins(licensed, SLOW.costs(COSTS)).chosen(SLOW.sizes_mb)
    assert found.raised_to == 12


def test_few_quick_files_are_left_to_the_worker_that_is_ready() -> None:
    found = PlannedPlugins(BIG, QUICK).chosen([7.0] * 5)
    assert (found.workers, found.raised_to) == (1, 1)
    files_s = QUICK.seconds(7.0) + 4 * QUICK.seconds(7.0, 7.0)  # memory grows for the first alone
    besides_s = QUICK.ready_s + 5 * QUICK.turn_s + QUICK.batch_s + 5 * QUICK.merge_s
    assert found.elapsed_s == pytest.approx(files_s + besides_s)


def test_what_a_fixed_number_cannot_have_is_not_the_best() -> None:
    licensed = replace(BIG, licences=12)
    found = plan(SLOW, licensed, COSTS)
    assert found.best <= 12


def test_the_table_is_wrong_where_memory_would_hold_more() -> None:
    found = plan(SLOW, BIG, COSTS)
    assert found.over_best(found.best) == 0.0
    assert found.sweet <= found.best
    assert found.over_best(10) > 1.0
    (words,) = judgements([found])
    assert words.startswith("from 1000 MB, 10 workers: wrong in 1 of 1 cases")


@pytest.mark.parametrize("further", [0.01, 0.05])
@pytest.mark.parametrize("load", CLASSES, ids=lambda load: f"{load.size_mb:g}")
def test_the_plugins_are_near_the_best_fixed_number(load: Load, further: float) -> None:
    few = replace(load, files=min(load.files, 100), further_s_per_mb=further)
    found = plan(few, BIG, COSTS)
    assert found.chosen_s <= max((1 + WRONG_SHARE) * found.best_s, found.best_s + LEARNING_S), found


def test_the_grid_is_judged_by_share_and_by_seconds() -> None:
    found = plan(SLOW, BIG, COSTS)
    near = replace(found, chosen_s=1.09 * found.best_s)
    far = replace(found, chosen_s=1.2 * found.best_s)
    short = replace(found, times_s={str(found.best): 1.0}, chosen_s=1.29)
    assert [near.is_near, far.is_near, short.is_near] == [True, False, True]
    words = next(grid_words([near, far, short]))
    assert words == "the plugins are within 10% or 0.3 s of the best fixed number in 2 of 3 batches"
