"""Planning a large machine with the model: sweet spots, the table, the plugins' choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.machine_model import Costs, ModelMachine, simulate
from digitalmodel_optimizer.bench.results import describe_machine, versions
from digitalmodel_optimizer.bench.scaling_runs import Checked, ScalingRuns
from digitalmodel_optimizer.contract import BYTES_PER_MB, Machine, Measured, SimulationFile
from digitalmodel_optimizer.machine import measure_machine
from digitalmodel_optimizer.manager import BUILT_IN, build_manager, installed_plugins
from digitalmodel_optimizer.settings import read_settings

SCHEMA = "digitalmodel-optimizer-scaling/1"
PLANNED_WORKERS = (1, 2, 4, 5, 10, 15, 20, 25, 30, 45, 60)
# The smallest number of workers whose time is so near to the best is the sweet spot.
SWEET_SHARE = 0.03
# A number of workers whose time is further from the best than this is called wrong.
WRONG_SHARE = 0.10
# Of the memory of the machine, what is free for the workers.
_AVAILABLE_SHARE = 0.9


@dataclass(frozen=True)
class Load:
    """A batch to plan: its size class, files and their size, and what the mission's table says."""

    name: str
    files: int
    size_mb: float
    table: int

    @property
    def sizes_mb(self) -> tuple[float, ...]:
        return (self.size_mb,) * self.files


LOADS = (
    Load("under 100 MB", 500, 10.0, 25),
    Load("under 500 MB", 200, 250.0, 20),
    Load("under 1000 MB", 100, 750.0, 15),
    Load("from 1000 MB", 60, 1500.0, 10),
    Load("from 1000 MB", 30, 3300.0, 10),
)


@dataclass(frozen=True)
class Plan:
    """What the model says of one load on one disk.

    ``times_s`` by number of workers, ``best`` the fastest of them, ``sweet`` the smallest that is
    nearly as fast, ``chosen`` what the installed plugins would allocate and ``reason`` their words.
    """

    load: Load
    disk_mb_per_s: float | None
    times_s: Mapping[str, float]
    best: int
    sweet: int
    chosen: int
    reason: str

    def over_best(self, workers: int) -> float:
        """By which share ``workers`` take longer than the best number."""
        return self.times_s[str(workers)] / self.times_s[str(self.best)] - 1.0


@dataclass(frozen=True)
class ScalingResult:
    """The whole study: costs as measured, the check of the model, the plans."""

    schema: str
    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    costs: Costs
    disk_mb_per_s: float | None
    checked: tuple[Checked, ...]
    cores: int
    memory_mb: float
    plans: tuple[Plan, ...]


def study_scaling(
    command: str,
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    repeats: int,
    cores: int,
    memory_mb: float,
    disks_mb_per_s: Sequence[float],
) -> ScalingResult:
    """Measure, check and plan; files in memory are planned for as well as each disk."""
    runs = ScalingRuns(folder, work, measure_machine(), say, repeats)
    costs, disk_mb_per_s = runs.measure()
    checked = runs.check(costs)
    say(f"planning {cores} CPUs")
    return ScalingResult(
        schema=SCHEMA,
        command=command,
        machine=describe_machine(),
        versions=versions(),
        costs=costs,
        disk_mb_per_s=None if math.isinf(disk_mb_per_s) else disk_mb_per_s,
        checked=tuple(checked),
        cores=cores,
        memory_mb=memory_mb,
        plans=tuple(plan_machine(costs, cores, memory_mb, [math.inf, *disks_mb_per_s])),
    )


def plan_machine(
    costs: Costs, cores: int, memory_mb: float, disks_mb_per_s: Sequence[float]
) -> Iterator[Plan]:
    """Every load on every disk, at every number of workers and at the plugins' own choice."""
    planned = Machine(cores, memory_mb, _AVAILABLE_SHARE * memory_mb, "win32")
    for disk in disks_mb_per_s:
        machine = ModelMachine(cores, _AVAILABLE_SHARE * memory_mb, disk)
        for load in LOADS:
            chosen, reason = choice_of_plugins(load, planned, costs, disk)
            numbers = sorted({*PLANNED_WORKERS, load.table, chosen, cores})
            times_s = {
                number: simulate(load.sizes_mb, number, machine, costs).elapsed_s
                for number in numbers
                if number <= max(cores, chosen)
            }
            best = min(times_s, key=lambda number: (times_s[number], number))
            near = times_s[best] * (1.0 + SWEET_SHARE)
            yield Plan(
                load=load,
                disk_mb_per_s=None if math.isinf(disk) else disk,
                times_s={str(number): value for number, value in times_s.items()},
                best=best,
                sweet=min(number for number, value in times_s.items() if value <= near),
                chosen=chosen,
                reason=reason,
            )


def choice_of_plugins(
    load: Load, machine: Machine, costs: Costs, disk_mb_per_s: float
) -> tuple[int, str]:
    """How many workers the installed plugins allocate, asked as the core asks them."""
    manager = build_manager([item for item in installed_plugins() if item.name in BUILT_IN])
    settings = read_settings({"orcaflex": {"parallel": {"enabled": True}}}, manager.options())
    manager.hook.optimizer_configure(settings=settings)
    files = [
        SimulationFile(index, f"case_{index}.sim", round(size_mb * BYTES_PER_MB))
        for index, size_mb in enumerate(load.sizes_mb)
    ]
    seconds = costs.seconds(load.size_mb)
    if not math.isinf(disk_mb_per_s):
        seconds += load.size_mb / disk_mb_per_s
    measured = Measured(
        files=1,
        seconds=seconds,
        size_mb=load.size_mb,
        native_share=min(1.0, costs.mb_s * load.size_mb / seconds),
        memory_factor=costs.memory_factor,
    )
    groups = manager.hook.optimizer_group_files(files=files, settings=settings)
    allocations = [
        manager.hook.optimizer_allocate(
            group=group, files=files, machine=machine, measured=measured, settings=settings
        )
        for group in groups
    ]
    widest = max(allocations, key=lambda item: item.workers)
    return widest.workers, widest.reason
