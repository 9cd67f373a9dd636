"""Planning a large machine with the model: sweet spots, the mission's table, the plugins."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digitalmodel_optimizer.bench.machine_model import Costs
from digitalmodel_optimizer.bench.planned_plugins import PlannedMachine, PlannedPlugins

NUMBERS = (1, 2, 4, 6, 8, 10, 12, 15, 20, 25, 30, 38, 45, 52, 60, 64)
# The smallest number of workers whose time is so near to the best is the sweet spot.
SWEET_SHARE = 0.03
# A number of workers whose time is further from the best than this is called wrong.
WRONG_SHARE = 0.10
# What the plugins may lose besides, since they have to find out what others know with hindsight.
LEARNING_S = 0.3


@dataclass(frozen=True)
class Load:
    """A batch to plan: its size class, files and their size, and what the mission's table says.

    ``further_s_per_mb`` is what OrcaFlex is taken to need beyond the stand-in, for each MB.
    """

    name: str
    files: int
    size_mb: float
    table: int
    further_s_per_mb: float = 0.0

    @property
    def sizes_mb(self) -> tuple[float, ...]:
        return (self.size_mb,) * self.files

    def costs(self, costs: Costs) -> Costs:
        return replace(costs, mb_s=costs.mb_s + self.further_s_per_mb)


CLASSES = (
    Load("under 100 MB", 500, 10.0, 25),
    Load("under 500 MB", 200, 250.0, 20),
    Load("under 1000 MB", 100, 750.0, 15),
    Load("from 1000 MB", 60, 1500.0, 10),
    Load("from 1000 MB", 30, 3300.0, 10),
)
# The stand-in alone, and a load of 100 MB/s and of 20 MB/s on top.
FURTHER_S_PER_MB = (0.0, 0.01, 0.05)
LOADS = tuple(
    replace(load, further_s_per_mb=further) for further in FURTHER_S_PER_MB[:2] for load in CLASSES
)
GRID_FILES = (12, 60, 300)
GRID_SIZES_MB = (7.0, 150.0, 700.0, 1500.0, 3300.0)
GRID_MEMORY_SHARES = (1.0, 0.25)
GRID_LICENCES = (None, 12)


@dataclass(frozen=True)
class Plan:
    """What the model says of one load on one machine.

    ``times_s`` by number of workers, ``best`` the fastest of them, ``sweet`` the smallest that is
    nearly as fast. ``chosen`` and ``raised_to`` are what the installed plugins begin with and end
    with, in ``chosen_s``; ``reason`` are their words.
    """

    load: Load
    machine: PlannedMachine
    times_s: Mapping[str, float]
    best: int
    sweet: int
    chosen: int
    raised_to: int
    chosen_s: float
    reason: str

    @property
    def best_s(self) -> float:
        return self.times_s[str(self.best)]

    def over_best(self, workers: int) -> float:
        """By which share a fixed number of ``workers`` takes longer than the best one."""
        return self.times_s[str(workers)] / self.best_s - 1.0

    @property
    def chosen_over_best(self) -> float:
        return self.chosen_s / self.best_s - 1.0

    @property
    def is_near(self) -> bool:
        """Whether the plugins come near to the best fixed number: 10 % or 0.3 s."""
        return self.chosen_over_best <= WRONG_SHARE or self.chosen_s <= self.best_s + LEARNING_S


def plan(load: Load, machine: PlannedMachine, costs: Costs) -> Plan:
    """One load on one machine, at every number of workers and as the plugins do it."""
    plugins = PlannedPlugins(machine, load.costs(costs))
    most = min(machine.cores, load.files)
    numbers = sorted({number for number in NUMBERS if number <= most} | {most, load.table})
    times_s = {number: plugins.fixed(load.sizes_mb, number).elapsed_s for number in numbers}
    # More workers than licences would not run beside each other; the table may ask for them.
    allowed = [number for number in numbers if number <= (machine.licences or most)]
    best = min(allowed, key=lambda number: (times_s[number], number))
    near_s = times_s[best] * (1.0 + SWEET_SHARE)
    chosen = plugins.chosen(load.sizes_mb)
    return Plan(
        load=load,
        machine=machine,
        times_s={str(number): value for number, value in times_s.items()},
        best=best,
        sweet=min(number for number in allowed if times_s[number] <= near_s),
        chosen=chosen.workers,
        raised_to=chosen.raised_to,
        chosen_s=chosen.elapsed_s,
        reason=chosen.reason,
    )


def plan_classes(
    costs: Costs, cores: int, memory_mb: float, disks_mb_per_s: Sequence[float | None]
) -> Iterator[Plan]:
    """Every size class on every disk, as the stand-in loads it and as a slower load would be."""
    for disk, load in itertools.product(disks_mb_per_s, LOADS):
        yield plan(load, PlannedMachine(cores, memory_mb, disk), costs)


def plan_grid(
    costs: Costs, cores: int, memory_mb: float, disks_mb_per_s: Sequence[float | None]
) -> Iterator[Plan]:
    """Many batches: files x sizes x time of a load x memory x licences x disks."""
    for files, size_mb, further, share, licences, disk in itertools.product(
        GRID_FILES,
        GRID_SIZES_MB,
        FURTHER_S_PER_MB,
        GRID_MEMORY_SHARES,
        GRID_LICENCES,
        disks_mb_per_s,
    ):
        load = Load("grid", files, size_mb, _by_table(size_mb), further)
        yield plan(load, PlannedMachine(cores, share * memory_mb, disk, licences), costs)


def _by_table(size_mb: float) -> int:
    """What the mission's table says: of the classes that begin at or below the size, the last."""
    return next(
        (load.table for load in CLASSES if size_mb < float(load.name.split()[1])), CLASSES[-1].table
    )
