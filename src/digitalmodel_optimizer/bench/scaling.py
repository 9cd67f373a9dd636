"""The scaling study: costs measured here, the model checked by them, a large machine planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digitalmodel_optimizer.bench.machine_model import Costs
from digitalmodel_optimizer.bench.planning import Plan, plan_classes, plan_grid
from digitalmodel_optimizer.bench.results import describe_machine, versions
from digitalmodel_optimizer.bench.scaling_costs import Trace, fit_costs
from digitalmodel_optimizer.bench.scaling_runs import Checked, ScalingRuns, check
from digitalmodel_optimizer.machine import measure_machine

SCHEMA = "digitalmodel-optimizer-scaling/2"


@dataclass(frozen=True)
class ScalingResult:
    """The whole study: costs as measured, the check of the model, the plans, the grid of batches.

    ``disk_mb_per_s`` is this machine's, None where the system does not let it be measured.
    ``traces`` are the real runs, of which all else follows.
    """

    schema: str
    command: str
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    rounds: int
    costs: Costs
    disk_mb_per_s: float | None
    traces: tuple[Trace, ...]
    checked: tuple[Checked, ...]
    cores: int
    memory_mb: float
    plans: tuple[Plan, ...]
    grid: tuple[Plan, ...]


def study_scaling(
    command: str,
    folder: Path,
    work: Path,
    say: Callable[[str], None],
    rounds: int,
    cores: int,
    memory_mb: float,
    disks_mb_per_s: Sequence[float],
    *,
    grid: bool,
) -> ScalingResult:
    """Measure, check and plan; files in memory are planned for as well as each disk."""
    runs = ScalingRuns(folder, work, say)
    disk_mb_per_s = runs.disk_mb_per_s()
    traces = runs.rounds(rounds)
    costs = fit_costs(traces)
    checked = tuple(check(traces, costs, measure_machine()))
    disks = (None, *disks_mb_per_s)
    # The stand-in's memory says nothing of OrcaFlex's: planned is what the plugins assume.
    planned = costs.with_assumed_memory()
    say(f"planning {cores} CPUs")
    plans = tuple(plan_classes(planned, cores, memory_mb, disks))
    batches = []
    for number, plan in enumerate(plan_grid(planned, cores, memory_mb, disks) if grid else (), 1):
        say(f"planning {cores} CPUs: batch {number} of the grid")
        batches.append(plan)
    return ScalingResult(
        schema=SCHEMA,
        command=command,
        machine=describe_machine(),
        versions=versions(),
        rounds=rounds,
        costs=costs,
        disk_mb_per_s=disk_mb_per_s,
        traces=tuple(traces),
        checked=checked,
        cores=cores,
        memory_mb=memory_mb,
        plans=plans,
        grid=tuple(batches),
    )
