"""How many workers a group of files gets: size class, four budgets, ceiling, and start cost.

Each bound is a :class:`Limit` that knows its own words; the lowest decides, the others are named
in the reason. The size class is a starting point, and so is work that is only assumed: where they
decide, the workers may be raised while the batch runs, as far as the budgets allow
(:mod:`.scale_up`). Nothing here looks at the machine or at a clock: figures in, figures out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from digitalmodel_optimizer.plugin import (
    AUTO,
    Allocation,
    Expected,
    Group,
    Machine,
    Measured,
    Settings,
    SimulationFile,
)
from digitalmodel_optimizer.plugin.estimates import predict_s
from digitalmodel_optimizer_plugins.size_classes import class_index, class_label, parse_table
from digitalmodel_optimizer_plugins.thread_allocation.expected import basis, in_flight_mb
from digitalmodel_optimizer_plugins.thread_allocation.makespan import begins_s_of, makespan_s

ASSUMED_MEMORY_FACTOR = 2.5
# What one file showed is not the worst that its like can do.
LEARNED_MARGIN = 1.25
LEAST_MEMORY_FACTOR = 0.1
# A factor below the assumed one is believed for files up to this many times the measured size.
LEARNED_REACH = 4.0
# Work that is only assumed may be so many times as much: one worker too many costs its start, one
# too few costs the whole batch.
DOUBT = 2.0
# Of worker counts whose time differs by less than this share, the smallest is taken.
WORTHWHILE = 0.03


@dataclass(frozen=True)
class Limit:
    """A bound on the number of workers: its words when it decides, its name when it does not.

    ``allows`` 0 is a budget that not even one worker keeps; one is started all the same.
    """

    allows: int
    words: str
    name: str


def allocate(
    group: Group,
    files: Sequence[SimulationFile],
    machine: Machine,
    measured: Measured,
    settings: Settings,
    options: Mapping[str, Any],
) -> Allocation:
    """The allocation of ``group``; ``files`` are all that share the workers, the group included."""
    cpus = max(1, machine.logical_cpus)
    factor = memory_factor(group.largest_mb, measured, options["memory_factor"])
    worker_mb = options["worker_memory_mb"] if settings.use_processes else 0.0
    budget_mb = memory_budget_mb(machine, options)
    budgets = [
        Limit(cpus, _count(cpus, "core"), "cores"),
        *_native_limit(cpus, options["native_threads"]),
        *_memory_limit(group, files, budget_mb, factor, worker_mb),
        *_set_limits(settings, options),
        Limit(max(1, len(files)), _count(len(files), "file"), "files"),
    ]
    size_class = _size_class_limit(group, options["size_classes"])
    limits = [*budgets, size_class]
    work = _Work(files, cpus, measured, settings, options)
    starts = work.start_limit(min(limit.allows for limit in limits))
    limits += starts
    decisive = min(limits, key=lambda limit: limit.allows)
    workers = max(1, decisive.allows)
    most = workers
    may_turn_out_larger = workers > 1 or not measured.files
    if options["raise_workers"] and may_turn_out_larger and decisive in (size_class, *starts):
        most = max(workers, min(limit.allows for limit in budgets))
        if measured.files and work.soonest(most) <= workers:
            most = workers
    native = cpus // most if options["native_threads"] == AUTO else options["native_threads"]
    native = max(1, min(native, cpus))
    return Allocation(
        workers=workers,
        native_threads=native,
        reason=_reason(workers, most, native, decisive, limits),
        memory_factor=factor,
        memory_budget_mb=max(0.0, budget_mb - (worker_mb * most if most > 1 else 0.0)),
        max_workers=most,
        worker_start_s=options["worker_start_s"] if settings.use_processes else 0.0,
        expected=Expected(
            seconds=work.expected_s(workers),
            memory_mb=in_flight_mb(files, most, factor, worker_mb),
            basis=basis(measured, options["assumed_mb_per_s"]),
        ),
        limited_by=decisive.name,
    )


def memory_budget_mb(machine: Machine, options: Mapping[str, Any]) -> float:
    """What all workers together may hold; an explicit budget never exceeds what is available."""
    available_mb = max(0.0, machine.memory_available_mb)
    explicit = options["memory_budget_mb"]
    if explicit == AUTO:
        return available_mb * float(options["memory_share"])
    return min(float(explicit), available_mb)


def memory_factor(largest_mb: float, measured: Measured, option: Any) -> float:
    """Memory per file divided by the file's size, for files of up to ``largest_mb``.

    What was measured has a part that does not grow with the file. So a factor above the assumed
    one counts, for larger files, as the assumed one plus that fixed part; one below is believed
    only for files of about the measured size.
    """
    if option != AUTO:
        return float(option)
    if measured.memory_factor is None or not measured.files:
        return ASSUMED_MEMORY_FACTOR
    learned = max(LEAST_MEMORY_FACTOR, measured.memory_factor * LEARNED_MARGIN)
    mean_mb = measured.size_mb / measured.files
    if learned > ASSUMED_MEMORY_FACTOR and largest_mb > mean_mb:
        fixed_mb = (learned - ASSUMED_MEMORY_FACTOR) * mean_mb
        return ASSUMED_MEMORY_FACTOR + fixed_mb / largest_mb
    if learned < ASSUMED_MEMORY_FACTOR and largest_mb > LEARNED_REACH * mean_mb:
        return ASSUMED_MEMORY_FACTOR
    return learned


def _native_limit(cpus: int, native_threads: Any) -> list[Limit]:
    if native_threads == AUTO:
        return []
    allows = max(1, cpus // native_threads)
    words = f"{_count(native_threads, 'native thread')} each on {_count(cpus, 'core')}"
    return [Limit(allows, words, "native threads")]


def _memory_limit(
    group: Group,
    files: Sequence[SimulationFile],
    budget_mb: float,
    factor: float,
    worker_mb: float,
) -> list[Limit]:
    """Largest files of the group first, then what can run beside them: files no larger than they.

    Larger files belong to another group, whose own allocation is the lower one.
    """
    members = {file.index for file in group.files}
    largest_mb = group.largest_mb if group.files else math.inf
    beside = [
        file.size_mb for file in files if file.index not in members and file.size_mb <= largest_mb
    ]
    sizes_mb = sorted((file.size_mb for file in group.files), reverse=True)
    sizes_mb += sorted(beside, reverse=True)
    each = f"{factor:.2g} x {group.largest_mb:.0f} MB + {worker_mb:.0f} MB"
    in_flight_mb = 0.0
    for fits, size_mb in enumerate(sizes_mb):
        in_flight_mb += factor * size_mb + worker_mb
        if in_flight_mb <= budget_mb:
            continue
        words = f"memory of {budget_mb:.0f} MB holds {fits} ({each} for the largest)"
        if fits == 0:
            words = f"even one file ({each}) exceeds the memory budget of {budget_mb:.0f} MB"
        return [Limit(fits, words, "memory")]
    return []


def _set_limits(settings: Settings, options: Mapping[str, Any]) -> list[Limit]:
    limits = []
    licences = options["licences"]
    if licences is not None:
        limits.append(Limit(max(1, licences), _count(licences, "licence"), "licences"))
    if settings.ceiling is not None:
        ceiling = max(1, settings.ceiling)
        limits.append(Limit(ceiling, f"the configured ceiling of {ceiling}", "ceiling"))
    return limits


def _size_class_limit(group: Group, table_text: str) -> Limit:
    table = parse_table(table_text)
    bounds = [bound for bound, _ in table if math.isfinite(bound)]
    index = class_index(group.largest_mb, bounds)
    name = f"size class {class_label(index, bounds)}"
    return Limit(table[index][1], name, name)


class _Work:
    """The files to do as seconds of one worker, and in what time more workers would do them."""

    def __init__(
        self,
        files: Sequence[SimulationFile],
        cpus: int,
        measured: Measured,
        settings: Settings,
        options: Mapping[str, Any],
    ) -> None:
        self._cpus = cpus
        self._measured = measured
        self._processes = settings.use_processes
        self._start_s: float = options["worker_start_s"]
        if measured.files:
            self._costs_s = [predict_s(measured, (file,)) for file in files]
            self._doubtful_s = self._costs_s
        else:
            self._costs_s = [file.size_mb / options["assumed_mb_per_s"] for file in files]
            self._doubtful_s = [DOUBT * cost_s for cost_s in self._costs_s]

    def expected_s(self, workers: int) -> float:
        return self._elapsed_s(workers, self._costs_s)

    def start_limit(self, allowed: int) -> list[Limit]:
        """The worker count that ends soonest; nothing when ``allowed`` is it."""
        best = self.soonest(allowed)
        if best >= allowed:
            return []
        source = "measured" if self._measured.files else "assumed from the size"
        words = f"{sum(self._costs_s):.1f} s of work ({source}) would not end sooner with more"
        if self._processes:
            return [Limit(best, f"{words}, at {self._start_s:.1f} s per start", "start cost")]
        if self._measured.files:
            python = 1 - self._measured.native_share
            words += f", {python:.0%} of it in Python, one thread at a time"
        return [Limit(best, words, "Python time")]

    def soonest(self, allowed: int) -> int:
        """The smallest number of workers up to ``allowed`` that is about as soon as any.

        Those that are ready cost no start, so that fewer would save nothing.
        """
        least = max(1, min(allowed, self._measured.ready_workers))
        times_s = {
            workers: self._elapsed_s(workers, self._doubtful_s)
            for workers in range(least, allowed + 1)
        }
        # One too few costs more than one too many: no fewer for the sake of what is only assumed.
        share = WORTHWHILE if self._measured.files else 0.0
        good_s = min(times_s.values(), default=0.0) * (1 + share)
        return next((n for n, time_s in times_s.items() if time_s <= good_s), 1)

    def _elapsed_s(self, workers: int, costs_s: Sequence[float]) -> float:
        """Processes start at the same time, each a little slower for the others. Threads start at
        once, but what is not native time they do in turn.
        """
        if self._processes:
            measured = self._measured
            ready, starting = measured.ready_workers, measured.starting_workers
            begins_s = begins_s_of(workers, ready, starting, self._start_s, self._cpus)
            return makespan_s(costs_s, begins_s)
        total_s = sum(costs_s)
        if workers == 1:
            return total_s
        python_share = 1 - self._measured.native_share if self._measured.files else 0.0
        return max(makespan_s(costs_s, [0.0] * workers), total_s * python_share)


def _reason(workers: int, most: int, native: int, decisive: Limit, limits: Sequence[Limit]) -> str:
    others = [limit for limit in limits if limit is not decisive and limit.allows > workers]
    others.sort(key=lambda limit: -limit.allows)
    allowances = ", ".join(
        f"{limit.name} would allow {limit.allows}" if place == 0 else f"{limit.name} {limit.allows}"
        for place, limit in enumerate(others)
    )
    text = f"{_count(workers, 'worker')}: {decisive.words}"
    text += f" ({allowances})" if allowances else ""
    text += f"; up to {most} while they keep their cores busy" if most > workers else ""
    return f"{text}; {_count(native, 'native thread')} each"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
