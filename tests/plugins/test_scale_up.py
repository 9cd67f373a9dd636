"""How many workers a batch that runs is raised to: figures in, figures out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from digitalmodel_optimizer.plugin import Progress, SimulationFile
from digitalmodel_optimizer_plugins.thread_allocation.scale_up import Raiser, last_end_s

SIZE_MB = 100.0
CPUS = 64


def files(number: int) -> tuple[SimulationFile, ...]:
    return tuple(SimulationFile(n, f"{n}.sim", int(SIZE_MB * 1e6)) for n in range(number))


def progress(
    limit: int, waiting: int, elapsed_s: float, finished_s: tuple[float, ...] = ()
) -> Progress:
    total = limit + waiting + len(finished_s)
    return Progress(
        files_total=total,
        files_done=len(finished_s),
        files_failed=0,
        size_total_mb=SIZE_MB * total,
        size_done_mb=SIZE_MB * len(finished_s),
        elapsed_s=elapsed_s,
        running=files(limit),
        upcoming=(),
        workers_limit=limit,
        memory_available_mb=1e6,
        files_waiting=waiting,
        finished_s=finished_s,
        busy_cores=float(limit),
    )


def raiser_of(max_workers: int, working: int, **options: float) -> Raiser:
    """As a plan leaves it, when ``working`` workers are ready."""
    raiser = Raiser(**options)  # type: ignore[arg-type]
    raiser.begin_plan(working)
    raiser.max_workers = max_workers
    return raiser


def raised_to(raiser: Raiser, now: Progress) -> int:
    advice = raiser.advise(now, 1e6, 1.0, CPUS)
    return advice.workers if advice else now.workers_limit


@pytest.mark.parametrize(
    ("files", "begins", "end_s"),
    [
        (4, [(2, 0.0)], 20.0),
        (5, [(2, 0.0)], 30.0),
        (5, [(2, 0.0), (2, 3.0)], 20.0),
        (3, [(2, 0.0), (2, 3.0)], 13.0),
        (2, [(2, 0.0), (2, 3.0)], 10.0),
    ],
)
def test_files_are_done_in_rounds(
    files: int, begins: list[tuple[int, float]], end_s: float
) -> None:
    assert last_end_s(files, 10.0, begins) == end_s


def test_slow_files_get_a_worker_each() -> None:
    finished_s = (29.5, 29.6, 29.7)
    assert raised_to(raiser_of(40, 10, start_s=0.5), progress(10, 30, 30.0, finished_s)) == 40


def test_workers_that_would_come_too_late_are_not_started() -> None:
    finished_s = tuple(0.05 * n for n in range(1, 41))
    now = progress(2, 8, 2.0, finished_s)  # 0.4 s are left
    assert raised_to(raiser_of(10, 2, start_s=0.5), now) == 2


def test_before_the_first_file_is_done_it_counts_as_assumed() -> None:
    now = progress(10, 30, 0.25)
    assert raised_to(raiser_of(40, 10, start_s=0.5, assumed_mb_per_s=10.0), now) == 40
    assert raised_to(raiser_of(40, 10, start_s=0.5, assumed_mb_per_s=1e6), now) < 40


def test_a_step_waits_until_the_workers_of_the_last_one_have_started() -> None:
    raiser = raiser_of(64, 4, start_s=0.5)
    assert raised_to(raiser, progress(4, 400, 10.0)) == 16
    assert raised_to(raiser, progress(16, 400, 10.3)) == 16
    assert raised_to(raiser, progress(16, 400, 10.6)) > 16


def test_a_limit_that_was_lowered_holds_until_there_is_a_new_plan() -> None:
    raiser = raiser_of(64, 4, start_s=0.0)
    assert raised_to(raiser, progress(4, 400, 10.0)) == 16
    assert raised_to(raiser, progress(8, 400, 11.0)) == 8
    raiser.begin_plan(8)
    raiser.max_workers = 64
    assert raised_to(raiser, progress(8, 400, 12.0)) == 32


def test_workers_that_are_starting_do_not_count_as_busy_with_files() -> None:
    """Ten of twelve are being started, and keep their cores busy with that."""
    now = replace(progress(12, 400, 0.25), busy_cores=10.5)
    assert raised_to(raiser_of(64, 2, start_s=0.5), now) == 12
    assert raised_to(raiser_of(64, 12, start_s=0.5), now) > 12
