"""Interleaved rounds of all configurations on one batch.

Every round runs each configuration once, and each round begins with another of them, so that a
machine that grows warm or busy is shared by all. Before the first round of each the files are put
out of the system's memory, where it lets us: that round is the cold one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from digitalmodel_optimizer.bench.batches import Batch
from digitalmodel_optimizer.bench.configurations import (
    Configuration,
    Runner,
    to_be_counted,
)
from digitalmodel_optimizer.bench.counters import Counts, counting_environment, read_counts
from digitalmodel_optimizer.bench.floor_plan import NotForTheFloorError
from digitalmodel_optimizer.bench.results import Measured, Round, SuiteResult
from digitalmodel_optimizer.bench.running import Bench, Once, report_of

_MOST_DIFFERENCES = 20
# Backends whose work is done in the host's own process, whatever others have been got ready.
_IN_THE_HOST = ("serial", "threading")


@dataclass(frozen=True)
class Wish:
    """What is to be measured: so many timed rounds, the first of them cold, and counts or not."""

    configurations: tuple[Configuration, ...]
    rounds: int = 3
    counts: bool = True


@dataclass
class _Gathered:
    rounds: list[Round] = field(default_factory=list)
    counts: Counts | None = None
    decisions: tuple[str, ...] = ()
    differences: list[str] = field(default_factory=list)


def run_batch(batch: Batch, wish: Wish, work: Path, say: Callable[[str], None]) -> SuiteResult:
    """Count and time every configuration of ``wish`` on ``batch``.

    :raises BenchError: a run did not get to its end.
    """
    sizes = batch.sizes_mb
    wanted = [item for item in wish.configurations if item.applies_to(sizes)]
    skipped = {item.name: _why_not(item) for item in wish.configurations if item not in wanted}
    bench = Bench(batch, work)
    if wish.rounds:
        say(f"{batch.name}: starting Python and the host for the first time")
        bench.warm_up()
    gathered = {item.name: _Gathered() for item in wanted}
    _begin_with_reference(wanted)
    for item in list(wanted) if wish.counts else ():
        say(f"{batch.name}: counting, {item.name}")
        try:
            _count(bench, item, gathered[item.name])
        except NotForTheFloorError as reason:
            skipped[item.name] = f"the floor cannot be measured: {reason}"
            wanted.remove(item)
    for number in range(wish.rounds):
        for item in list(_rotated(wanted, number)):
            say(f"{batch.name}: round {number + 1} of {wish.rounds}, {item.name}")
            try:
                _time(bench, item, number, gathered[item.name])
            except NotForTheFloorError as reason:
                skipped[item.name] = f"the floor cannot be measured: {reason}"
                wanted.remove(item)
    return SuiteResult(
        name=batch.name,
        words=batch.words,
        files=len(sizes),
        size_mb=sum(sizes),
        smallest_mb=min(sizes),
        largest_mb=max(sizes),
        reference=bench.reference or "",
        measured=tuple(_measured(item, gathered[item.name]) for item in wanted),
        skipped=skipped,
    )


def _begin_with_reference(wanted: list[Configuration]) -> None:
    """The engine first, the floor (which needs another's outputs) never."""
    ranks = {Runner.ENGINE: 0, Runner.FLOOR: 2}
    wanted.sort(key=lambda item: ranks.get(item.runner, 1))


def _rotated(items: Sequence[Configuration], number: int) -> Sequence[Configuration]:
    """The first round in order, since it makes the reference; later ones begin elsewhere."""
    shift = number % len(items) if items else 0
    return [*items[shift:], *items[:shift]]


def _why_not(item: Configuration) -> str:
    bound = f"below {item.below_mb:g} MB" if item.below_mb else f"from {item.from_mb:g} MB on"
    return f"meant for files {bound}"


def _count(bench: Bench, item: Configuration, into: _Gathered) -> None:
    folder = bench.work / "counts"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    variables = counting_environment({}, folder, bench.batch.folders, bench.work)
    once = bench.run(to_be_counted(item), variables)
    counts = read_counts(folder, once.results, bench.batch.folders)
    into.counts = counts
    _note(once, into)


def _time(bench: Bench, item: Configuration, number: int, into: _Gathered) -> None:
    cold = number == 0 and put_out_of_memory(bench.batch.files)
    once = bench.run(item)
    into.rounds.append(_round(number, item, once, cold=cold or number == 0))
    _note(once, into)


def _note(once: Once, into: _Gathered) -> None:
    into.decisions = tuple(report_of(once.run).get("decisions", ()))
    known = into.differences
    known += [item for item in once.differences if item not in known]


def _round(number: int, item: Configuration, once: Once, *, cold: bool) -> Round:
    run = once.run
    used, report = run.usage, report_of(run)
    assert run.loop_s is not None
    backend = str(report.get("backend", ""))
    return Round(
        number=number,
        cold=cold,
        loop_s=run.loop_s,
        process_s=used.elapsed_s,
        cpu_s=used.cpu_s,
        memory_mb=used.memory_mb,
        worker_mb=used.root_mb if backend in _IN_THE_HOST else used.worker_mb,
        processes=used.processes,
        read_mb=used.read_mb,
        written_mb=used.written_mb,
        disk_read_mb=used.disk_read_mb,
        same=not once.differences,
        backend=backend,
        workers=int(report.get("workers", item.workers or 1)),
    )


def _measured(item: Configuration, gathered: _Gathered) -> Measured:
    different = gathered.differences
    if len(different) > _MOST_DIFFERENCES:
        more = f"and {len(different) - _MOST_DIFFERENCES} more"
        different = [*different[:_MOST_DIFFERENCES], more]
    return Measured(
        item.name,
        item.words,
        tuple(gathered.rounds),
        gathered.counts,
        gathered.decisions,
        tuple(different),
    )


def put_out_of_memory(files: Sequence[Path]) -> bool:
    """Ask the system to forget what it holds of ``files``; False where it cannot be asked."""
    if not hasattr(os, "posix_fadvise"):  # Windows, macOS
        return False
    for path in files:
        with contextlib.suppress(OSError), path.open("rb") as stream:
            with contextlib.suppress(OSError):  # what was just written is kept until it is on disk
                os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def without_rounds(result: SuiteResult) -> SuiteResult:
    """The counts alone, as a baseline for other machines holds them."""
    return replace(result, measured=tuple(replace(item, rounds=()) for item in result.measured))
