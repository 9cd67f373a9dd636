"""thread-allocation: no budget is exceeded on any machine, by any files, under any settings."""

from __future__ import annotations

import heapq
from dataclasses import replace

from allocation_calls import allocate, files_of, settings
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin import Group, Machine, Measured, Settings
from digitalmodel_optimizer_plugins import thread_allocation as plugin

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
    starting_workers=st.integers(0, 8),
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
