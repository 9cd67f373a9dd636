"""Few measurements: median, spread, and when a change is more than noise."""

from __future__ import annotations

import math
import random

import pytest

from digitalmodel_optimizer.bench.statistics import Spread, change, fit_line


def test_median_and_extremes_are_told() -> None:
    assert Spread.of([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert Spread.of([3.0, 1.0, 2.0]).share == 1.0
    assert Spread.of([]) is None


def test_a_change_beyond_quiet_rounds_is_a_slowdown() -> None:
    found = change([1.00, 1.01, 1.02], [1.20, 1.21, 1.22])
    assert found.slower
    assert found.ratio == pytest.approx(1.198, abs=0.001)


def test_the_same_change_among_noisy_rounds_is_none() -> None:
    assert not change([0.9, 1.0, 1.3], [1.0, 1.2, 1.5]).slower


def test_noise_of_both_sides_counts() -> None:
    quiet = change([1.0, 1.0], [1.3, 1.3])
    noisy_before = change([0.8, 1.2], [1.3, 1.3])
    noisy_after = change([1.0, 1.0], [1.1, 1.5])
    assert quiet.noise == 0.0
    assert quiet.slower
    assert not noisy_before.slower
    assert not noisy_after.slower


@pytest.mark.parametrize("warm_rounds", [2, 3, 4, 5])
def test_equal_runs_are_hardly_ever_called_slower(warm_rounds: int) -> None:
    """Two rounds that happen to be alike say little: so they did in one comparison of eleven."""
    normal = random.Random(4)
    alarms = 0
    for _ in range(4000):
        before, after = (
            [math.exp(normal.gauss(0.0, 0.1)) for _ in range(warm_rounds)] for _ in range(2)
        )
        alarms += change(before, after).slower
    assert alarms < 4000 * 0.005


def test_two_rounds_on_a_quiet_machine_still_tell() -> None:
    assert change([1.00, 1.01], [1.15, 1.16]).slower


def test_less_than_five_percent_is_never_a_slowdown() -> None:
    assert not change([1.0, 1.0, 1.0], [1.049, 1.049, 1.049]).slower
    assert change([1.0, 1.0, 1.0], [1.06, 1.06, 1.06]).slower


def test_faster_is_no_slowdown() -> None:
    assert not change([1.0, 1.0], [0.5, 0.5]).slower


def test_one_round_says_nothing_of_noise() -> None:
    found = change([1.0], [9.0, 9.0])
    assert found.limit is None
    assert not found.slower
    assert change([], [1.0]) is None


def test_a_line_through_two_sizes() -> None:
    assert fit_line([4.0, 150.0], [0.1, 0.392]) == pytest.approx((0.092, 0.002))
    assert fit_line([4.0, 4.0], [1.0, 3.0]) == (2.0, 0.0)
