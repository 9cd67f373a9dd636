"""How many workers a batch that runs is raised to: figures in, figures out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digitalmodel_optimizer.plugin import Progress, SimulationFile
from digitalmodel_optimizer_plugins.thread_allocation.scale_up import Raiser, useful_workers

SIZE_MB = 100.0
CPUS = 64


def files(number: int) -> tuple[SimulationFile, ...]:
    return tuple(SimulationFile(n, f"{n}.sim", int(SIZE_MB * 1e6)) for n in range(number))


def progress(
    limit: int, waiting: int, elapsed_s: float, *, done: int = 0, file_s: float = 0.0
) -> Progress:
    """All that run are observed, and compute."""
    total = limit + waiting + done
    return Progress(
        files_total=total,
        files_done=done,
        files_failed=0,
        size_total_mb=SIZE_MB * total,
        size_done_mb=SIZE_MB * done,
        elapsed_s=elapsed_s,
        running=files(limit),
        upcoming=files(min(waiting, 64)),
        workers_limit=limit,
        memory_available_mb=1e6,
        files_waiting=waiting,
        worker_s=done * file_s,
        busy_cores=float(limit),
        observed_files=limit,
    )


def raiser_of(max_workers: int, **options: float) -> Raiser:
    """As a plan leaves it."""
    raiser = Raiser(**options)  # type: ignore[arg-type]
    raiser.begin_plan()
    raiser.max_workers = max_workers
    return raiser


def raised_to(raiser: Raiser, now: Progress) -> int:
    advice = raiser.advise(now, 1e6, 1.0, CPUS)
    return advice.workers if advice else now.workers_limit


def test_slow_files_get_a_worker_each() -> None:
    now = progress(10, 30, 30.0, done=3, file_s=28.0)
    assert raised_to(raiser_of(40, start_s=0.5), now) == 40


def test_workers_that_would_come_too_late_are_not_started() -> None:
    now = progress(2, 8, 2.0, done=40, file_s=0.1)  # 0.4 s are left
    assert raised_to(raiser_of(10, start_s=0.5), now) == 2


def test_before_the_first_file_is_done_it_counts_as_assumed_and_in_doubt_as_more() -> None:
    now = progress(10, 30, 0.25)
    assert raised_to(raiser_of(40, start_s=0.5, assumed_mb_per_s=10.0), now) == 40
    quick = progress(10, 30, 0.01)
    assert raised_to(raiser_of(40, start_s=0.5, assumed_mb_per_s=1e6), quick) == 10


def test_a_limit_that_was_lowered_holds_until_there_is_a_new_plan() -> None:
    raiser = raiser_of(64, start_s=0.0)
    assert raised_to(raiser, progress(4, 400, 10.0)) == 64
    assert raised_to(raiser, progress(8, 400, 11.0)) == 8
    raiser.begin_plan()
    raiser.max_workers = 64
    assert raised_to(raiser, progress(8, 400, 12.0)) == 64


def test_only_workers_with_files_say_how_far_the_number_may_be_raised() -> None:
    """Ten of twelve are being started, and keep their cores busy with that."""
    raiser = raiser_of(64, start_s=0.5)
    now = progress(12, 400, 10.0)
    assert raised_to(raiser, replace(now, busy_cores=None, observed_files=0)) == 12
    assert raised_to(raiser, replace(now, busy_cores=0.2, observed_files=2)) == 12
    assert raised_to(raiser, replace(now, busy_cores=2.0, observed_files=2)) == 64


def test_files_that_wait_for_a_disk_get_no_more_workers() -> None:
    now = replace(progress(20, 400, 10.0), busy_cores=4.0)
    assert raised_to(raiser_of(64, start_s=0.5), now) == 20


def test_a_memory_that_runs_short_is_no_time_to_raise() -> None:
    raiser = raiser_of(64, start_s=0.5)
    assert raiser.advise(progress(20, 400, 10.0), 1_000.0, 900.0, CPUS) is None
    assert raiser.advise(progress(20, 400, 10.0), 2_000.0, 900.0, CPUS) is not None


@given(st.floats(0, 20), st.floats(0.1, 20), st.integers(1, 64))
def test_twice_as_many_as_keep_a_disk_busy_are_never_raised(
    compute_s: float, read_s: float, further: int
) -> None:
    """They read one after the other, so each waits for all others."""
    workers = math.ceil(2 * (1 + compute_s / read_s)) + further
    busy_cores = compute_s / read_s
    assert useful_workers(workers, busy_cores) == workers


@pytest.mark.parametrize(("share", "expected"), [(0.4, 8), (0.6, 26), (0.9, 146), (1.0, 322)])
def test_the_less_workers_wait_the_more_are_of_use(share: float, expected: int) -> None:
    assert useful_workers(8, 8 * share) == pytest.approx(expected, abs=1)
