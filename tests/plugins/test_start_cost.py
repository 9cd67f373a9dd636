"""thread-allocation: whether further workers are worth their start."""

from __future__ import annotations

from dataclasses import replace

import pytest
from allocation_calls import BIG, SMALL, allocate, settings

from digitalmodel_optimizer.plugin import Machine, Measured


@pytest.mark.parametrize("machine", [BIG, SMALL])
def test_ten_small_files_do_not_deserve_more_than_the_worker_that_is_ready(
    machine: Machine,
) -> None:
    measured = Measured(files=1, seconds=0.04, size_mb=6.7, ready_workers=1)
    allocation = allocate([6.7] * 10, machine, measured)
    assert (allocation.workers, allocation.max_workers) == (1, 1)
    assert "0.4 s of work (measured) would not end sooner with more, at 0.5 s per start" in (
        allocation.reason
    )


def test_where_no_worker_is_ready_the_first_one_costs_its_start_as_well() -> None:
    """So a few that start at the same time are done sooner than one; one core gains nothing."""
    measured = Measured(files=1, seconds=0.04, size_mb=6.7)
    assert 1 < allocate([6.7] * 10, BIG, measured).workers <= 5
    assert allocate([6.7] * 10, replace(SMALL, logical_cpus=1), measured).workers == 1
    assert allocate([0.1] * 10, BIG, replace(measured, seconds=0.001)).workers == 1


def test_a_hundred_slow_small_files_do() -> None:
    measured = Measured(files=1, seconds=0.5, size_mb=6.7)
    assert allocate([6.7] * 100, BIG, measured).workers > 10


def test_each_further_worker_must_pay_its_own_start() -> None:
    counts = [
        allocate([6.7] * 100, BIG, Measured(1, seconds, 6.7, ready_workers=1)).workers
        for seconds in (0.004, 0.01, 0.02, 1.0, 10.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert 1 < counts[2] < counts[-1] == 25


def test_unmeasured_files_are_judged_by_their_size() -> None:
    ready = Measured(ready_workers=1)
    small = allocate([0.5] * 10, measured=ready)
    assert small.workers == 1
    assert "0.1 s of work (assumed from the size) would not end sooner with more" in small.reason
    assert allocate([1500.0] * 10, measured=ready).workers == 10
    quick = settings(assumed_mb_per_s=1e5)
    assert allocate([1500.0] * 10, measured=ready, run=quick).workers == 1


def test_threads_need_no_start_but_take_turns_in_python() -> None:
    run = settings(use_processes=False)
    native = Measured(files=1, seconds=0.07, size_mb=6.7, native_share=1.0)
    assert allocate([6.7] * 10, BIG, native, run).workers == 10
    python = replace(native, native_share=0.5)
    allocation = allocate([6.7] * 10, BIG, python, run)
    assert allocation.workers == 2
    assert "50% of it in Python, one thread at a time" in allocation.reason
    assert allocate([6.7] * 10, BIG, replace(native, native_share=0.0), run).workers == 1


def test_workers_that_are_being_started_are_not_taken_to_work_already() -> None:
    """Twenty do four files each before others are of use; unless most of them have yet to begin."""
    run = settings(worker_start_s=1.0, size_classes="40")
    working = Measured(files=1, seconds=0.4, size_mb=50, ready_workers=20)
    assert allocate([50.0] * 80, BIG, working, run).workers == 20
    starting = replace(working, starting_workers=16)
    assert allocate([50.0] * 80, BIG, starting, run).workers > 20


def test_where_nothing_is_measured_no_worker_is_saved_for_a_small_gain() -> None:
    """One file more or less for each is a gain that a measured batch would not start one for."""
    measured = Measured(files=1, seconds=1.0, size_mb=50, ready_workers=1)
    few = allocate([50.0] * 500, BIG, measured).workers
    assert allocate([50.0] * 500, BIG, Measured(ready_workers=1)).workers >= few
