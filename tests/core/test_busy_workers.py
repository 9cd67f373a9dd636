"""How busy the workers with files were between two looks at them."""

from __future__ import annotations

import pytest

from digitalmodel_optimizer.batch.busy import BusyWorkers, Usage


def look_twice(before: Usage, now: Usage) -> tuple[float | None, int]:
    busy = BusyWorkers()
    busy.look(before)
    return busy.look(now)


def test_the_first_look_says_nothing() -> None:
    assert BusyWorkers().look(Usage(1.0, {7: 1.0}, {7: 1})) == (None, 0)


def test_each_worker_that_had_a_file_both_times_counts() -> None:
    before = Usage(1.0, {7: 1.0, 8: 5.0}, {7: 1, 8: 1})
    now = Usage(3.0, {7: 3.0, 8: 6.0}, {7: 1, 8: 1})
    assert look_twice(before, now) == (pytest.approx(1.5), 2)


@pytest.mark.parametrize(
    ("before", "now"), [({}, {8: 1}), ({8: 1}, {})], ids=["has just got one", "has none left"]
)
def test_a_worker_that_had_a_file_only_once_does_not_count(
    before: dict[int, int], now: dict[int, int]
) -> None:
    found = look_twice(
        Usage(1.0, {7: 1.0, 8: 5.0}, {7: 1, **before}), Usage(2.0, {7: 2.0, 8: 6.0}, {7: 1, **now})
    )
    assert found == (pytest.approx(1.0), 1)


def test_a_process_with_several_files_counts_with_the_fewest_it_had() -> None:
    assert look_twice(Usage(1.0, {7: 1.0}, {7: 4}), Usage(2.0, {7: 3.0}, {7: 3})) == (2.0, 3)


def test_a_worker_whose_cpu_time_is_not_known_does_not_count() -> None:
    assert look_twice(Usage(1.0, {}, {7: 1}), Usage(2.0, {7: 1.0}, {7: 1})) == (None, 0)


def test_two_looks_at_one_time_say_nothing() -> None:
    now = Usage(1.0, {7: 1.0}, {7: 1})
    assert look_twice(now, now) == (None, 0)
