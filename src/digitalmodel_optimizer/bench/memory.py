"""Memory: peaks over file size and number of workers, growth over many files, a tight budget."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.batches import Batch, made_batch
from digitalmodel_optimizer.bench.configurations import (
    ENGINE,
    Configuration,
    Runner,
    fixed_workers,
    plain_joblib,
)
from digitalmodel_optimizer.bench.results import describe_machine, versions
from digitalmodel_optimizer.bench.running import Bench, report_of
from digitalmodel_optimizer.bench.statistics import fit_line
from digitalmodel_optimizer.bench.suites import Suite
from digitalmodel_optimizer.measuring.process_tree import Sample

SCHEMA = "digitalmodel-optimizer-memory/1"
_FILES = 4
_DURATION_S = 300.0
_BUDGET_FILE_MB, _BUDGET_FILES = 150.0, 4
# Enough for one worker with one such file, not for two: see thread-allocation's options.
_BUDGET_MB = 1.3 * (2.5 * _BUDGET_FILE_MB + 200.0)
_MOST_SAMPLES = 300
# What a process takes on its way to its first files says nothing of growth.
_SETTLED_SHARE = 0.2
_PARTS = 5
MOST_GROWTH_MB_PER_1000 = 0.5
"""A worker that grows by more has a leak: a process of 100 MB varies by less from one look to the
next, and ten thousand files then still add less than 5 MB."""
_LEAST_FILES = 1000


@dataclass(frozen=True)
class Point:
    """The peak of one run: of the tree and of its largest worker, resident, in MB."""

    size_mb: float
    configuration: str
    workers: int
    memory_mb: float
    worker_mb: float
    processes: int
    loop_s: float
    same: bool


@dataclass(frozen=True)
class Budget:
    """A run whose memory budget is less than the batch wants.

    ``workers_mb`` is the peak of all processes but the host's own, which the budget is for;
    ``memory_mb`` that of the whole tree.
    """

    budget_mb: float
    asked_workers: int
    workers: int
    failed: int
    memory_mb: float
    workers_mb: float
    same: bool
    reasons: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Fewer workers, no more memory than the budget, and no file lost to it."""
        fewer = self.workers < self.asked_workers
        return fewer and not self.failed and self.workers_mb <= self.budget_mb


@dataclass(frozen=True)
class Growth:
    """A run over many files in one worker process.

    ``worker_mb_per_1000`` and ``parent_mb_per_1000`` are the slopes after the first fifth of the
    time; the parent keeps every file's results until the end, the worker nothing.
    """

    files: int
    size_mb: float
    loop_s: float
    worker_first_mb: float
    worker_last_mb: float
    worker_most_mb: float
    worker_mb_per_1000: float
    parent_mb_per_1000: float
    samples: tuple[Sample, ...]

    @property
    def steady(self) -> bool | None:
        """Whether the worker kept its size; None where too few files ran to tell."""
        if self.files < _LEAST_FILES:
            return None
        return self.worker_mb_per_1000 <= MOST_GROWTH_MB_PER_1000


@dataclass(frozen=True)
class MemoryResult:
    """The whole study; parts that were not asked for are empty."""

    schema: str
    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    points: tuple[Point, ...] = ()
    budget: Budget | None = None
    growth: Growth | None = None

    @property
    def sound(self) -> bool:
        """Every output as the engine's, the budget held, no growth over many files."""
        budget, growth = self.budget, self.growth
        kept = budget is None or (budget.same and budget.held)
        steady = growth is None or growth.steady is not False
        return kept and steady and all(item.same for item in self.points)


def study_memory(
    command: str,
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    sizes_mb: Sequence[float],
    workers: Sequence[int],
    budget: bool,
    growth: int,
) -> Iterator[MemoryResult]:
    """The parts that are asked for, after each of them all that is known; the last one is whole.

    :param growth: a number of files, 0 leaves it out.
    """
    result = MemoryResult(SCHEMA, command, describe_machine(), versions())
    for size_mb in sizes_mb if workers else ():
        points = measure_peaks(size_mb, workers, folder, work, say)
        result = replace(result, points=(*result.points, *points))
        yield result
    if budget:
        result = replace(result, budget=measure_budget(folder, work, say))
        yield result
    if growth:
        yield replace(result, growth=measure_growth(growth, folder, work, say))


def measure_peaks(
    size_mb: float,
    workers: Sequence[int],
    folder: Path,
    work: Path,
    say: Callable[[str], None],
) -> Iterator[Point]:
    """One run of each way at a size: the engine, and plain joblib and plugins by workers."""
    ways = [ENGINE]
    for number in workers:
        ways += [plain_joblib(number), fixed_workers(number)]
    suite = Suite(f"memory-{size_mb:g}", "memory", (size_mb,) * _FILES, _DURATION_S)
    bench = Bench(made_batch(suite, folder, say), work / suite.name)
    for way in ways:
        say(f"{size_mb:g} MB: {way.name}")
        once = bench.run(way)
        used = once.run.usage
        yield Point(
            size_mb=size_mb,
            configuration=way.name,
            workers=way.workers or 1,
            memory_mb=used.memory_mb,
            worker_mb=used.worker_mb,
            processes=used.processes,
            loop_s=once.run.loop_s or 0.0,
            same=not once.differences,
        )
    shutil.rmtree(bench.work, ignore_errors=True)


def measure_budget(folder: Path, work: Path, say: Callable[[str], None]) -> Budget:
    """Two workers are asked for, and the budget holds one."""
    suite = Suite("memory-budget", "budget", (_BUDGET_FILE_MB,) * _BUDGET_FILES, _DURATION_S)
    bench = Bench(made_batch(suite, folder, say), work / suite.name)
    say("budget: the engine's own loop")
    bench.run(ENGINE)
    plugins = {
        "thread-allocation": {
            "size_classes": "2",
            "worker_start_s": 0.0,
            "memory_factor": 2.5,
            "memory_budget_mb": _BUDGET_MB,
        },
        "hybrid-executor": {"backend": "loky"},
    }
    say(f"budget: {_BUDGET_MB:.0f} MB")
    once = bench.run(Configuration("budget", Runner.PLUGINS, "budget", {"plugins": plugins}))
    report = report_of(once.run)
    return Budget(
        budget_mb=_BUDGET_MB,
        asked_workers=2,
        workers=int(report.get("workers", 0)),
        failed=len(report.get("failed", ())),
        memory_mb=once.run.usage.memory_mb,
        workers_mb=max(
            (item.tree_mb - item.root_mb for item in once.run.usage.samples), default=0.0
        ),
        same=not once.differences,
        reasons=tuple(group["reason"] for group in report.get("groups", ())),
    )


def measure_growth(files: int, folder: Path, work: Path, say: Callable[[str], None]) -> Growth:
    """``files`` tiny files in one worker process, its memory sampled all the while."""
    batch = _many_files(files, folder, work / "sim", say)
    bench = Bench(batch, work / "growth")
    say(f"growth: {files} files in one worker process")
    once = bench.run(fixed_workers(1))
    return growth_of(once.run.usage.samples, files, batch.sizes_mb[0], once.run.loop_s or 1.0)


def growth_of(samples: Sequence[Sample], files: int, size_mb: float, loop_s: float) -> Growth:
    """What ``samples`` of a run over ``files`` say of growth, the loop's first fifth left out."""
    # Without the worker there are only small helpers; it ends with the loop.
    most_mb = max((item.largest_child_mb for item in samples), default=0.0)
    with_worker = [item for item in samples if item.largest_child_mb > most_mb / 2]
    # A worker may be there long before the loop, while the host is still being imported.
    begun_s = with_worker[-1].elapsed_s - (1.0 - _SETTLED_SHARE) * loop_s if with_worker else 0.0
    settled = [item for item in with_worker if item.elapsed_s >= begun_s]
    thousand_s = 1000.0 * loop_s / files
    times = [item.elapsed_s for item in settled]
    worker = [item.largest_child_mb for item in settled]
    return Growth(
        files=files,
        size_mb=size_mb,
        loop_s=loop_s,
        worker_first_mb=worker[0] if worker else 0.0,
        worker_last_mb=worker[-1] if worker else 0.0,
        worker_most_mb=max(worker, default=0.0),
        worker_mb_per_1000=_usual_slope(times, worker) * thousand_s,
        parent_mb_per_1000=_usual_slope(times, [item.root_mb for item in settled]) * thousand_s,
        samples=_thinned(samples),
    )


def _usual_slope(times: Sequence[float], values: Sequence[float]) -> float:
    """The median slope of five parts: a leak is in all of them, a table that doubles in one."""
    length = len(times) // _PARTS
    if length < 2:
        return fit_line(times, values)[1]
    parts = [slice(place * length, (place + 1) * length) for place in range(_PARTS)]
    return statistics.median(fit_line(times[part], values[part])[1] for part in parts)


def _many_files(files: int, folder: Path, place: Path, say: Callable[[str], None]) -> Batch:
    """Links to few files under many names, so that the disk has to hold only those."""
    suite = Suite("growth", "tiny files", (0.35,) * 4, duration_s=10.0, each_nth=4)
    kept = made_batch(suite, folder, say)
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(files):
        source = kept.files[number % len(kept.files)]
        path = place / f"growth_lc{number:05d}.sim"
        try:
            os.link(source, path)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, path)
        paths.append(path)
    managed = {"input_directory": str(place)}
    overrides = {**kept.overrides, "file_management": managed}
    return replace(kept, files=tuple(paths), overrides=overrides)


def _thinned(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    step = max(1, len(samples) // _MOST_SAMPLES)
    return tuple(samples[::step])
