"""thread-allocation: which budget decides, in which words, and what groups share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from allocation_calls import BIG, SMALL, allocate, files_of, settings, slow

from digitalmodel_optimizer.plugin import (
    Batch,
    Group,
    Machine,
    Measured,
    Settings,
    SettingsError,
)
from digitalmodel_optimizer_plugins import thread_allocation as plugin
from digitalmodel_optimizer_plugins.thread_allocation.budgets import memory_factor
from digitalmodel_optimizer_plugins.thread_allocation.scale_down import Tuner


@pytest.fixture(autouse=True)
def _between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_batch", plugin._BatchState(Tuner()))


# ---------------------------------------------------------------------------------------------
# Which budget decides, and in which words
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size_mb", "workers", "words"),
    [
        (50, 25, "25 workers: size class under 100 MB (files would allow 200"),
        (99.9, 25, "size class under 100 MB"),
        (100, 20, "size class 100-500 MB"),
        (499, 20, "size class 100-500 MB"),
        (500, 15, "size class 500-1000 MB"),
        (1000, 10, "10 workers: size class from 1000 MB"),
        (3300, 10, "size class from 1000 MB"),
    ],
)
def test_the_size_class_decides_on_a_large_machine(
    size_mb: float, workers: int, words: str
) -> None:
    allocation = allocate([size_mb] * 200, measured=slow())
    assert allocation.workers == workers
    assert words in allocation.reason
    assert allocation.native_threads == 64 // allocation.max_workers


@pytest.mark.parametrize(
    ("run", "machine", "workers", "native", "reason"),
    [
        (
            settings(),
            SMALL,
            2,
            1,
            (
                "2 workers: 2 cores (files would allow 40, memory 31, size class 100-500 MB 20); "
                "1 native thread each"
            ),
        ),
        (
            settings(ceiling=1),
            SMALL,
            1,
            2,
            (
                "1 worker: the configured ceiling of 1 (files would allow 40, memory 31, "
                "size class 100-500 MB 20, cores 2); 2 native threads each"
            ),
        ),
        (
            settings(native_threads=4),
            replace(BIG, logical_cpus=16),
            4,
            4,
            (
                "4 workers: 4 native threads each on 16 cores (files would allow 40, "
                "size class 100-500 MB 20, cores 16); 4 native threads each"
            ),
        ),
        (
            settings(licences=3),
            BIG,
            3,
            21,
            (
                "3 workers: 3 licences (cores would allow 64, files 40, size class 100-500 MB 20); "
                "21 native threads each"
            ),
        ),
        (
            settings(memory_budget_mb=2000.0, memory_factor=3.0, worker_memory_mb=100.0),
            BIG,
            4,
            16,
            (
                "4 workers: memory of 2000 MB holds 4 (3 x 125 MB + 100 MB for the largest) "
                "(cores would allow 64, files 40, size class 100-500 MB 20); 16 native threads each"
            ),
        ),
    ],
    ids=["cpu", "ceiling", "native threads", "licences", "memory"],
)
def test_each_budget_decides_and_says_so(
    run: Settings, machine: Machine, workers: int, native: int, reason: str
) -> None:
    allocation = allocate([125.0] * 40, machine, slow(), run)
    assert (allocation.workers, allocation.native_threads) == (workers, native)
    assert allocation.reason == reason


def test_one_file_beyond_the_memory_runs_alone_and_the_reason_says_so() -> None:
    allocation = allocate([3300, 10], Machine(1, 8_000, 5_000, "linux"))
    assert allocation.workers == 1
    assert "even one file (2.5 x 3300 MB + 200 MB) exceeds the memory budget of 4000 MB" in (
        allocation.reason
    )


def test_an_explicit_memory_budget_never_exceeds_what_is_available() -> None:
    machine = replace(BIG, memory_available_mb=1000)
    allocation = allocate([125.0] * 40, machine, slow(), settings(memory_budget_mb=1e6))
    assert allocation.workers == 1
    assert allocation.memory_budget_mb == 1000


def test_memory_counts_the_largest_files_that_can_be_in_flight() -> None:
    run = settings(memory_budget_mb=4000.0, memory_factor=1.0, worker_memory_mb=0.0)
    assert allocate([1000, 1000, 1000, 999, 900, 900], BIG, slow(), run).workers == 4
    assert "memory" not in allocate([1000, 1000, 1000, 900, 90], BIG, slow(), run).reason


def test_threads_cost_no_worker_memory() -> None:
    options: dict[str, Any] = {
        "memory_budget_mb": 600.0,
        "memory_factor": 1.0,
        "worker_memory_mb": 200.0,
    }
    measured = replace(slow(), native_share=1.0)
    assert allocate([100] * 99, BIG, measured, settings(**options)).workers == 2
    run = settings(use_processes=False, **options)
    assert allocate([100] * 99, BIG, measured, run).workers == 6


def test_more_native_threads_than_cores_are_lowered_to_the_cores() -> None:
    allocation = allocate([125.0] * 40, SMALL, slow(), settings(native_threads=8))
    assert (allocation.workers, allocation.native_threads) == (1, 2)


# ---------------------------------------------------------------------------------------------
# Groups share the workers
# ---------------------------------------------------------------------------------------------


def test_two_groups_of_one_file_run_side_by_side() -> None:
    large, small = Group("l", files_of(1500)), Group("s", files_of(900, first=1))
    for group in (large, small):
        allocation = plugin.optimizer_allocate(
            group=group,
            files=(*large.files, *small.files),
            machine=SMALL,
            measured=slow(),
            settings=settings(),
        )
        assert allocation.workers == 2


def test_a_group_that_only_looks_small_shares_the_pool_of_the_batch() -> None:
    small = Group("small", files_of(*[6.7] * 10))
    rest = Group("rest", files_of(*[300.0] * 40, first=10))
    measured = Measured(files=1, seconds=0.04, size_mb=6.7, ready_workers=1)
    call: dict[str, Any] = {"machine": SMALL, "measured": measured, "settings": settings()}
    assert plugin.optimizer_allocate(group=small, files=small.files, **call).workers == 1
    both = (*small.files, *rest.files)
    assert plugin.optimizer_allocate(group=small, files=both, **call).workers == 2


def test_what_is_planned_anew_bounds_what_may_be_raised() -> None:
    """Groups of one planning are taken together; an earlier planning knew less."""
    large, small = Group("l", files_of(*[1500.0] * 99)), Group("s", files_of(1, first=99))
    both = (*large.files, *small.files)
    for group in (large, small):
        call: dict[str, Any] = {"machine": BIG, "settings": settings(), "files": both}
        plugin.optimizer_allocate(group=group, measured=Measured(), **call)
    assert plugin._batch.raiser.max_workers == 64, "the small one's; memory holds 40 large ones"
    quick = Measured(files=1, seconds=0.001, size_mb=1500, ready_workers=1)
    plugin.optimizer_allocate(group=large, measured=quick, **call)
    assert plugin._batch.raiser.max_workers == 1


def test_a_new_batch_forgets_the_last() -> None:
    plugin._batch.tuner.memory_factor = 9.0
    batch = Batch("b", files_of(6.7), "results")
    plugin.optimizer_batch_started(batch=batch, settings=settings(throughput_drop=0.5))
    assert plugin._batch.tuner == Tuner(throughput_drop=0.5)


# ---------------------------------------------------------------------------------------------
# What a file needs in memory
# ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("largest_mb", "learned", "option", "expected"),
    [
        (100, None, "auto", 2.5),
        (100, 9.0, 1.5, 1.5),
        (10, 10.0, "auto", 12.5),  # measured on its like: with a margin
        (1000, 10.0, "auto", 2.6),  # 100 MB of fixed cost are not 10 GB for a large file
        (10, 1.0, "auto", 1.25),
        (40, 1.0, "auto", 1.25),
        (1000, 1.0, "auto", 2.5),  # a small file proves little for a large one
        (10, -3.0, "auto", 0.1),
    ],
)
def test_memory_factor(
    largest_mb: float, learned: float | None, option: Any, expected: float
) -> None:
    measured = Measured(files=1, seconds=1, size_mb=10, memory_factor=learned)
    assert memory_factor(largest_mb, measured, option) == pytest.approx(expected)


# ---------------------------------------------------------------------------------------------
# Options
# ---------------------------------------------------------------------------------------------


def test_options_are_in_order() -> None:
    faults = [o.fault(o.default) for o in plugin.optimizer_options().options]
    assert faults == [None] * len(plugin.OPTIONS)
    plugin.optimizer_configure(settings=settings())


def test_a_faulty_table_is_refused_before_any_file_is_opened() -> None:
    with pytest.raises(SettingsError, match=r"thread-allocation\.size_classes takes rising"):
        plugin.optimizer_configure(settings=settings(size_classes="500:20,100:25,10"))


def test_the_table_is_a_setting() -> None:
    run = settings(size_classes="100:45,500:30,15")
    assert allocate([50] * 900, BIG, slow(), run).workers == 45
    assert allocate([700] * 200, BIG, slow(), run).workers == 15
