"""The memory study: growth is a slope of what settled, a budget costs workers and never files."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from digitalmodel_optimizer.bench.memory import (
    SCHEMA,
    Budget,
    Growth,
    MemoryResult,
    Point,
    growth_of,
    measure_growth,
)
from digitalmodel_optimizer.bench.memory_tables import memory_figures
from digitalmodel_optimizer.measuring.process_tree import Sample

BUDGET = Budget(750.0, 2, 1, 0, 640.0, 390.0, True, ("1 worker: memory holds 1",))


def samples(worker_mb_per_s: float) -> tuple[Sample, ...]:
    """A worker that takes 100 MB while it starts, then grows steadily; its parent does not."""
    found = [Sample(t / 10, 250.0, t * 5.0, 250.0 + t * 5.0) for t in range(1, 21)]
    for t in range(21, 201):
        size = 100.0 + worker_mb_per_s * (t - 20) / 10
        found.append(Sample(t / 10, 250.0, size, 250.0 + size))
    # the worker has ended, the parent puts the results together
    found += [Sample(t / 10, 250.0, 12.0, 262.0) for t in range(201, 221)]
    return tuple(found)


def test_start_up_is_no_growth() -> None:
    found = growth_of(samples(0.0), files=1000, size_mb=0.4, loop_s=20.0)
    assert found.worker_mb_per_1000 == pytest.approx(0.0, abs=1e-6)
    assert found.parent_mb_per_1000 == pytest.approx(0.0, abs=1e-6)


def test_a_leak_is_told_per_thousand_files() -> None:
    found = growth_of(samples(2.0), files=1000, size_mb=0.4, loop_s=20.0)
    assert found.worker_mb_per_1000 == pytest.approx(40.0, rel=0.01)
    assert found.worker_last_mb > found.worker_first_mb


def test_growth_is_judged_where_enough_files_ran() -> None:
    leak, few = (growth_of(samples(2.0), files, 0.4, loop_s=20.0) for files in (1000, 999))
    steady = growth_of(samples(0.0), files=1000, size_mb=0.4, loop_s=20.0)
    assert (leak.steady, few.steady, steady.steady) == (False, None, True)
    assert not MemoryResult(SCHEMA, "", {}, {}, growth=leak).sound
    assert MemoryResult(SCHEMA, "", {}, {}, growth=steady).sound
    assert "GROWTH" in shown(MemoryResult(SCHEMA, "", {}, {}, growth=leak))


def test_a_single_step_is_no_leak() -> None:
    steps = [Sample(t / 10, 250.0, 110.0 + 4.0 * (t > 150), 400.0) for t in range(1, 221)]
    found = growth_of(steps, files=1000, size_mb=0.4, loop_s=20.0)
    assert found.worker_mb_per_1000 == pytest.approx(0.0, abs=1e-6)
    assert found.worker_last_mb - found.worker_first_mb == pytest.approx(4.0)


def test_a_leak_in_many_steps_is_one() -> None:
    steps = [Sample(t / 10, 250.0, 110.0 + t // 10, 400.0) for t in range(1, 221)]
    found = growth_of(steps, files=1000, size_mb=0.4, loop_s=20.0)
    assert found.worker_mb_per_1000 == pytest.approx(20.0, rel=0.1)


def test_what_the_host_imports_before_its_loop_is_no_growth() -> None:
    """A worker that was started early is there while its parent still grows."""
    found = growth_of(
        [Sample(t / 10, min(250.0, 50.0 + 2.0 * t), 110.0, 400.0) for t in range(1, 221)],
        files=1000,
        size_mb=0.4,
        loop_s=10.0,
    )
    assert found.parent_mb_per_1000 == pytest.approx(0.0, abs=1e-6)


def shown(result: MemoryResult) -> str:
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(memory_figures(result))
    return " ".join(console.file.getvalue().split())


def test_peaks_are_set_against_the_engines() -> None:
    points = (
        Point(150.0, "engine", 1, 500.0, 480.0, 1, 2.0, True),
        Point(150.0, "workers_1", 1, 600.0, 240.0, 2, 1.0, True),
    )
    assert "150 MB workers_1 1 600 240 50% identical" in shown(
        MemoryResult(SCHEMA, "", {}, {}, points)
    )


def test_a_lost_file_or_a_difference_is_no_sound_result() -> None:
    from dataclasses import replace

    sound = MemoryResult(SCHEMA, "", {}, {}, budget=BUDGET)
    assert sound.sound
    assert "1 worker of 2, 0 files failed" in shown(sound)
    assert "the budget held" in shown(sound)
    for change in ({"failed": 1}, {"same": False}, {"workers": 2}, {"workers_mb": 751.0}):
        assert not replace(sound, budget=replace(BUDGET, **change)).sound, change
    assert not replace(sound, points=(Point(1, "x", 1, 1, 1, 1, 1, False),)).sound


@pytest.mark.slow
def test_many_files_are_links_to_few(tmp_path: Path) -> None:
    pytest.importorskip("digitalmodel")
    found: Growth = measure_growth(12, tmp_path / "kept", tmp_path / "work", lambda _: None)
    assert found.files == 12
    assert found.worker_most_mb > 50
    links = list((tmp_path / "work" / "sim").iterdir())
    assert len(links) == 12
    if os.name == "posix":
        assert len({path.stat().st_ino for path in links}) == 4
