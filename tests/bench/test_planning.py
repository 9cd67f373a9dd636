"""Planning with the model: sweet spots, the mission's table, and the plugins as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("simpy")

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
# What learning on the job may cost a batch that is over in seconds.
LEARNING_S = 3.0
BIG = PlannedMachine(64, 256_000.0)
SLOW = Load("from 1000 MB", 60, 1500.0, 10, further_s_per_mb=0.01)


def test_the_plugins_raise_the_workers_of_large_files_that_compute() -> None:
    found = PlannedPlugins(BIG, SLOW.costs(COSTS)).chosen(SLOW.sizes_mb)
    assert (found.workers, found.raised_to) == (10, 46)
    assert found.reason.startswith("10 workers: size class from 1000 MB")


def test_the_plugins_leave_files_that_wait_for_the_disk_to_few_workers() -> None:
    disk = replace(BIG, disk_mb_per_s=500.0)
    load = Load("under 1000 MB", 100, 750.0, 15)
    found = PlannedPlugins(disk, load.costs(COSTS)).chosen(load.sizes_mb)
    assert found.workers == found.raised_to == 15


def test_licences_are_never_exceeded() -> None:
    licensed = replace(BIG, licences=12)
    found = PlannedPlugins(licensed, SLOW.costs(COSTS)).chosen(SLOW.sizes_mb)
    assert found.raised_to == 12


def test_few_quick_files_stay_in_the_hosts_own_process() -> None:
    found = PlannedPlugins(BIG, COSTS).chosen([7.0] * 5)
    assert found.workers == 1
    files_s = COSTS.seconds(7.0) + 4 * COSTS.seconds(7.0, 7.0)  # memory grows for the first alone
    assert found.elapsed_s == pytest.approx(files_s + COSTS.batch_s + 4 * COSTS.merge_s)


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
    assert next(grid_words([found])).startswith("the plugins are within 10% of the best")
