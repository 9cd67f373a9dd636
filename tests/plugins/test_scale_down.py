"""thread-allocation while a batch runs: it acts on short memory and on falling throughput."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plugin_settings import settings_of

from digitalmodel_optimizer.plugin import Batch, Machine, Progress, Settings, SimulationFile
from digitalmodel_optimizer_plugins import thread_allocation as plugin
from digitalmodel_optimizer_plugins.thread_allocation.scale_down import RECOVERY_CALLS, Tuner


@pytest.fixture(autouse=True)
def _between_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "_batch", plugin._BatchState(Tuner()))


def settings(**options: Any) -> Settings:
    return settings_of(plugin, **options)


def files_of(*sizes_mb: float) -> tuple[SimulationFile, ...]:
    return tuple(
        SimulationFile(index, f"case_{index}.sim", int(size * 1_000_000))
        for index, size in enumerate(sizes_mb)
    )


# ---------------------------------------------------------------------------------------------
# Memory
# ---------------------------------------------------------------------------------------------

LOW, BACK = 900.0, 9_000.0  # of 20,000 MB: the reserve is 1,000 MB


def progress(limit: int, running: int | None = None, upcoming: int = 50, **more: Any) -> Progress:
    files = files_of(*[100.0] * 200)
    running = limit if running is None else running
    shape: dict[str, Any] = {
        "files_total": 200,
        "files_done": 0,
        "files_failed": 0,
        "size_total_mb": 20_000.0,
        "size_done_mb": 0.0,
        "elapsed_s": 1.0,
        "memory_available_mb": 0.0,
    }
    return Progress(
        **{**shape, **more},
        running=files[:running],
        upcoming=files[running : running + upcoming],
        files_waiting=upcoming,
        workers_limit=limit,
    )


def adjust(now: Progress, available_mb: float, **options: Any) -> int | None:
    machine = Machine(16, 20_000, available_mb, "linux")
    answer = plugin.optimizer_adjust(progress=now, machine=machine, settings=settings(**options))
    return None if answer is None else answer.workers


def test_nothing_is_changed_while_memory_suffices() -> None:
    assert [adjust(progress(10), BACK) for _ in range(20)] == [None] * 20


def test_short_memory_halves_the_workers_down_to_one() -> None:
    assert adjust(progress(10), LOW) == 5
    assert adjust(progress(5, running=9), LOW) is None, "the cut has not taken effect yet"
    assert adjust(progress(5, running=5), LOW) == 2
    assert adjust(progress(2, running=2), LOW) == 1
    assert adjust(progress(1, running=1), LOW) is None


def test_what_runs_is_halved_not_what_might() -> None:
    assert adjust(progress(20, running=6), LOW) == 3


def test_the_reserve_is_a_setting_and_at_least_500_mb() -> None:
    assert adjust(progress(10), LOW, memory_reserve_mb=800.0) is None
    machine = Machine(16, 4_000, 450, "linux")
    call: dict[str, Any] = {"machine": machine, "settings": settings()}
    answer = plugin.optimizer_adjust(progress=progress(10), **call)
    assert answer is not None
    assert answer.workers == 5


def test_workers_come_back_step_by_step_never_above_the_allocated_number() -> None:
    limit, limits = 4, []
    for available_mb in [LOW, *[BACK] * (RECOVERY_CALLS * 5)]:
        limit = adjust(progress(limit), available_mb) or limit
        limits.append(limit)
    steps = [2] * RECOVERY_CALLS + [3] * RECOVERY_CALLS + [4] * (RECOVERY_CALLS * 3)
    assert limits == [*steps, 4]


def test_a_relapse_starts_the_wait_anew() -> None:
    assert adjust(progress(4), LOW) == 2
    for _ in range(RECOVERY_CALLS - 1):
        assert adjust(progress(2), BACK) is None
    assert adjust(progress(2), 1_100) is None, "back, but not for the next file"
    assert adjust(progress(2), BACK) is None


def test_with_nothing_left_to_start_workers_do_not_come_back() -> None:
    assert adjust(progress(4), LOW) == 2
    assert [adjust(progress(2, upcoming=0), BACK) for _ in range(20)] == [None] * 20


def test_a_limit_that_someone_else_lowered_is_respected() -> None:
    assert adjust(progress(8), LOW) == 4
    assert [adjust(progress(3), BACK) for _ in range(30)] == [None] * 30


@given(
    st.lists(st.tuples(st.floats(0, 30_000), st.integers(0, 40)), max_size=60), st.integers(1, 32)
)
def test_the_limit_stays_between_one_and_the_allocated_number(
    ticks: list[tuple[float, int]], allocated: int
) -> None:
    plugin._batch.tuner = Tuner()
    limit = allocated
    for available_mb, running in ticks:
        limit = adjust(progress(limit, running=running), available_mb) or limit
        assert 1 <= limit <= allocated


# ---------------------------------------------------------------------------------------------
# Throughput
# ---------------------------------------------------------------------------------------------


def play(
    sizes_mb: list[float], workers: int, speed: Callable[[int, float], float], *, tuned: bool = True
) -> tuple[list[int], float]:
    """Plays a batch second by second; ``speed(running, now_s)`` in MB/s for each worker.

    Returns the limit at each second and the seconds that the batch took.
    """
    plugin.optimizer_batch_started(batch=Batch("b", (), "r"), settings=settings())
    upcoming = list(files_of(*sizes_mb))
    running: list[list[Any]] = []
    finished: list[float] = []
    done_mb, limit, now_s = 0.0, workers, 0.0
    limits = []
    while upcoming or running:
        for _ in range(10):
            while upcoming and len(running) < limit:
                file = upcoming.pop(0)
                running.append([file, file.size_mb])
            now_s += 0.1
            rate = speed(len(running), now_s)
            for entry in running:
                entry[1] -= rate * 0.1
            for entry in [entry for entry in running if entry[1] <= 0]:
                running.remove(entry)
                finished.append(now_s)
                done_mb += entry[0].size_mb
        now = Progress(
            files_total=len(sizes_mb),
            files_done=len(finished),
            files_failed=0,
            size_total_mb=sum(sizes_mb),
            size_done_mb=done_mb,
            elapsed_s=now_s,
            running=tuple(entry[0] for entry in running),
            upcoming=tuple(upcoming[:64]),
            files_waiting=len(upcoming),
            workers_limit=limit,
            memory_available_mb=BACK,
            finished_s=tuple(finished[-256:]),
        )
        if tuned:
            limit = adjust(now, BACK) or limit
        limits.append(limit)
    return limits, now_s


MIXED = [40.0 + 7 * (index * 37 % 13) for index in range(600)]


def steady(running: int, now_s: float) -> float:
    return 20.0


def test_a_steady_batch_keeps_its_workers() -> None:
    limits, _ = play(MIXED, 8, steady)
    assert set(limits) == {8}


def test_a_longest_first_batch_keeps_its_workers() -> None:
    limits, _ = play(sorted(MIXED, reverse=True), 8, steady)
    assert set(limits) == {8}


def thrashing(running: int, now_s: float) -> float:
    """From 60 s on more than four workers take each other's cache (or disk) away."""
    return 20.0 if now_s < 60 or running <= 4 else 20.0 * (4 / running) ** 3


def test_workers_that_stand_in_each_others_way_are_stepped_down() -> None:
    limits, took_s = play(MIXED, 8, thrashing)
    _, untuned_s = play(MIXED, 8, thrashing, tuned=False)
    assert min(limits) <= 5
    assert all(abs(after - before) <= 1 for before, after in itertools.pairwise(limits))
    assert took_s < 0.75 * untuned_s


def test_a_fall_that_fewer_workers_do_not_cure_costs_one_trial() -> None:
    def slower(running: int, now_s: float) -> float:
        return 20.0 if now_s < 60 else 8.0

    limits, took_s = play(MIXED, 8, slower)
    _, untuned_s = play(MIXED, 8, slower, tuned=False)
    assert min(limits) == 7
    assert limits[-1] == 8
    assert limits.count(7) < len(limits) / 3
    assert took_s < 1.06 * untuned_s


def test_the_tail_of_a_batch_says_nothing() -> None:
    limits, _ = play([100.0] * 40, 8, steady)
    assert set(limits) == {8}


def test_files_without_a_size_do_not_disturb() -> None:
    limits, _ = play([0.0] * 300, 4, steady)
    assert set(limits) == {4}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("workers", [3, 8])
def test_uneven_files_cost_next_to_nothing(workers: int, seed: int) -> None:
    """Chance alone makes some window look like a fall; a trial that was in vain is taken back."""
    chance = random.Random(seed)
    sizes_mb = [chance.lognormvariate(4, 0.6) for _ in range(500)]
    limits, took_s = play(sizes_mb, workers, steady)
    _, untuned_s = play(sizes_mb, workers, steady, tuned=False)
    assert took_s < 1.06 * untuned_s
    assert limits.count(workers) > 0.8 * len(limits)


def test_workers_return_when_what_slowed_them_is_over() -> None:
    def disturbed(running: int, now_s: float) -> float:
        return thrashing(running, now_s) if now_s < 300 else 20.0

    limits, _ = play([*MIXED, *MIXED], 8, disturbed)
    assert min(limits) <= 7
    assert max(limits[-40:]) == 8
