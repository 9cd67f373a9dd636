"""Learning curves on simulated machines: near the best fixed number, never far from the static."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from digitalmodel_optimizer.bench.learning import (
    SCENARIOS,
    SCHEMA,
    Learned,
    LearningResult,
    learn,
    within_after,
)
from digitalmodel_optimizer.bench.learning_pages import learning_figures, write_learning_page

BY_NAME = {item.name: item for item in SCENARIOS}


@pytest.fixture(scope="module")
def slow_disk(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    store = tmp_path_factory.mktemp("learning") / "store"
    return learn(BY_NAME["slow disk"], 12, store)


def test_on_a_slow_disk_tuning_comes_near_the_best_fixed_number(slow_disk) -> None:
    assert slow_disk.runs[0].static_regret > 0.25, "or there would be nothing to learn"
    after = within_after(slow_disk.runs)
    assert after is not None
    assert after <= 8
    assert slow_disk.worst_against_static <= 0.05


def test_trials_are_at_least_four_runs_apart(slow_disk) -> None:
    tried = [run.run for run in slow_disk.runs if run.explored]
    assert tried
    assert all(later - earlier >= 4 for earlier, later in itertools.pairwise(tried))


@pytest.mark.parametrize("name", ["few cores", "tight memory", "small batch"])
def test_where_nothing_can_be_gained_nothing_is_lost(name: str, tmp_path: Path) -> None:
    found = learn(BY_NAME[name], 3, tmp_path / "store")
    assert found.worst_against_static <= 0.05


def test_the_curves_are_told_and_drawn(slow_disk, tmp_path: Path) -> None:
    result = LearningResult(SCHEMA, "digitalmodel-optimizer bench learning", (slow_disk,))
    assert "slow disk" in learning_figures(result)
    write_learning_page(result, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert page.count("<polyline") == 3
    assert page.count("<circle") == 12
