"""When workers would be done, of whom some begin later."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer_plugins.thread_allocation.makespan import (
    begins_s_of,
    makespan_of_equal_s,
    makespan_s,
)

CPUS = 64


@pytest.mark.parametrize(
    ("costs_s", "begins_s", "expected_s"),
    [
        ([3.0, 3, 2, 2, 2], [0.0, 0], 7.0),
        ([4.0], [0.0] * 3, 4.0),
        ([], [0.0, 0], 0.0),
        ([1.0] * 1000, [0.0] * 4, 250.0),
        ([1.0] * 1000, [0.0, 0, 0, 4], 251.0),  # divided evenly, without playing it through
        ([1.0] * 1000, [0.0, 0, 0, 900], 1000 / 3),
        ([2.0] * 3, [0.0, 5], 6.0),  # the late one finds nothing left
        ([2.0] * 4, [0.0, 5], 7.0),
        ([0.1] * 99, [0.0, 2.1], 6.0),
        ([0.1] * 100, [2.0, 2], 7.0),
        ([0.1] * 10, [0.0, 2], 1.0),
    ],
)
def test_the_next_file_goes_to_the_worker_that_is_free_first(
    costs_s: list[float], begins_s: list[float], expected_s: float
) -> None:
    assert makespan_s(costs_s, begins_s) == pytest.approx(expected_s)


@given(
    st.integers(0, 100),
    st.floats(0.01, 100),
    st.lists(st.floats(0, 200), min_size=1, max_size=20),
)
def test_equal_files_take_as_long_as_when_they_are_played_through(
    files: int, file_s: float, begins_s: list[float]
) -> None:
    played_s = makespan_s([file_s] * files, begins_s)
    if files <= 50 * len(begins_s):  # beyond, it is not
        assert makespan_of_equal_s(files, file_s, begins_s) == pytest.approx(played_s)


def test_workers_begin_at_once_halfway_through_their_start_or_after_it() -> None:
    begins_s = begins_s_of(5, 3, 1, 1.0, CPUS)
    assert begins_s[:2] == [0.0, 0.0]
    assert 0.5 <= begins_s[2] < begins_s[3] < begins_s[4]
    assert begins_s[3] >= 1.0


def test_workers_that_start_together_slow_each_other_down() -> None:
    assert begins_s_of(8, 0, 0, 1.0, 4)[0] > begins_s_of(8, 0, 0, 1.0, CPUS)[0]


def test_fewer_than_are_ready_begin_at_once() -> None:
    assert begins_s_of(2, 8, 3, 1.0, CPUS) == [0.0, 0.0]
