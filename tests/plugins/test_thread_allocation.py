"""thread-allocation: budgets that hold for any machine, and reasons in words."""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import (
    Allocation,
    Batch,
    Group,
    Machine,
    Measured,
    Settings,
    SettingsError,
    SimulationFile,
)
from digitalmodel_optimizer_plugins import thread_allocation as plugin
from digitalmodel_optimizer_plugins.thread_allocation.budgets import makespan_s, memory_factor
from digitalmodel_optimizer_plugins.thread_allocation.scale_down import Tuner

BIG = Machine(64, 256_000, 200_000, "win32")
SMALL = Machine(2, 24_000, 20_000, "linux")


@pytest.fixture(autouse=True)
def _between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_batch", plugin._BatchState(Tuner()))


def settings(*, ceiling: int | None = None, use_processes: bool = True, **options: Any) -> Settings:
    return settings_of(plugin, ceiling=ceiling, use_processes=use_processes, **options)


def files_of(*sizes_mb: float, first: int = 0) -> tuple[SimulationFile, ...]:
    return tuple(
        SimulationFile(index, f"case_{index}.sim", int(size * 1_000_000))
        for index, size in enumerate(sizes_mb, first)
    )


def allocate(
    sizes_mb: list[float],
    machine: Machine = BIG,
    measured: Measured | None = None,
    run: Settings | None = None,
) -> Allocation:
    return plugin.optimizer_allocate(
        group=Group("group", files_of(*sizes_mb)),
        files=files_of(*sizes_mb),
        machine=machine,
        measured=measured or Measured(),
        settings=run or settings(),
    )


def slow(files: int = 1, seconds: float = 60.0, size_mb: float = 100.0) -> Measured:
    """Files so slow that the start of a worker does not matter."""
    return Measured(files=files, seconds=seconds, size_mb=size_mb)


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
# The cost of a start
# ---------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("costs", "workers", "expected"),
    [([3.0, 3, 2, 2, 2], 2, 7.0), ([4.0], 3, 4.0), ([], 2, 0.0), ([1.0] * 1000, 4, 250.0)],
)
def test_makespan(costs: list[float], workers: int, expected: float) -> None:
    assert makespan_s(costs, workers) == expected


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
# Any machine, any files, any settings
# ---------------------------------------------------------------------------------------------

auto = st.just("auto")
any_settings = st.builds(
    settings,
    ceiling=st.none() | st.integers(1, 200),
    use_processes=st.booleans(),
    memory_share=st.floats(0.05, 1),
    memory_budget_mb=auto | st.floats(1, 1e6),
    memory_factor=auto | st.floats(0, 100),
    worker_memory_mb=st.floats(0, 2000),
    native_threads=auto | st.integers(1, 256),
    licences=st.none() | st.integers(1, 100),
    worker_start_s=st.floats(0, 60),
    assumed_mb_per_s=st.floats(0.1, 1e5),
    size_classes=st.sampled_from(["100:25,500:20,1000:15,10", "30", "100:45,500:30,15"]),
)
machines = st.builds(
    Machine,
    logical_cpus=st.integers(0, 256),
    memory_total_mb=st.floats(0, 1e6),
    memory_available_mb=st.floats(0, 1e6),
    platform=st.sampled_from(["win32", "linux", "darwin"]),
)
measurements = st.builds(
    Measured,
    files=st.integers(0, 1000),
    seconds=st.floats(0, 1e6),
    size_mb=st.floats(0, 1e6),
    native_share=st.floats(0, 1),
    memory_factor=st.none() | st.floats(-10, 100),
    ready_workers=st.integers(0, 8),
)
sizes = st.lists(st.just(0.0) | st.floats(0, 5000), max_size=60)


@settings_of_hypothesis(deadline=None, max_examples=400)
@given(sizes, sizes, machines, measurements, any_settings)
def test_no_budget_is_ever_exceeded(
    sizes_mb: list[float],
    others_mb: list[float],
    machine: Machine,
    measured: Measured,
    run: Settings,
) -> None:
    files = files_of(*sizes_mb, *others_mb)
    allocation = plugin.optimizer_allocate(
        group=Group("group", files[: len(sizes_mb)]),
        files=files,
        machine=machine,
        measured=measured,
        settings=run,
    )
    options = run.plugin(plugin.NAME)
    workers, cpus = allocation.workers, max(1, machine.logical_cpus)

    assert 1 <= workers <= cpus
    assert allocation.native_threads >= 1
    assert workers * allocation.native_threads <= cpus
    assert workers <= min(options["licences"] or workers, run.ceiling or workers)
    assert workers <= max(1, len(sizes_mb) + len(others_mb))
    assert allocation.reason.startswith("1 worker:" if workers == 1 else f"{workers} workers:")

    budget_mb = machine.memory_available_mb
    if options["memory_budget_mb"] == "auto":
        budget_mb *= options["memory_share"]
    budget_mb = min(budget_mb, machine.memory_available_mb)
    if options["memory_budget_mb"] != "auto":
        budget_mb = min(budget_mb, options["memory_budget_mb"])
    worker_mb = options["worker_memory_mb"] if run.use_processes else 0
    largest = heapq.nlargest(workers, [file.size_mb for file in files_of(*sizes_mb)])
    in_flight_mb = allocation.memory_factor * sum(largest) + worker_mb * workers
    assert workers == 1 or in_flight_mb <= budget_mb * (1 + 1e-9) + 1e-6
    assert allocation.memory_budget_mb is not None
    assert 0 <= allocation.memory_budget_mb <= budget_mb


@given(sizes, machines, measurements, any_settings, st.integers(1, 200))
def test_a_lower_ceiling_never_gives_more_workers(
    sizes_mb: list[float], machine: Machine, measured: Measured, run: Settings, ceiling: int
) -> None:
    free = allocate(sizes_mb, machine, measured, replace(run, ceiling=None)).workers
    held = allocate(sizes_mb, machine, measured, replace(run, ceiling=ceiling)).workers
    assert held <= min(free, ceiling)


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
